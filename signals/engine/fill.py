"""How a closed bar fills orders: the one code that outcomes, the simulator and the paper broker share.

`step(state, bar, costs) -> state, fills` is a compiled function over whole numbers (price in ticks,
quantity in lots, cash in ticks x lots). One state is one instrument with at most one order and one
position. The rules, pessimistic wherever a bar does not tell the order of events:

- An order placed after bar t fills at the earliest at the open of bar t+1. This holds by construction:
  `state.clock` is the last bar that was stepped, and a bar that is not later is refused.
- At the open: a market order fills at the open; a stop order beyond which the market has opened fills
  at the open (worse than asked); a limit order likewise (better than asked).
- Inside the bar: a stop order fills at its price when the bar reaches it, a limit order too.
- The position's stop comes before its target when one bar reaches both; the fill then is `ambiguous`.
- A position opened inside the bar by a limit order takes its target in that bar only if the bar also
  closes there, because the high may have come before the entry. One opened by a stop order passes its
  entry on the way to the target, so the target counts.
- `hold_bars` after its entry a position is closed at the next open. An order unfilled after
  `good_bars` bars lapses.
- Market and stop orders pay the taker's fee and slippage. Limit orders pay the maker's fee at their
  price; filled at an open they took what was offered, and pay the taker's fee without slippage.
"""

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

import numpy as np
from numba import njit

from signals.engine.candle import OHLCV
from signals.engine.costs import Costs, fee, slipped

BUY, SELL = 1, -1
MARKET, LIMIT, STOP = 0, 1, 2
ENTRY, STOPPED, TARGET, CLOSED = 0, 1, 2, 3
FOREVER = -1
BEYOND = 2**62


class Bar(NamedTuple):
    """A closed bar: open time in UTC ms, prices in ticks."""

    open_time: int
    open: int
    high: int
    low: int
    close: int


class Order(NamedTuple):
    """An entry that waits. `side` 0 is no order; `stop` and `target` 0 are none; FOREVER is no limit."""

    side: int
    kind: int
    price: int
    lots: int
    stop: int
    target: int
    good_bars: int
    hold_bars: int


class Position(NamedTuple):
    """`lots` signed, 0 is none; `price` of its entry; `closing` is 1 once the next open shall end it."""

    lots: int
    price: int
    stop: int
    target: int
    hold_bars: int
    closing: int


class State(NamedTuple):
    """`clock` is the open time of the last bar stepped, `cash` what was paid and received, fees included."""

    clock: int
    cash: int
    order: Order
    position: Position


class Fill(NamedTuple):
    """`lots` signed by side (0 is no fill), `reason` ENTRY, STOPPED, TARGET or CLOSED."""

    lots: int
    price: int
    fee: int
    reason: int
    ambiguous: int


class Fills(NamedTuple):
    """What one bar can fill at most: the old position closed, a new one opened, and that one closed."""

    closed: Fill
    opened: Fill
    closed_again: Fill


NO_ORDER = Order(0, MARKET, 0, 0, 0, 0, FOREVER, FOREVER)
NO_POSITION = Position(0, 0, 0, 0, FOREVER, 0)
NO_FILL = Fill(0, 0, 0, ENTRY, 0)


@njit(cache=True)
def new_state(clock: int, cash: int = 0) -> State:
    """Nothing held, nothing ordered; bars later than `clock` (UTC ms) may be stepped."""
    return State(clock, cash, NO_ORDER, NO_POSITION)


@njit(cache=True)
def place(state: State, order: Order) -> State:
    """Let `order` wait for the bars after `state.clock`, in place of any order that waits already.

    ValueError unless it has a side, lots and (limit, stop) a price, or while a position is held that is
    not being closed.
    """
    if order.side not in (BUY, SELL) or order.lots <= 0:
        raise ValueError("an order needs side 1 or -1 and at least one lot")
    if order.kind != MARKET and order.price <= 0:
        raise ValueError("a limit or stop order needs a price of at least one tick")
    if order.good_bars == 0 or order.hold_bars == 0:
        raise ValueError("good_bars and hold_bars are at least 1, or -1 for no limit")
    if state.position.lots != 0 and state.position.closing == 0:
        raise ValueError("close the position before a new one is ordered")
    return State(state.clock, state.cash, order, state.position)


