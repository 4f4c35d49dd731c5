"""One order, one position: the step that outcomes follow signals with, and that small cases are told in.

`step(state, bar, costs) -> state, fills` is a compiled function over whole numbers (price in ticks,
quantity in lots, cash in ticks x lots). The rules are those of the package.
"""

from numba import njit

from signals.engine.costs import Costs
from signals.engine.fill.orders import (
    BUY,
    CLOSED,
    ENTRY,
    FOREVER,
    LIMIT,
    MARKET,
    NO_FILL,
    NO_ORDER,
    NO_POSITION,
    SELL,
    STOP,
    STOPPED,
    TARGET,
    Bar,
    BarFill,
    BarFills,
    EntryOrder,
    HeldPosition,
    State,
)
from signals.engine.fill.rules import (
    LARGEST_SUM,
    beyond,
    encloses,
    extreme,
    filled,
    fills_at_open,
    fits,
    known_kind,
)


@njit(cache=True)
def new_state(clock: int, cash: int = 0) -> State:
    """Nothing held, nothing ordered; bars later than `clock` (UTC ms) may be stepped."""
    return State(clock, cash, NO_ORDER, NO_POSITION)


@njit(cache=True)
def place(state: State, order: EntryOrder) -> State:
    """Let `order` wait for the bars after `state.clock`, in place of any order that waits already.

    ValueError unless it has a known kind, a side, lots and (limit, stop) a price, with stop and target on
    their sides of it; where ticks x lots do not fit into int64; or while a position is held that is not
    being closed.
    """
    if order.side not in (BUY, SELL) or order.lots <= 0:
        raise ValueError("an order needs side 1 or -1 and at least one lot")
    if not known_kind(order.kind):
        raise ValueError("an order is of kind MARKET, LIMIT or STOP")
    if order.price < 0 or order.stop < 0 or order.target < 0:
        raise ValueError("price, stop and target are ticks above zero, or 0 for none")
    if order.kind != MARKET and order.price == 0:
        raise ValueError("a limit or stop order needs a price of at least one tick")
    if not encloses(order.side, order.price, order.stop, order.target):
        raise ValueError("stop and target must stand on either side of the price, the stop where it loses")
    if not _counts(order.good_bars) or not _counts(order.hold_bars):
        raise ValueError("good_bars and hold_bars are at least 1, or -1 for no limit")
    if not fits(max(order.price, order.stop, order.target), order.lots):
        raise ValueError("ticks x lots of this order are beyond int64: use a coarser tick or lot")
    if state.position.lots != 0 and state.position.closing == 0:
        raise ValueError("close the position before a new one is ordered")
    return State(state.clock, state.cash, order, state.position)


@njit(cache=True)
def _counts(bars: int) -> bool:
    return bars >= 1 or bars == FOREVER


@njit(cache=True)
def cancel(state: State) -> State:
    """Withdraw the order that waits, if any."""
    return State(state.clock, state.cash, NO_ORDER, state.position)


@njit(cache=True)
def close_position(state: State) -> State:
    """Have the position ended at the next open."""
    held = state.position
    closing = HeldPosition(held.lots, held.price, held.stop, held.target, held.hold_bars, 1)
    return State(state.clock, state.cash, state.order, closing)


@njit(cache=True)
def move_exits(state: State, stop: int, target: int) -> State:
    """Other stop and target (ticks, 0 for none) for the position, from the next bar on.

    ValueError for a negative level, or a stop that is not on the losing side of the target.
    """
    held = state.position
    if stop < 0 or target < 0:
        raise ValueError("stop and target are ticks above zero, or 0 for none")
    if held.lots != 0 and not encloses(1 if held.lots > 0 else -1, 0, stop, target):
        raise ValueError("the stop must stand on the losing side of the target")
    moved = HeldPosition(held.lots, held.price, stop, target, held.hold_bars, held.closing)
    return State(state.clock, state.cash, state.order, moved)


@njit(cache=True)
def equity(state: State, price: int) -> int:
    """Cash and the position at `price` ticks, in ticks x lots; no cost of closing is taken off.

    ValueError where that does not fit into int64.
    """
    lots = state.position.lots
    if not fits(price, lots) or abs(float(state.cash) + float(lots) * float(price)) > LARGEST_SUM:
        raise ValueError("equity is beyond int64: use a coarser tick or lot")
    worth: int = state.cash + lots * price
    return worth


@njit(cache=True, forceinline=True)  # a call would copy the state in and out: three times the price per bar
def step(state: State, bar: Bar, costs: Costs) -> tuple[State, BarFills]:
    """What a closed bar does to order and position. ValueError for a bar not later than the last one."""
    if bar.open_time <= state.clock:
        raise ValueError("this bar was stepped already: an order can only fill on a later one")
    position, order, cash = state.position, state.order, state.cash
    closed = _exit_at_open(position, bar, costs)
    if closed.lots == 0:
        closed = _exit_inside(position, bar, costs)
    if closed.lots != 0:
        cash, position = _settled(cash, closed), NO_POSITION
    opened, closed_again = NO_FILL, NO_FILL
    if state.position.lots == 0 or state.position.closing == 1:
        opened = _entry(order, bar, costs)
    if opened.lots != 0:
        cash = _settled(cash, opened)
        position = HeldPosition(opened.lots, opened.price, order.stop, order.target, order.hold_bars, 0)
        closed_again = _exit_after_entry(position, order, bar, costs)
        order = NO_ORDER
    if closed_again.lots != 0:
        cash, position = _settled(cash, closed_again), NO_POSITION
    after = State(bar.open_time, cash, _aged_order(order), _aged_position(position))
    return after, BarFills(closed, opened, closed_again)


