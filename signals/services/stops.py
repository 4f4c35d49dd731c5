"""The stops of open managed signals, after each close that moved them."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

import numpy as np
from django.db import transaction

from signals.engine.direction import Direction
from signals.engine.exit_plan import ATR_PERIOD, PlanKind, stops_along
from signals.engine.indicators.volatility import atr
from signals.engine.moment import instant, milliseconds
from signals.engine.timeframe import Timeframe
from signals.events import stops_passed_entry
from signals.market.selectors import load_range
from signals.market.services.guard import guarded
from signals.models import Signal, StopRaise
from signals.services.outcomes import WARM_UP_BARS


def record_stops(*, exchange_code: str, as_of: datetime, now: datetime) -> int:
    """Write what the candles closed at `as_of` (the exchange's time) moved; return how many rows that are.

    Ends are recorded first, so a signal that has ended moves no more. `stops_passed_entry` announces, in the
    transaction that writes it, each signal whose stop passed its entry for the first time. A repeat writes nothing.
    """
    waiting = Signal.objects.filter(
        instrument__exchange__code=exchange_code, outcome__isnull=True, plan__kind=PlanKind.MANAGED.value
    )
    written = 0
    ordered = waiting.order_by("instrument_id", "timeframe", "candle_open_time")
    for (instrument_id, timeframe), group in groupby(ordered, lambda row: (row.instrument_id, row.timeframe)):
        with guarded("stops", f"{exchange_code} instrument {instrument_id} {timeframe}"):
            written += _write(list(_raises(list(group), Timeframe(timeframe), as_of, now)))
    return written


def _raises(
    signals: Sequence[Signal], timeframe: Timeframe, as_of: datetime, now: datetime
) -> Iterator[StopRaise]:
    period = timedelta(seconds=timeframe.seconds)
    candles = load_range(
        instrument_id=signals[0].instrument_id,
        timeframe=timeframe,
        start=signals[0].candle_open_time - WARM_UP_BARS * period,
        end=as_of - period + timedelta(milliseconds=1),
    )
    if len(candles) <= ATR_PERIOD:
        return
    ranges = atr(candles.high, candles.low, candles.close, ATR_PERIOD)
    for signal in signals:
        row = int(np.searchsorted(candles.open_time, milliseconds(signal.candle_open_time)))
        if row >= len(candles):
            continue
        sign = Direction(signal.direction).sign
        acting = stops_along(signal.exit_plan, sign=sign, closes=candles.close[row:], ranges=ranges[row:])
        for place in np.flatnonzero(np.diff(acting)) + 1:
            stop = float(acting[place])
            yield StopRaise(
                signal=signal,
                candle_open_time=instant(int(candles.open_time[row + place])),
                stop=stop,
                passes_entry=sign * (stop - signal.entry_price) > 0,
                recorded_at=now,
            )


def _write(raises: Sequence[StopRaise]) -> int:
    with transaction.atomic():
        standing = StopRaise.objects.filter(signal__in={row.signal_id for row in raises})
        known = set(standing.values_list("signal_id", "candle_open_time"))
        told = set(standing.filter(passes_entry=True).values_list("signal_id", flat=True))
        new = [row for row in raises if (row.signal_id, row.candle_open_time) not in known]
        StopRaise.objects.bulk_create(new, ignore_conflicts=True)
        passed = sorted({row.signal_id for row in new if row.passes_entry} - told)
        if passed:
            stops_passed_entry.send(sender=StopRaise, signal_ids=passed)
    return len(new)
