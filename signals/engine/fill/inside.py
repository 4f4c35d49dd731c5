"""Which order of a book fills next inside a bar, and whether another path could have led elsewhere. Compiled.

A bar tells its extremes, not their order. Orders that are met as the price goes against the position (stops, and
limit entries that add to it) come first, nearest to the open first; then those on its favourable side (targets, stop
entries). With optimistic terms the other way round. Exits that an entry brought inside this bar are `BORN` of a limit
or a stop order: after a limit entry only the close is surely later than the entry, after a stop entry the
favourable extreme is too.
"""

from numba import njit

from signals.engine.fill.layout import (
    B_CLOSE,
    B_HIGH,
    B_LOW,
    B_OPEN,
    BORN,
    COUNT,
    HEAD,
    KIND,
    LIQUIDATION,
    LOTS,
    ORDER_WIDTH,
    PRICE,
    REASON,
    SIDE,
    IntArray,
)
from signals.engine.fill.orders import ENTRY, LIMIT, STOP
from signals.engine.fill.rules import beyond
from signals.engine.fill.terms import T_OPTIMISTIC, T_THROUGH

BORN_OF_LIMIT, BORN_OF_STOP = 1, 2
NOTHING, LIQUIDATES = -1, -2


@njit(cache=True)
def reach(bar: IntArray, side: int) -> int:
    """The bar's high for a move up (positive side), its low for one down."""
    high_or_low: int = bar[B_HIGH] if side > 0 else bar[B_LOW]
    return high_or_low


@njit(cache=True)
def surest(bar: IntArray, side: int) -> int:
    """The close, but never outside the bar's extremes."""
    last: int = min(bar[B_CLOSE], bar[B_HIGH]) if side > 0 else max(bar[B_CLOSE], bar[B_LOW])
    return last


@njit(cache=True)
def touched(row: IntArray, at: int, bar: IntArray, terms: IntArray) -> bool:
    """Whether the bar's extreme meets this order, whoever came first."""
    side, price = row[at + SIDE], row[at + PRICE]
    if row[at + KIND] == STOP:
        return beyond(reach(bar, side), price, side)
    if row[at + KIND] == LIMIT:
        return beyond(reach(bar, -side), price - side * terms[T_THROUGH], -side)
    return False


@njit(cache=True)
def meets(row: IntArray, at: int, bar: IntArray, terms: IntArray) -> bool:
    """Whether this order is filled inside the bar, of what the terms take for sure."""
    entry, side = row[at + REASON] == ENTRY, row[at + SIDE]
    held = row[LOTS]
    if entry and held * side < 0:
        return False
    if not entry and held * side >= 0:
        return False
    if not touched(row, at, bar, terms):
        return False
    born, optimistic = row[at + BORN], terms[T_OPTIMISTIC] == 1
    if born == BORN_OF_LIMIT and row[at + KIND] == LIMIT and not optimistic:
        return beyond(surest(bar, -side), row[at + PRICE] - side * terms[T_THROUGH], -side)
    if born == BORN_OF_STOP and row[at + KIND] == STOP and optimistic:
        return beyond(surest(bar, side), row[at + PRICE], side)
    return True


@njit(cache=True)
def favourable(row: IntArray, at: int) -> bool:
    """Whether the order stands on the side towards which a position gains: its target, a stop entry."""
    return (row[at + KIND] == STOP) == (row[at + REASON] == ENTRY)


@njit(cache=True)
def next_inside(row: IntArray, bar: IntArray, terms: IntArray) -> int:
    """The slot that fills next, LIQUIDATES, or NOTHING."""
    found, found_class, found_distance = NOTHING, 2, 0
    favourable_first = terms[T_OPTIMISTIC]
    if row[LOTS] != 0 and row[LIQUIDATION] > 0:
        side = 1 if row[LOTS] > 0 else -1
        if beyond(reach(bar, -side), row[LIQUIDATION], -side):
            found, found_class = LIQUIDATES, favourable_first
            found_distance = abs(row[LIQUIDATION] - bar[B_OPEN])
    for slot in range(row[COUNT]):
        at = HEAD + slot * ORDER_WIDTH
        if not meets(row, at, bar, terms):
            continue
        order_class = 1 if favourable(row, at) != (favourable_first == 1) else 0
        distance = abs(row[at + PRICE] - bar[B_OPEN])
        if order_class < found_class or (order_class == found_class and distance < found_distance):
            found, found_class, found_distance = slot, order_class, distance
    return found


@njit(cache=True)
def doubtful(row: IntArray, slot: int, bar: IntArray, terms: IntArray) -> bool:
    """Whether another path through this bar might not have filled this order, or another one first."""
    at = HEAD + slot * ORDER_WIDTH
    entry = slot >= 0 and row[at + REASON] == ENTRY
    if slot >= 0 and row[at + KIND] == STOP and row[at + BORN] == BORN_OF_STOP:
        sure = beyond(surest(bar, row[at + SIDE]), row[at + PRICE], row[at + SIDE])
        if not sure:
            return True
    for other in range(row[COUNT]):
        place = HEAD + other * ORDER_WIDTH
        if other == slot or not touched(row, place, bar, terms):
            continue
        if row[place + REASON] != ENTRY and row[LOTS] * row[place + SIDE] >= 0:
            continue
        if slot < 0 or favourable(row, place) != favourable(row, at):
            return True
        if entry and row[LOTS] == 0 and row[place + SIDE] != row[at + SIDE]:
            return True
    return False
