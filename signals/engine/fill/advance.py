"""A closed bar on the book of one instrument: the step of the simulator and of the paper broker. Compiled.

`advance(row, bar, terms, fills, ages)` changes the row (`layout`) in place, writes what happened into `fills`
and answers how many events that were, or a negative status. First, at the open: what is due for funding and
borrowing; then exits, then entries, then the exits that those brought. Then inside the bar, in the order of `inside`.
Last, trailing stops follow, orders lapse, positions reach their time. `ages` 0: this is a part of a longer bar,
for which bars are not counted.
"""

from numba import njit

from signals.engine.costs import MILLION
from signals.engine.fill.inside import (
    BORN_OF_LIMIT,
    BORN_OF_STOP,
    LIQUIDATES,
    NOTHING,
    doubtful,
    next_inside,
    reach,
    surest,
    touched,
)
from signals.engine.fill.layout import (
    B_FUNDING,
    B_HIGH,
    B_LOW,
    B_OPEN,
    B_TIME,
    B_VOLUME,
    BEST,
    BORN,
    BUDGET,
    CASH,
    CLOCK,
    CLOSING,
    COUNT,
    DOUBT,
    EVENTS,
    FREE,
    FUNDING,
    GOOD,
    HEAD,
    HOLD,
    KIND,
    LAPSED,
    LIQUIDATION,
    LOTS,
    ORDER_WIDTH,
    OVERFLOW,
    PRICE,
    REASON,
    SIDE,
    STALE_BAR,
    TRAIL,
    UNLIMITED,
    IntArray,
)
from signals.engine.fill.money import TOO_LARGE, scaled, share, worth
from signals.engine.fill.orders import ENTRY, EXPIRED, LIMIT, LIQUIDATED, STOP
from signals.engine.fill.rules import LARGEST, beyond, fills_at_open
from signals.engine.fill.settle import (
    AT_OPEN,
    AT_PRICE,
    HEAD_EXIT,
    SLIPS,
    end_order,
    fill_entry,
    fill_exit,
)
from signals.engine.fill.terms import (
    T_BORROW,
    T_DENOMINATOR,
    T_MARGIN,
    T_NEEDS_VOLUME,
    T_NUMERATOR,
    T_SHARE,
)

BILLION = 10**9
DAY_MS = 86_400_000


@njit(cache=True)
def passes_by(row: IntArray, time: int, high: int, low: int, funding: int, terms: IntArray) -> bool:
    """The step of a later bar on which nothing waits, ends or is due: most bars of a plain backtest.

    False, and nothing changed, where it takes all of `advance`.
    """
    if time <= row[CLOCK] or row[COUNT] != 0:
        return False
    if row[LOTS] != 0:
        ends = row[CLOSING] != 0 or row[LIQUIDATION] != 0 or row[HOLD] > 0
        if ends or funding != 0 or terms[T_BORROW] != 0:
            return False
        row[BEST] = max(row[BEST], high) if row[LOTS] > 0 else min(row[BEST], low)
    row[CLOCK], row[BUDGET], row[EVENTS] = time, 0, 0
    return True


@njit(cache=True)
def advance(row: IntArray, bar: IntArray, terms: IntArray, fills: IntArray, ages: int) -> int:
    """One bar; the row is of no use any more after a negative answer."""
    if passes_by(row, bar[B_TIME], bar[B_HIGH], bar[B_LOW], bar[B_FUNDING], terms):
        return 0
    if bar[B_TIME] <= row[CLOCK]:
        return STALE_BAR
    row[EVENTS], row[BUDGET] = 0, _volume_left(bar, terms)
    status = _carry(row, bar, terms) if row[LOTS] != 0 else 0
    if status == 0:
        status = _at_open(row, bar, terms, fills)
    if status == 0 and row[COUNT] + row[LIQUIDATION] > 0:
        status = _inside(row, bar, terms, fills)
    if status == 0:
        status = _after(row, bar, terms, fills, ages)
    if status < 0:
        return status
    events: int = row[EVENTS]
    row[CLOCK], row[BUDGET], row[EVENTS] = bar[B_TIME], 0, 0
    return events


@njit(cache=True)
def _volume_left(bar: IntArray, terms: IntArray) -> int:
    volume = bar[B_VOLUME]
    if terms[T_NEEDS_VOLUME] == 1 and volume == 0:
        return 0
    if terms[T_SHARE] == 0 or volume < 0:
        return LARGEST
    allowed: int = scaled(volume, terms[T_SHARE], MILLION)
    return allowed


@njit(cache=True)
def _carry(row: IntArray, bar: IntArray, terms: IntArray) -> int:
    """Funding that falls due at this open, and borrowing since the last bar, on what the position is worth now."""
    rate, borrow = bar[B_FUNDING], terms[T_BORROW]
    if rate == 0 and borrow == 0:
        return 0
    held = row[LOTS]
    value = worth(bar[B_OPEN], abs(held), terms[T_NUMERATOR], terms[T_DENOMINATOR], True)
    if value == TOO_LARGE:
        return OVERFLOW
    due = 0
    if rate != 0:
        part = scaled(value, abs(rate), BILLION)
        pays = (rate > 0) == (held > 0)
        due += part + 1 if pays else -part
    if borrow > 0:
        borrowed = value if held < 0 else share(value, MILLION - terms[T_MARGIN])
        daily = scaled(borrowed, borrow, BILLION)
        due += scaled(daily, bar[B_TIME] - row[CLOCK], DAY_MS) + (1 if borrowed > 0 else 0)
    row[CASH] -= due
    row[FUNDING] += due
    if row[FREE] != UNLIMITED:
        row[FREE] -= due
    return 0


