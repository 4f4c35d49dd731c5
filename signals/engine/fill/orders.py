"""The words of the fill code: sides, kinds and reasons as small whole numbers, and what a bar, an order and a fill are.

Compiled code takes the tuples; prices are ticks, quantities lots, times UTC milliseconds.
"""

from typing import NamedTuple

BUY, SELL = 1, -1
MARKET, LIMIT, STOP = 0, 1, 2
ENTRY, STOPPED, TARGET, CLOSED, TRAILED, EXPIRED, LIQUIDATED, OPEN = 0, 1, 2, 3, 4, 5, 6, 7
FOREVER = -1
BEYOND = 2**62
UNKNOWN_VOLUME = -1


class Bar(NamedTuple):
    """A closed bar: open time in UTC ms, prices in ticks, volume in lots (UNKNOWN_VOLUME where nobody told)."""

    open_time: int
    open: int
    high: int
    low: int
    close: int
    volume: int = UNKNOWN_VOLUME


class EntryOrder(NamedTuple):
    """An entry that waits. `side` 0 is no order; `stop` and `target` 0 are none; FOREVER is no limit.

    `price` of a market order is 0, or what its levels were drawn around.
    """

    side: int
    kind: int
    price: int
    lots: int
    stop: int
    target: int
    good_bars: int
    hold_bars: int


class HeldPosition(NamedTuple):
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
    order: EntryOrder
    position: HeldPosition


class BarFill(NamedTuple):
    """`lots` signed by side (0 is no fill), `reason` ENTRY, STOPPED, TARGET or CLOSED.

    `ambiguous` 1: this exit, and another path of the price through the same bar would have ended otherwise.
    """

    lots: int
    price: int
    fee: int
    reason: int
    ambiguous: int


class BarFills(NamedTuple):
    """What one bar can fill at most: the old position closed, a new one opened, and that one closed."""

    closed: BarFill
    opened: BarFill
    closed_again: BarFill


NO_ORDER = EntryOrder(0, MARKET, 0, 0, 0, 0, FOREVER, FOREVER)
NO_POSITION = HeldPosition(0, 0, 0, 0, FOREVER, 0)
NO_FILL = BarFill(0, 0, 0, ENTRY, 0)
