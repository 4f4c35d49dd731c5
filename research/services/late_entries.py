"""What a signal came to for those whom it reached later: the same plan, entered at the first open after the delay."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

import numpy as np

from research.engine.ended_signals import LATE_ROW, Rows, unknown_late
from signals.engine.candle import OHLCV
from signals.engine.direction import Direction
from signals.engine.entry import entered_from, publication_ms
from signals.engine.moment import milliseconds
from signals.engine.outcome import follow_plans
from signals.engine.timeframe import Timeframe
from signals.market.selectors import load_range
from signals.models import SignalOutcome

WARM_UP_BARS = 300
FOLLOWED_BARS = 1_000  # beyond the end on the record; a later entry that has not ended by then stays open


def late_entries(outcomes: Sequence[SignalOutcome], delay_seconds: int) -> Rows:
    """One row each. Had it expired, or ended, before it could be entered, it reached nobody in time."""
    found = unknown_late(len(outcomes))
    order = sorted(
        range(len(outcomes)),
        key=lambda n: (outcomes[n].signal.instrument_id, outcomes[n].signal.timeframe, n),
    )
    for (instrument, timeframe), group in groupby(
        order, key=lambda n: (outcomes[n].signal.instrument_id, outcomes[n].signal.timeframe)
    ):
        places = list(group)
        chosen = [outcomes[place] for place in places]
        found[places] = _of_market(instrument, Timeframe(timeframe), chosen, delay_seconds)
    return found


def _of_market(
    instrument_id: int, timeframe: Timeframe, outcomes: Sequence[SignalOutcome], delay_seconds: int
) -> Rows:
    period, delay = timedelta(seconds=timeframe.seconds), timedelta(seconds=delay_seconds)
    closed = [milliseconds(each.signal.candle_open_time + period) for each in outcomes]
    at_once = entered_from(closed, [publication_ms(each.signal.published_at) for each in outcomes])
    later = entered_from(closed, [publication_ms(each.signal.published_at + delay) for each in outcomes])
    expired = np.array([each.signal.expires_at <= each.signal.published_at + delay for each in outcomes])
    ended = np.array([milliseconds(each.exited_at) for each in outcomes])
    found = np.zeros(len(outcomes), dtype=LATE_ROW)
    found["r"], found["exited"] = np.nan, np.nan
    same = ~expired & (later == at_once)
    found["r"][same] = [each.r_multiple for each, is_same in zip(outcomes, same, strict=True) if is_same]
    found["exited"][same] = ended[same] / 1000
    opens = -(-later // timeframe.milliseconds) * timeframe.milliseconds
    places = np.flatnonzero(~expired & ~same & (ended >= opens))
    if len(places):
        _follow(found, places, later, outcomes, _candles(instrument_id, timeframe, outcomes))
    return found


def _candles(instrument_id: int, timeframe: Timeframe, outcomes: Sequence[SignalOutcome]) -> OHLCV:
    period = timedelta(seconds=timeframe.seconds)
    return load_range(
        instrument_id=instrument_id,
        timeframe=timeframe,
        start=min(each.signal.candle_open_time for each in outcomes) - WARM_UP_BARS * period,
        end=max(each.exited_at for each in outcomes) + FOLLOWED_BARS * period,
    )


def _follow(
    found: Rows,
    places: np.ndarray[tuple[int], np.dtype[np.intp]],
    moments: np.ndarray[tuple[int], np.dtype[np.int64]],
    outcomes: Sequence[SignalOutcome],
    candles: OHLCV,
) -> None:
    rows = np.searchsorted(candles.open_time, moments[places]) - 1
    begun = (rows >= 0) & (rows + 1 < len(candles))
    found["open"][places[~begun]] = True
    entered = places[begun]
    signals = [outcomes[int(place)].signal for place in entered]
    if not signals:
        return
    came = follow_plans(
        candles,
        rows=rows[begun],
        directions=[Direction(each.direction).sign for each in signals],
        entry_prices=[each.entry_price for each in signals],
        plans=[each.exit_plan for each in signals],
        rates=signals[0].instrument.cost_rates(),
    )
    found["open"][entered] = ~came.ended & ~came.refused
    found["r"][entered] = came.r_multiple
    found["exited"][entered] = np.where(came.ended, came.exited_at / 1000, np.nan)
