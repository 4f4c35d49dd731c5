"""The flat form of an instrument's book: int64 columns that live in arrays, rows and compiled loops.

A book is one row of BOOK_WIDTH numbers: a head (clock, money, position) and SLOTS orders of ORDER_WIDTH numbers
each, of which the first `COUNT` are alive. `pack` and `unpack` translate it to and from words. Money is in
1e-8 of the quote currency, prices in ticks, quantities in lots, times in UTC ms.

Head:
  CLOCK       open time of the last bar that was stepped
  CASH        what this book paid and received so far, fees, funding and borrowing included
  FREE        what entries may still use, set by the account before a step and kept up by the step
  LIQUIDATION price at which the account can no longer carry the position, 0 for none; set by the account
  NEXT_ID     number of the next order
  COUNT       orders alive
  LOTS        position, signed
  COST        what its lots were worth when they were entered: average entry price x lots
  ENTERED_AT  open time of the bar of the first entry
  HOLD        bars left until it is closed at an open, FOREVER for no limit
  CLOSING     reason for which the next open ends it, 0 for none
  BEST        most favourable price since the entry, for trailing stops
  DOUBT       1 once another path of the price could have led elsewhere
  FUNDING     funding and borrowing paid so far (negative: received), of all positions
  BUDGET, EVENTS  what the bar's volume still allows, and events told: of use inside a step only

Order:
  ID, KIND (MARKET, LIMIT, STOP), SIDE, PRICE, REMAINING (lots; ALL for an entry of all that is free; 0 for an exit
  of the whole position), REASON (ENTRY, or why an exit ends a position), GOOD (bars left, FOREVER),
  STOP_AT, TARGET_AT (levels of the exits that an entry brings with it, 0 for none), TRAIL (distance in ticks of
  a trailing stop: of the exit that an entry brings, or of this exit), HOLDS (hold_bars of an entry),
  GROUP (the entry whose exit this is, 0 for none: the exits of one group end each other), BORN (inside this
  bar; always 0 between steps).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from signals.engine.fill.orders import ENTRY, FOREVER, MARKET

IntArray = npt.NDArray[np.int64]

SLOTS = 32
CLOCK, CASH, FREE, LIQUIDATION, NEXT_ID, COUNT = 0, 1, 2, 3, 4, 5
LOTS, COST, ENTERED_AT, HOLD, CLOSING, BEST, DOUBT, FUNDING, BUDGET, EVENTS = (
    6,
    7,
    8,
    9,
    10,
    11,
    12,
    13,
    14,
    15,
)
HEAD = 16
ID, KIND, SIDE, PRICE, REMAINING, REASON, GOOD, STOP_AT, TARGET_AT, TRAIL, HOLDS, GROUP, BORN = range(13)
ORDER_WIDTH = 13
BOOK_WIDTH = HEAD + SLOTS * ORDER_WIDTH
ALL = -1

# A bar of a batch. Volume in lots (UNKNOWN_VOLUME: nobody told); the average true range in ticks that was known
# before the bar (0: none); funding that falls due when it opens, in 1e-9 of the position's worth.
B_TIME, B_OPEN, B_HIGH, B_LOW, B_CLOSE, B_VOLUME, B_ATR, B_FUNDING = range(8)
BAR_WIDTH = 8

# An event of a step. F_LOTS signed, 0 where an order ended without a fill (F_REFUSAL says why). F_LEFT: the position
# after it. F_FUNDING: the head's FUNDING then. F_RISK: what the lots of an entry lose at their stop, in units.
(
    F_ORDER,
    F_TIME,
    F_LOTS,
    F_PRICE,
    F_FEE,
    F_REASON,
    F_AMBIGUOUS,
    F_REFUSAL,
    F_WORTH,
    F_LEFT,
    F_FUNDING,
    F_RISK,
) = range(12)
FILL_WIDTH = 12
MOST_FILLS = 4 * SLOTS
UNLIMITED = 2**62  # FREE of a book whose account is not asked

# Why an order ended without a fill, or filled less than was asked for.
(
    NOT_REFUSED,
    LESS_THAN_ONE_LOT,
    BELOW_MINIMUM,
    LAPSED,
    NO_ROOM,
    WITHDRAWN,
    CUT,
    LIMITED,
    CANNOT_SHORT,
    NO_FUNDS,
) = range(10)

# What a step may answer instead of the number of its events; the row is then of no use any more.
STALE_BAR, OVERFLOW, TOO_MANY = -1, -2, -3
STATUS = {
    STALE_BAR: "this bar was stepped already: an order can only fill on a later one",
    OVERFLOW: "ticks x lots or money are beyond int64: use a coarser tick or lot",
    TOO_MANY: f"a book has room for {SLOTS} orders",
}


@dataclass(frozen=True, slots=True)
class BookOrder:
    """A waiting order in words; the module tells what the numbers mean. `reason` ENTRY makes it an entry."""

    side: int
    kind: int = MARKET
    price: int = 0
    lots: int = 0
    reason: int = ENTRY
    good_bars: int = FOREVER
    stop: int = 0
    target: int = 0
    trail: int = 0
    hold_bars: int = FOREVER
    group: int = 0
    order_id: int = 0


@dataclass(frozen=True, slots=True)
class Book:
    """A book in words: the head's numbers by name, and the orders alive, oldest first."""

    clock: int
    cash: int = 0
    free: int = 0
    liquidation: int = 0
    next_id: int = 1
    lots: int = 0
    cost: int = 0
    entered_at: int = 0
    hold_bars: int = FOREVER
    closing: int = 0
    best: int = 0
    doubt: int = 0
    funding: int = 0
    orders: Sequence[BookOrder] = field(default=())