@njit(cache=True)
def _settled(cash: int, fill: BarFill) -> int:
    if abs(float(cash) - float(fill.lots) * float(fill.price) - float(fill.fee)) > LARGEST_SUM:
        raise ValueError("cash is beyond int64: use a coarser tick or lot")
    return cash - fill.lots * fill.price - fill.fee


@njit(cache=True)
def _entry(order: EntryOrder, bar: Bar, costs: Costs) -> BarFill:
    if order.side == 0:
        return NO_FILL
    lots = order.side * order.lots
    if fills_at_open(order.kind, order.side, order.price, bar.open):
        slippage = 0 if order.kind == LIMIT else costs.slippage_ppm
        return filled(lots, bar.open, costs.taker_ppm, slippage, ENTRY, 0)
    if order.kind == STOP and beyond(extreme(bar, order.side), order.price, order.side):
        return filled(lots, order.price, costs.taker_ppm, costs.slippage_ppm, ENTRY, 0)
    if order.kind == LIMIT and beyond(extreme(bar, -order.side), order.price, -order.side):
        return filled(lots, order.price, costs.maker_ppm, 0, ENTRY, 0)
    return NO_FILL


@njit(cache=True)
def _exit_at_open(held: HeldPosition, bar: Bar, costs: Costs) -> BarFill:
    side = 1 if held.lots > 0 else -1
    if held.lots == 0:
        return NO_FILL
    if held.closing == 1:
        return filled(-held.lots, bar.open, costs.taker_ppm, costs.slippage_ppm, CLOSED, 0)
    if beyond(bar.open, held.stop, -side):
        return filled(-held.lots, bar.open, costs.taker_ppm, costs.slippage_ppm, STOPPED, 0)
    if beyond(bar.open, held.target, side):
        return filled(-held.lots, bar.open, costs.taker_ppm, 0, TARGET, 0)
    return NO_FILL


@njit(cache=True)
def _exit_inside(held: HeldPosition, bar: Bar, costs: Costs) -> BarFill:
    """Of a position that was held since the open."""
    if held.lots == 0:
        return NO_FILL
    side = 1 if held.lots > 0 else -1
    reaches_target = beyond(extreme(bar, side), held.target, side)
    if beyond(extreme(bar, -side), held.stop, -side):
        return _stopped(held, costs, 1 if reaches_target else 0)
    return _at_target(held, costs) if reaches_target else NO_FILL


@njit(cache=True)
def _exit_after_entry(held: HeldPosition, order: EntryOrder, bar: Bar, costs: Costs) -> BarFill:
    """The stop or target of a position that was opened in this very bar."""
    if fills_at_open(order.kind, order.side, order.price, bar.open):
        at_open = _exit_at_open(held, bar, costs)
        return at_open if at_open.lots != 0 else _exit_inside(held, bar, costs)
    side = order.side
    stop_reached = beyond(extreme(bar, -side), held.stop, -side)
    target_reached = beyond(extreme(bar, side), held.target, side)
    if order.kind == LIMIT:
        if stop_reached:  # further on the way that led to the entry: sure, unless the target came between
            return _stopped(held, costs, 1 if target_reached else 0)
        closes_there = target_reached and beyond(bar.close, held.target, side)
        return _at_target(held, costs) if closes_there else NO_FILL
    if stop_reached:  # perhaps before the entry, unless the bar closes there
        sure = beyond(bar.close, held.stop, -side) and not target_reached
        return _stopped(held, costs, 0 if sure else 1)
    return _at_target(held, costs) if target_reached else NO_FILL


@njit(cache=True)
def _stopped(held: HeldPosition, costs: Costs, ambiguous: int) -> BarFill:
    return filled(-held.lots, held.stop, costs.taker_ppm, costs.slippage_ppm, STOPPED, ambiguous)


@njit(cache=True)
def _at_target(held: HeldPosition, costs: Costs) -> BarFill:
    return filled(-held.lots, held.target, costs.maker_ppm, 0, TARGET, 0)


@njit(cache=True)
def _aged_order(order: EntryOrder) -> EntryOrder:
    if order.side == 0 or order.good_bars == 1:
        return NO_ORDER
    left = order.good_bars - 1 if order.good_bars > 0 else order.good_bars
    return EntryOrder(
        order.side, order.kind, order.price, order.lots, order.stop, order.target, left, order.hold_bars
    )


@njit(cache=True)
def _aged_position(held: HeldPosition) -> HeldPosition:
    if held.lots == 0:
        return NO_POSITION
    left = held.hold_bars - 1 if held.hold_bars > 0 else held.hold_bars
    closing = 1 if left == 0 else held.closing
    return HeldPosition(held.lots, held.price, held.stop, held.target, left, closing)
