"""What may be asked of a book between two bars: an order to wait, one to be withdrawn, the position to end.

The compiled forms answer a number; those for Python raise ValueError with the reason.
"""

from numba import njit

from signals.engine.fill.layout import (
    ALL,
    BORN,
    CLOSING,
    COST,
    COUNT,
    GOOD,
    GROUP,
    HEAD,
    HOLDS,
    ID,
    KIND,
    LOTS,
    NEXT_ID,
    ORDER_WIDTH,
    PRICE,
    REASON,
    REMAINING,
    SIDE,
    SLOTS,
    STATUS,
    STOP_AT,
    TARGET_AT,
    TOO_MANY,
    TRAIL,
    BookOrder,
    IntArray,
)
from signals.engine.fill.money import HIGHEST_FACTOR
from signals.engine.fill.orders import CLOSED, ENTRY, FOREVER, LIMIT, MARKET, STOP
from signals.engine.fill.rules import encloses, known_kind
from signals.engine.fill.settle import remove

BAD_SIDE, BAD_KIND, BAD_LOTS, BAD_PRICE, BAD_LEVELS, BAD_BARS, BAD_EXIT = -11, -12, -13, -14, -15, -16, -17
REFUSED = {
    **STATUS,
    BAD_SIDE: "an order needs side 1 or -1",
    BAD_KIND: "an order is of kind MARKET, LIMIT or STOP",
    BAD_LOTS: "an order needs at least one lot (an entry ALL that is free, an exit 0 for the whole position)",
    BAD_PRICE: "prices and levels are whole ticks from 0 (none) to 2**62; a limit or stop order needs one",
    BAD_LEVELS: "stop and target must stand on either side of the price, the stop where it loses",
    BAD_BARS: "good_bars and hold_bars are at least 1, or -1 for no limit",
    BAD_EXIT: "an exit needs a reason above ENTRY, and brings no exits of its own",
}


@njit(cache=True)
def add_order(  # noqa: PLR0913, PLR0917  (the columns of an order)
    row: IntArray,
    side: int,
    kind: int,
    price: int,
    lots: int,
    reason: int,
    good_bars: int,
    stop: int,
    target: int,
    trail: int,
    hold_bars: int,
    group: int,
) -> int:
    """Let an order wait for the bars after the row's clock: its number, or why it is refused (REFUSED)."""
    problem = _problem(side, kind, price, lots, reason, stop, target, trail)
    if problem < 0:
        return problem
    if not (good_bars >= 1 or good_bars == FOREVER) or not (hold_bars >= 1 or hold_bars == FOREVER):
        return BAD_BARS
    if row[COUNT] == SLOTS:
        return TOO_MANY
    at = HEAD + row[COUNT] * ORDER_WIDTH
    row[at + ID], row[at + KIND], row[at + SIDE], row[at + PRICE] = row[NEXT_ID], kind, side, price
    row[at + REMAINING], row[at + REASON], row[at + GOOD] = lots, reason, good_bars
    row[at + STOP_AT], row[at + TARGET_AT], row[at + TRAIL] = stop, target, trail
    row[at + HOLDS], row[at + GROUP], row[at + BORN] = hold_bars, group, 0
    row[COUNT] += 1
    row[NEXT_ID] += 1
    number: int = row[NEXT_ID] - 1
    return number


@njit(cache=True)
def _problem(  # noqa: PLR0911  (one answer for each thing that can be wrong)
    side: int, kind: int, price: int, lots: int, reason: int, stop: int, target: int, trail: int
) -> int:
    if side not in (1, -1):
        return BAD_SIDE
    if not known_kind(kind):
        return BAD_KIND
    if lots < 1 and not (lots == ALL and reason == ENTRY) and not (lots == 0 and reason != ENTRY):
        return BAD_LOTS
    if min(price, stop, target, trail) < 0 or max(price, stop, target, trail) > HIGHEST_FACTOR:
        return BAD_PRICE
    if kind != MARKET and price == 0:
        return BAD_PRICE
    if reason < ENTRY or (reason != ENTRY and (stop > 0 or target > 0)):
        return BAD_EXIT
    if not encloses(side, price, stop, target):
        return BAD_LEVELS
    return 0


@njit(cache=True)
def find_order(row: IntArray, order: int) -> int:
    """The slot of an order by its number, -1 where it does not wait."""
    for slot in range(row[COUNT]):
        if row[HEAD + slot * ORDER_WIDTH + ID] == order:
            return slot
    return -1


@njit(cache=True)
def withdraw_entries(row: IntArray) -> None:
    """Take out all entries that wait."""
    slot = 0
    while slot < row[COUNT]:
        if row[HEAD + slot * ORDER_WIDTH + REASON] == ENTRY:
            remove(row, slot)
        else:
            slot += 1


@njit(cache=True)
def move_exits_of(row: IntArray, stop: int, target: int) -> None:
    """Put all stops and all targets of the position at other prices (0: leave them), from the next bar on."""
    for slot in range(row[COUNT]):
        at = HEAD + slot * ORDER_WIDTH
        if row[at + REASON] == ENTRY:
            continue
        if row[at + KIND] == STOP and stop > 0:
            row[at + PRICE] = stop
        if row[at + KIND] == LIMIT and target > 0:
            row[at + PRICE] = target


@njit(cache=True)
def end_at_open(row: IntArray, reason: int) -> None:
    """Have the position ended at the next open, for that reason.

    Nothing where none is held, or it is to be ended already: its first reason stands, as on paper.
    """
    if row[LOTS] != 0 and row[CLOSING] == 0:
        row[CLOSING] = reason


def wait(row: IntArray, order: BookOrder) -> int:
    """Let an order wait for the bars after the row's clock; its number. ValueError says what is wrong with it."""
    number: int = add_order(
        row,
        order.side,
        order.kind,
        order.price,
        order.lots,
        order.reason,
        order.good_bars,
        order.stop,
        order.target,
        order.trail,
        order.hold_bars,
        order.group,
    )
    if number < 0:
        raise ValueError(REFUSED[number])
    return number


def withdraw(row: IntArray, order: int) -> None:
    """Take an order out. ValueError for a number that does not wait."""
    slot = find_order(row, order)
    if slot < 0:
        raise ValueError(f"order {order} does not wait here")
    remove(row, slot)


def end_position(row: IntArray, reason: int = CLOSED) -> None:
    """Have the position ended at the next open."""
    end_at_open(row, reason)


def average_price(row: IntArray, numerator: int, denominator: int) -> float:
    """Average entry price of the position in ticks; nan where nothing is held."""
    if row[LOTS] == 0:
        return float("nan")
    return float(row[COST]) * denominator / numerator / abs(int(row[LOTS]))