@njit(cache=True)
def cancel(state: State) -> State:
    """Withdraw the order that waits, if any."""
    return State(state.clock, state.cash, NO_ORDER, state.position)


@njit(cache=True)
def close_position(state: State) -> State:
    """Have the position ended at the next open."""
    held = state.position
    closing = Position(held.lots, held.price, held.stop, held.target, held.hold_bars, 1)
    return State(state.clock, state.cash, state.order, closing)


@njit(cache=True)
def move_exits(state: State, stop: int, target: int) -> State:
    """Other stop and target (ticks, 0 for none) for the position, from the next bar on."""
    held = state.position
    moved = Position(held.lots, held.price, stop, target, held.hold_bars, held.closing)
    return State(state.clock, state.cash, state.order, moved)


@njit(cache=True)
def equity(state: State, price: int) -> int:
    """Cash and the position at `price` ticks, in ticks x lots; no cost of closing is taken off."""
    worth: int = state.cash + state.position.lots * price
    return worth


@njit(cache=True, forceinline=True)  # a call would copy the state in and out: three times the price per bar
def step(state: State, bar: Bar, costs: Costs) -> tuple[State, Fills]:
    """What a closed bar does to order and position. ValueError for a bar not later than the last one."""
    if bar.open_time <= state.clock:
        raise ValueError("this bar was stepped already: an order can only fill on a later one")
    position, order, cash = state.position, state.order, state.cash
    closed = _exit_at_open(position, bar, costs)
    if closed.lots == 0:
        closed = _exit_inside(position, bar, extreme(bar, position.lots), costs)
    if closed.lots != 0:
        cash, position = _settled(cash, closed), NO_POSITION
    opened, closed_again = NO_FILL, NO_FILL
    if state.position.lots == 0 or state.position.closing == 1:
        opened = _entry(order, bar, costs)
    if opened.lots != 0:
        cash = _settled(cash, opened)
        position = Position(opened.lots, opened.price, order.stop, order.target, order.hold_bars, 0)
        closed_again = _exit_after_entry(position, order, bar, costs)
        order = NO_ORDER
    if closed_again.lots != 0:
        cash, position = _settled(cash, closed_again), NO_POSITION
    after = State(bar.open_time, cash, _aged_order(order), _aged_position(position))
    return after, Fills(closed, opened, closed_again)


@njit(cache=True)
def _settled(cash: int, fill: Fill) -> int:
    return cash - fill.lots * fill.price - fill.fee


@njit(cache=True)
def _beyond(price: int, level: int, side: int) -> bool:
    """Whether `price` stands at or past `level` (0 for none) when moving up (side 1) or down (-1)."""
    return level > 0 and side * (price - level) >= 0


@njit(cache=True)
def _fills_at_open(order: Order, bar: Bar) -> bool:
    if order.kind == MARKET:
        return True
    return _beyond(bar.open, order.price, order.side if order.kind == STOP else -order.side)


@njit(cache=True)
def _entry(order: Order, bar: Bar, costs: Costs) -> Fill:
    if order.side == 0:
        return NO_FILL
    if _fills_at_open(order, bar):
        if order.kind == LIMIT:
            return _filled(order.side * order.lots, bar.open, costs.taker_ppm, 0, ENTRY, 0)
        return _filled(order.side * order.lots, bar.open, costs.taker_ppm, costs.slippage_ppm, ENTRY, 0)
    if order.kind == STOP and _beyond(extreme(bar, order.side), order.price, order.side):
        return _filled(order.side * order.lots, order.price, costs.taker_ppm, costs.slippage_ppm, ENTRY, 0)
    if order.kind == LIMIT and _beyond(extreme(bar, -order.side), order.price, -order.side):
        return _filled(order.side * order.lots, order.price, costs.maker_ppm, 0, ENTRY, 0)
    return NO_FILL


@njit(cache=True)
def _exit_at_open(held: Position, bar: Bar, costs: Costs) -> Fill:
    side = 1 if held.lots > 0 else -1
    if held.lots == 0:
        return NO_FILL
    if held.closing == 1:
        return _filled(-held.lots, bar.open, costs.taker_ppm, costs.slippage_ppm, CLOSED, 0)
    if _beyond(bar.open, held.stop, -side):
        return _filled(-held.lots, bar.open, costs.taker_ppm, costs.slippage_ppm, STOPPED, 0)
    if _beyond(bar.open, held.target, side):
        return _filled(-held.lots, bar.open, costs.taker_ppm, 0, TARGET, 0)
    return NO_FILL


