"""Managed exits on paper: after each bar, the stop of a plan follows the best close, for the bars after it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np

from autopilot.engine.order import OrderSide
from autopilot.models import Order, Position
from autopilot.services.book_rows import grid_of, in_ms
from signals.engine.exit_plan import ATR_PERIOD
from signals.engine.fill.layout import IntArray
from signals.engine.fill.trailing import trail_stops
from signals.engine.indicators.volatility import atr
from signals.engine.timeframe import Timeframe
from signals.market.selectors import load_range

# Before the decision, after which the average true range has forgotten its first bars.
WARM_UP_BARS = 300


def follow_closes(*, position: Position, orders: Iterable[Order], row: IntArray, opened_at: datetime) -> None:
    """Move the stops in the book `row`, which has been stepped through the bar that opened at `opened_at`.

    orders: those that were in the book before that bar, exits with their entries (`parent`).
    """
    entries = {each.number: each for order in orders for each in (order, order.parent) if each is not None}
    for number, entry in entries.items():
        if number is not None and entry.trail_atr is not None:
            _follow(position, entry, number, row, opened_at)


def _follow(position: Position, entry: Order, number: int, row: IntArray, opened_at: datetime) -> None:
    """The best close counts from the candle of the decision on, the range is that of the bar that closed."""
    timeframe = Timeframe(position.timeframe)
    candles = load_range(
        instrument_id=position.instrument_id,
        timeframe=timeframe,
        start=entry.candle_open_time - WARM_UP_BARS * timedelta(seconds=timeframe.seconds),
        end=opened_at + timedelta(milliseconds=1),
    )
    since = candles.close[candles.open_time >= in_ms(entry.candle_open_time)]
    if not len(since) or len(candles) <= ATR_PERIOD or entry.trail_atr is None:
        return
    ticks_per_price = float(1 / grid_of(position).tick)
    best = float(since.max() if OrderSide(entry.side).sign > 0 else since.min())
    reach = float(atr(candles.high, candles.low, candles.close, ATR_PERIOD)[-1])
    trail_stops(row, number, int(np.rint(best * ticks_per_price)), reach * ticks_per_price, entry.trail_atr)
