"""Following published signals on stored candles until each has its one outcome."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np
import structlog
from django.db import transaction

from signals.engine.candle import OHLCV, TimeArray
from signals.engine.costs import CostRates
from signals.engine.entry import entered_from, publication_ms
from signals.engine.ledger import EntryKind
from signals.engine.moment import milliseconds
from signals.engine.outcome import REASONS, Outcomes, follow_plans
from signals.engine.strategy import Direction
from signals.engine.timeframe import Timeframe
from signals.events import outcomes_recorded
from signals.market.selectors import load_range
from signals.market.services.guard import guarded
from signals.models import Signal, SignalOutcome
from signals.services.ledger import append_entries, hold_end

logger = structlog.get_logger(__name__)

# So long a hole in the candles may still be filled; after that it was the exchange that stood still.
WAIT_FOR_CANDLES = timedelta(days=1)
WARM_UP_BARS = 300  # before the first signal, after which the average true range has forgotten its first bars


def record_outcomes(*, exchange_code: str, as_of: datetime, now: datetime) -> int:
    """Write the outcome of every signal that ended on candles closed at `as_of`; how many were written.

    `as_of` is the exchange's time. A signal whose candles have a hole younger than a day waits; one that lived
    through a bar too far above its levels to be reckoned with has no outcome, and the log says so. A repeat
    writes nothing. `outcomes_recorded` announces them in the transaction that writes them.
    """
    waiting = (
        Signal.objects.filter(instrument__exchange__code=exchange_code, outcome__isnull=True)
        .select_related("instrument")
        .order_by("instrument_id", "timeframe", "candle_open_time")
    )
    written = 0
    for (instrument_id, timeframe), group in groupby(waiting, lambda s: (s.instrument_id, s.timeframe)):
        with guarded("outcomes", f"{exchange_code} instrument {instrument_id} {timeframe}"):
            rows = _ended(instrument_id, Timeframe(timeframe), list(group), as_of, now)
            written += _write(rows) if rows else 0
    return written


def _write(rows: Sequence[SignalOutcome]) -> int:
    """The ledger's end is held first: of two who found the same ends, the second sees what the first wrote."""
    with transaction.atomic():
        hold_end()
        signals = [row.signal_id for row in rows]
        standing = set(SignalOutcome.objects.filter(signal__in=signals).values_list("signal_id", flat=True))
        new = [row for row in rows if row.signal_id not in standing]
        entries = append_entries(kind=EntryKind.OUTCOME, facts=[ledger_facts(row) for row in new])
        for row, entry in zip(new, entries, strict=True):
            row.ledger_entry = entry
        SignalOutcome.objects.bulk_create(new)
        outcomes_recorded.send(sender=SignalOutcome, signal_ids=signals)
    return len(new)


def ledger_facts(outcome: SignalOutcome) -> dict[str, Any]:
    """What the ledger records of an end."""
    numbers = ("entry_price", "exit_price", "return_ratio", "r_multiple", "best_r", "worst_r")
    rates = ("maker_bps", "taker_bps", "slippage_bps")
    return {
        "signal": str(outcome.signal.public_id),
        "signal_sequence": outcome.signal.sequence,
        "exit_reason": outcome.exit_reason,
        "entered_at": outcome.entered_at,
        "exited_at": outcome.exited_at,
        "bars_held": int(outcome.bars_held),
        "is_ambiguous": outcome.is_ambiguous,
        "recorded_at": outcome.recorded_at,
        **{name: float(getattr(outcome, name)) for name in (*numbers, *rates)},
    }


def _ended(
    instrument_id: int, timeframe: Timeframe, signals: Sequence[Signal], as_of: datetime, now: datetime
) -> list[SignalOutcome]:
    period = timedelta(seconds=timeframe.seconds)
    candles = load_range(
        instrument_id=instrument_id,
        timeframe=timeframe,
        start=signals[0].candle_open_time - WARM_UP_BARS * period,
        end=as_of - period + timedelta(milliseconds=1),
    )
    moments = entered_from(
        [milliseconds(signal.candle_open_time + period) for signal in signals],
        [publication_ms(signal.published_at) for signal in signals],
    )
    entry_opens = -(-moments // timeframe.milliseconds) * timeframe.milliseconds
    rows = np.searchsorted(candles.open_time, moments) - 1
    begun = (rows >= 0) & (rows + 1 < len(candles))
    entered = [signal for signal, has_begun in zip(signals, begun, strict=True) if has_begun]
    rates = signals[0].instrument.cost_rates()
    outcomes = _follow(candles, entered, rows[begun], rates)
    for each in np.flatnonzero(outcomes.refused):
        logger.warning("a bar too far above its levels: no outcome", signal=str(entered[each]))
    hole_ended = _newest_hole(candles, timeframe, outcomes.exited_at)
    unbroken = hole_ended <= entry_opens[begun]
    waited = hole_ended <= milliseconds(as_of - WAIT_FOR_CANDLES)
    settled = np.flatnonzero(outcomes.ended & (unbroken | waited))
    return [_row(entered[each], outcomes, int(each), rates, now) for each in settled]


def _newest_hole(candles: OHLCV, timeframe: Timeframe, until: TimeArray) -> TimeArray:
    """For each of `until` when the newest hole up to it ended: the open time of the bar after it, 0 without one."""
    if len(candles) == 0:
        return np.zeros_like(until)
    after_hole = np.diff(candles.open_time, prepend=candles.open_time[0]) > timeframe.milliseconds
    newest = np.maximum.accumulate(np.where(after_hole, candles.open_time, 0))
    return newest[np.searchsorted(candles.open_time, until, side="right") - 1]


def _follow(
    candles: OHLCV,
    signals: Sequence[Signal],
    rows: np.ndarray[tuple[int], np.dtype[np.int64]],
    rates: CostRates,
) -> Outcomes:
    return follow_plans(
        candles,
        rows=rows,
        directions=[Direction(signal.direction).sign for signal in signals],
        entry_prices=[signal.entry_price for signal in signals],
        plans=[signal.exit_plan for signal in signals],
        rates=rates,
    )


def _row(signal: Signal, outcomes: Outcomes, each: int, rates: CostRates, now: datetime) -> SignalOutcome:
    return SignalOutcome(
        signal=signal,
        exit_reason=REASONS[int(outcomes.exit_reason[each])].value,
        entered_at=_instant(int(outcomes.entered_at[each])),
        exited_at=_instant(int(outcomes.exited_at[each])),
        entry_price=outcomes.entry_price[each],
        exit_price=outcomes.exit_price[each],
        return_ratio=outcomes.returns[each],
        r_multiple=outcomes.r_multiple[each],
        best_r=outcomes.best_r[each],
        worst_r=outcomes.worst_r[each],
        bars_held=outcomes.bars_held[each],
        is_ambiguous=bool(outcomes.ambiguous[each]),
        maker_bps=rates.maker_bps,
        taker_bps=rates.taker_bps,
        slippage_bps=rates.slippage_bps,
        recorded_at=now,
    )


def _instant(moment: int) -> datetime:
    return datetime.fromtimestamp(moment / 1000, UTC)