@njit(cache=True)
def _at_open(row: IntArray, bar: IntArray, terms: IntArray, fills: IntArray) -> int:
    status = _exits_at_open(row, bar, terms, fills)
    entered = False
    while status == 0 and row[BUDGET] > 0:
        slot = _entry_at_open(row, bar)
        if slot < 0:
            break
        how = AT_OPEN if row[HEAD + slot * ORDER_WIDTH + KIND] == LIMIT else SLIPS
        status = fill_entry(row, slot, bar[B_OPEN], how, 0, bar, terms, fills)
        entered = True
    if entered and status == 0:
        status = _exits_at_open(row, bar, terms, fills)
    return status


@njit(cache=True)
def _entry_at_open(row: IntArray, bar: IntArray) -> int:
    for slot in range(row[COUNT]):
        at = HEAD + slot * ORDER_WIDTH
        if row[at + REASON] != ENTRY or row[LOTS] * row[at + SIDE] < 0:
            continue
        if fills_at_open(row[at + KIND], row[at + SIDE], row[at + PRICE], bar[B_OPEN]):
            return slot
    return NOTHING


@njit(cache=True)
def _exits_at_open(row: IntArray, bar: IntArray, terms: IntArray, fills: IntArray) -> int:
    opened, status = bar[B_OPEN], 0
    while status == 0 and row[LOTS] != 0 and row[BUDGET] > 0:
        if row[CLOSING] != 0:
            status = fill_exit(row, HEAD_EXIT, opened, SLIPS, row[CLOSING], 0, bar, terms, fills)
            continue
        side = 1 if row[LOTS] > 0 else -1
        if beyond(opened, row[LIQUIDATION], -side):
            status = fill_exit(row, HEAD_EXIT, opened, SLIPS, LIQUIDATED, 0, bar, terms, fills)
            continue
        slot = NOTHING
        for each in range(row[COUNT]):
            at = HEAD + each * ORDER_WIDTH
            if row[at + REASON] == ENTRY or row[at + SIDE] == side:
                continue
            if fills_at_open(row[at + KIND], row[at + SIDE], row[at + PRICE], opened):
                slot = each
                break
        if slot < 0:
            break
        at = HEAD + slot * ORDER_WIDTH
        how = AT_OPEN if row[at + KIND] == LIMIT else SLIPS
        status = fill_exit(row, slot, opened, how, row[at + REASON], 0, bar, terms, fills)
    return status


@njit(cache=True)
def _inside(row: IntArray, bar: IntArray, terms: IntArray, fills: IntArray) -> int:
    status = 0
    while status == 0 and row[BUDGET] > 0:
        slot = next_inside(row, bar, terms)
        if slot == NOTHING:
            break
        doubt = 1 if doubtful(row, slot, bar, terms) else 0
        if slot == LIQUIDATES:
            level = row[LIQUIDATION]
            status = fill_exit(row, HEAD_EXIT, level, SLIPS, LIQUIDATED, doubt, bar, terms, fills)
            continue
        at = HEAD + slot * ORDER_WIDTH
        price, how = row[at + PRICE], AT_PRICE if row[at + KIND] == LIMIT else SLIPS
        if row[at + REASON] != ENTRY:
            status = fill_exit(row, slot, price, how, row[at + REASON], doubt, bar, terms, fills)
            continue
        born = BORN_OF_LIMIT if how == AT_PRICE else BORN_OF_STOP
        status = fill_entry(row, slot, price, how, born, bar, terms, fills)
        row[DOUBT] |= doubt
    return status


@njit(cache=True)
def _after(row: IntArray, bar: IntArray, terms: IntArray, fills: IntArray, ages: int) -> int:
    """Trailing stops follow, what was born in this bar is as old as the rest, bars are counted."""
    if row[LOTS] != 0:
        _follow_price(row, bar, terms)
    if ages == 0:
        return 0
    if row[HOLD] > 0 and row[LOTS] != 0:
        row[HOLD] -= 1
        if row[HOLD] == 0:
            row[CLOSING] = EXPIRED
    slot, status = 0, 0
    while slot < row[COUNT] and status == 0:
        good = HEAD + slot * ORDER_WIDTH + GOOD
        if row[good] == 1:
            status = end_order(row, fills, slot, bar[B_TIME], LAPSED)
            continue
        if row[good] > 0:
            row[good] -= 1
        slot += 1
    return status


@njit(cache=True)
def _follow_price(row: IntArray, bar: IntArray, terms: IntArray) -> None:
    side, entered_by_limit = 1 if row[LOTS] > 0 else -1, False
    for slot in range(row[COUNT]):
        at = HEAD + slot * ORDER_WIDTH
        if row[at + BORN] == BORN_OF_LIMIT:
            entered_by_limit = True
            if row[at + KIND] == LIMIT and touched(row, at, bar, terms):
                row[DOUBT] = 1  # the target may have been reached after the entry
    best = surest(bar, side) if entered_by_limit else reach(bar, side)
    row[BEST] = max(row[BEST], best) if side > 0 else min(row[BEST], best)
    for slot in range(row[COUNT]):
        at = HEAD + slot * ORDER_WIDTH
        row[at + BORN] = 0
        if row[at + REASON] == ENTRY or row[at + TRAIL] == 0 or row[at + KIND] != STOP:
            continue
        trailed = max(row[BEST] - side * row[at + TRAIL], 1)
        row[at + PRICE] = max(row[at + PRICE], trailed) if side > 0 else min(row[at + PRICE], trailed)