@njit(cache=True)
def _exit_inside(held: Position, bar: Bar, best: int, costs: Costs) -> Fill:
    """`best`: the most favourable price of the bar that certainly came while the position was held."""
    if held.lots == 0:
        return NO_FILL
    side = 1 if held.lots > 0 else -1
    reaches_target = _beyond(best, held.target, side)
    if _beyond(extreme(bar, -side), held.stop, -side):
        both = 1 if reaches_target else 0
        return _filled(-held.lots, held.stop, costs.taker_ppm, costs.slippage_ppm, STOPPED, both)
    if reaches_target:
        return _filled(-held.lots, held.target, costs.maker_ppm, 0, TARGET, 0)
    return NO_FILL


@njit(cache=True)
def _exit_after_entry(held: Position, order: Order, bar: Bar, costs: Costs) -> Fill:
    """The stop or target of a position that was opened in this very bar."""
    if _fills_at_open(order, bar):
        at_open = _exit_at_open(held, bar, costs)
        if at_open.lots != 0:
            return at_open
    elif order.kind == LIMIT:
        return _exit_inside(held, bar, bar.close, costs)
    return _exit_inside(held, bar, extreme(bar, held.lots), costs)


@njit(cache=True)
def extreme(bar: Bar, side: int) -> int:
    """The bar's high for a buyer (positive side), its low for a seller."""
    return bar.high if side > 0 else bar.low


@njit(cache=True)
def _filled(lots: int, price: int, fee_ppm: int, slippage_ppm: int, reason: int, ambiguous: int) -> Fill:
    paid = slipped(price, 1 if lots > 0 else -1, slippage_ppm)
    return Fill(lots, paid, fee(paid, abs(lots), fee_ppm), reason, ambiguous)


@njit(cache=True)
def _aged_order(order: Order) -> Order:
    if order.side == 0 or order.good_bars == 1:
        return NO_ORDER
    left = order.good_bars - 1 if order.good_bars > 0 else order.good_bars
    return Order(
        order.side, order.kind, order.price, order.lots, order.stop, order.target, left, order.hold_bars
    )


@njit(cache=True)
def _aged_position(held: Position) -> Position:
    if held.lots == 0:
        return NO_POSITION
    left = held.hold_bars - 1 if held.hold_bars > 0 else held.hold_bars
    closing = 1 if left == 0 else held.closing
    return Position(held.lots, held.price, held.stop, held.target, left, closing)


@dataclass(frozen=True, slots=True)
class Grid:
    """The exchange's steps: `tick` of the price, `lot` of the quantity. Decimal outside, whole inside."""

    tick: Decimal
    lot: Decimal

    def __post_init__(self) -> None:
        for name in ("tick", "lot"):
            step_size = getattr(self, name)
            if not (step_size.is_finite() and step_size > 0):
                raise ValueError(f"{name} must be positive, not {step_size}")

    def ticks(self, price: Decimal) -> int:
        """The nearest whole number of ticks."""
        return int((price / self.tick).to_integral_value(ROUND_HALF_EVEN))

    def lots(self, quantity: Decimal) -> int:
        """Whole lots, rounded down: never more than was asked for."""
        return int((quantity / self.lot).to_integral_value(ROUND_DOWN))

    def price(self, ticks: int) -> Decimal:
        return ticks * self.tick

    def quantity(self, lots: int) -> Decimal:
        return lots * self.lot

    def amount(self, tick_lots: int) -> Decimal:
        """Money (quote currency) of a fee, of cash or of equity."""
        return tick_lots * self.tick * self.lot


def bars_in_ticks(candles: OHLCV, tick: float) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Candles as int64 rows (open_time, open, high, low, close), prices rounded to the nearest tick.

    A price of more than BEYOND ticks becomes BEYOND: whoever multiplies ticks refuses prices long before.
    """
    prices = np.column_stack((candles.open, candles.high, candles.low, candles.close))
    whole = np.rint(np.minimum(prices / tick, BEYOND)).astype(np.int64)
    return np.column_stack((candles.open_time, whole))