_HEAD = {
    "clock": CLOCK,
    "cash": CASH,
    "free": FREE,
    "liquidation": LIQUIDATION,
    "next_id": NEXT_ID,
    "lots": LOTS,
    "cost": COST,
    "entered_at": ENTERED_AT,
    "hold_bars": HOLD,
    "closing": CLOSING,
    "best": BEST,
    "doubt": DOUBT,
    "funding": FUNDING,
}
_ORDER = {
    "side": SIDE,
    "kind": KIND,
    "price": PRICE,
    "lots": REMAINING,
    "reason": REASON,
    "good_bars": GOOD,
    "stop": STOP_AT,
    "target": TARGET_AT,
    "trail": TRAIL,
    "hold_bars": HOLDS,
    "group": GROUP,
    "order_id": ID,
}


def pack(book: Book) -> IntArray:
    """The row of a book. ValueError for more orders than SLOTS."""
    if len(book.orders) > SLOTS:
        raise ValueError(STATUS[TOO_MANY])
    row = np.zeros(BOOK_WIDTH, dtype=np.int64)
    for name, place in _HEAD.items():
        row[place] = getattr(book, name)
    row[COUNT] = len(book.orders)
    for number, order in enumerate(book.orders):
        for name, place in _ORDER.items():
            row[HEAD + number * ORDER_WIDTH + place] = getattr(order, name)
    return row


def unpack(row: IntArray) -> Book:
    """The book of a row; `pack` of it gives the same row."""
    orders = []
    for number in range(int(row[COUNT])):
        slot = row[HEAD + number * ORDER_WIDTH :]
        orders.append(BookOrder(**{name: int(slot[place]) for name, place in _ORDER.items()}))
    head: dict[str, Any] = {name: int(row[place]) for name, place in _HEAD.items()}
    return Book(**head, orders=tuple(orders))


def new_row(clock: int, *, cash: int = 0, free: int = 0) -> IntArray:
    """Nothing held, nothing ordered; bars later than `clock` (UTC ms) may be stepped."""
    return pack(Book(clock, cash=cash, free=free))
