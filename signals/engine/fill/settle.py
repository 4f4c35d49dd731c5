"""One fill of a book: price with slippage, fee, money, position, and the exits that an entry brings. Compiled.

All change the row in place and answer 0 or a negative status of `layout`.
"""

from math import ceil, sqrt

from numba import njit

from signals.engine.costs import MILLION, part_of
from signals.engine.fill.layout import (
    ALL,
    B_ATR,
    B_TIME,
    B_VOLUME,
    BELOW_MINIMUM,
    BEST,
    BORN,
    BUDGET,
    CASH,
    CLOSING,
    COST,
    COUNT,
    CUT,
    DOUBT,
    ENTERED_AT,
    EVENTS,
    F_AMBIGUOUS,
    F_FEE,
    F_FUNDING,
    F_LEFT,
    F_LOTS,
    F_ORDER,
    F_PRICE,
    F_REASON,
    F_REFUSAL,
    F_RISK,
    F_TIME,
    F_WORTH,
    FREE,
    FUNDING,
    GOOD,
    GROUP,
    HEAD,
    HOLD,
    HOLDS,
    ID,
    KIND,
    LESS_THAN_ONE_LOT,
    LIQUIDATION,
    LOTS,
    MOST_FILLS,
    NEXT_ID,
    NOT_REFUSED,
    ORDER_WIDTH,
    OVERFLOW,
    PRICE,
    REASON,
    REMAINING,
    SIDE,
    SLOTS,
    STOP_AT,
    TARGET_AT,
    TOO_MANY,
    TRAIL,
    UNLIMITED,
    WITHDRAWN,
    IntArray,
)
from signals.engine.fill.money import HIGHEST_FACTOR, TOO_LARGE, affordable, scaled, share, surely_pays, worth
from signals.engine.fill.orders import ENTRY, FOREVER, LIMIT, MARKET, STOP, STOPPED, TARGET, TRAILED
from signals.engine.fill.rules import LARGEST, LARGEST_SUM
from signals.engine.fill.terms import (
    T_DENOMINATOR,
    T_IMPACT,
    T_MAKER,
    T_MARGIN,
    T_MINIMUM,
    T_NUMERATOR,
    T_SLIPPAGE,
    T_TAKER,
    T_VOLATILITY,
)

HEAD_EXIT = -1  # in place of an order: the position itself is ended
AT_PRICE, AT_OPEN, SLIPS = (
    0,
    1,
    2,
)  # as maker at the limit; as taker of what the open offered; as taker, slipping


@njit(cache=True)
def event(  # noqa: PLR0913, PLR0917  (a row of a table)
    row: IntArray,
    fills: IntArray,
    order: int,
    time: int,
    lots: int,
    price: int,
    fee: int,
    reason: int,
    ambiguous: int,
    refusal: int,
    value: int,
    risk: int,
) -> int:
    number = row[EVENTS]
    if number >= MOST_FILLS:
        return TOO_MANY
    told = fills[number]
    told[F_ORDER], told[F_TIME], told[F_LOTS], told[F_PRICE], told[F_FEE] = order, time, lots, price, fee
    told[F_REASON], told[F_AMBIGUOUS], told[F_REFUSAL], told[F_WORTH] = reason, ambiguous, refusal, value
    told[F_LEFT], told[F_FUNDING], told[F_RISK] = row[LOTS], row[FUNDING], risk
    row[EVENTS] = number + 1
    return 0


@njit(cache=True)
def end_order(row: IntArray, fills: IntArray, slot: int, time: int, refusal: int) -> int:
    """Take an order out that was not filled, and tell why."""
    at = HEAD + slot * ORDER_WIDTH
    status = event(row, fills, row[at + ID], time, 0, row[at + PRICE], 0, row[at + REASON], 0, refusal, 0, 0)
    remove(row, slot)
    return status


@njit(cache=True)
def remove(row: IntArray, slot: int) -> None:
    first, last = HEAD + slot * ORDER_WIDTH, HEAD + (row[COUNT] - 1) * ORDER_WIDTH
    for place in range(first, last):
        row[place] = row[place + ORDER_WIDTH]
    for place in range(last, last + ORDER_WIDTH):
        row[place] = 0
    row[COUNT] -= 1


@njit(cache=True)
def worse(price: int, side: int, lots: int, bar: IntArray, terms: IntArray) -> int:
    """The price at which a market or stop order of `side` fills; every part of the slippage is rounded up.

    LARGEST, whose worth is TOO_LARGE, where int64 does not hold it.
    """
    slip = part_of(price, terms[T_SLIPPAGE])
    if terms[T_VOLATILITY] > 0:
        slip += part_of(bar[B_ATR], terms[T_VOLATILITY])
    if terms[T_IMPACT] > 0 and bar[B_VOLUME] > 0:
        part = sqrt(float(lots) / float(bar[B_VOLUME]))
        impact = float(price) * float(terms[T_IMPACT]) * part / MILLION
        slip = slip + ceil(impact) if impact < HIGHEST_FACTOR else LARGEST
    if slip < 0 or slip > HIGHEST_FACTOR:
        return LARGEST if side > 0 else 1
    paid: int = max(price + side * slip, 1)
    return paid


@njit(cache=True)
def paid_at(price: int, side: int, lots: int, how: int, bar: IntArray, terms: IntArray) -> int:
    return worse(price, side, lots, bar, terms) if how == SLIPS else price


@njit(cache=True)
def _payable(row: IntArray, at: int, price: int, how: int, bar: IntArray, terms: IntArray) -> tuple[int, int]:
    """What an entry would pay, and how many of its lots the account can pay for; OVERFLOW where it cannot tell."""
    side, asked = row[at + SIDE], row[at + REMAINING]
    paid = paid_at(price, side, max(asked, 1), how, bar, terms)
    if row[FREE] == UNLIMITED:
        return paid, asked if asked != ALL else OVERFLOW
    rate = terms[T_MARGIN] - MILLION + (terms[T_MAKER] if how == AT_PRICE else terms[T_TAKER])
    rate = max(rate, 1 - MILLION)
    if surely_pays(row[FREE], paid, asked, rate, terms[T_NUMERATOR], terms[T_DENOMINATOR]):
        return paid, asked
    most = affordable(row[FREE], paid, rate, terms[T_NUMERATOR], terms[T_DENOMINATOR])
    if asked == ALL and how == SLIPS and terms[T_IMPACT] > 0 and most > 0:
        paid = worse(price, side, most, bar, terms)
        most = affordable(row[FREE], paid, rate, terms[T_NUMERATOR], terms[T_DENOMINATOR])
    if most == TOO_LARGE:
        return paid, OVERFLOW
    return paid, most if asked == ALL else min(asked, most)


@njit(cache=True)
def fill_entry(
    row: IntArray, slot: int, price: int, how: int, born: int, bar: IntArray, terms: IntArray, fills: IntArray
) -> int:
    """Fill an entry at `price` as far as money and volume allow; refused below one lot or the minimum value."""
    at = HEAD + slot * ORDER_WIDTH
    paid, wanted = _payable(row, at, price, how, bar, terms)
    if wanted == OVERFLOW:
        return OVERFLOW
    if wanted < 1:
        return end_order(row, fills, slot, bar[B_TIME], LESS_THAN_ONE_LOT)
    numerator, denominator = terms[T_NUMERATOR], terms[T_DENOMINATOR]
    if terms[T_MINIMUM] > 0 and worth(paid, wanted, numerator, denominator, False) < terms[T_MINIMUM]:
        return end_order(row, fills, slot, bar[B_TIME], BELOW_MINIMUM)
    side, asked, lots = row[at + SIDE], row[at + REMAINING], min(wanted, row[BUDGET])
    value = worth(paid, lots, numerator, denominator, side > 0)
    if value == TOO_LARGE:
        return OVERFLOW
    fee = share(value, terms[T_MAKER] if how == AT_PRICE else terms[T_TAKER])
    if not _enter(row, at, lots, value, fee, paid, bar, terms):
        return OVERFLOW
    stop = row[at + STOP_AT]
    if stop == 0 and row[at + TRAIL] > 0:
        stop = max(paid - side * row[at + TRAIL], 1)
    risk = worth(abs(paid - stop), lots, numerator, denominator, True) if stop > 0 else 0
    refusal = CUT if asked != ALL and wanted < asked else NOT_REFUSED
    status = event(
        row, fills, row[at + ID], bar[B_TIME], side * lots, paid, fee, ENTRY, 0, refusal, value, risk
    )
    if status == 0:
        status = _bring_exits(row, at, stop, lots, born)
    row[at + REMAINING] = wanted - lots
    if wanted == lots:
        remove(row, slot)
    elif row[at + KIND] == STOP:  # triggered: the rest is a market order
        row[at + KIND] = MARKET
    return status


@njit(cache=True)
def _enter(
    row: IntArray, at: int, lots: int, value: int, fee: int, paid: int, bar: IntArray, terms: IntArray
) -> bool:
    """Money and position after an entry; False where int64 does not hold them."""
    side = row[at + SIDE]
    if abs(float(row[CASH]) - float(side) * float(value)) + abs(float(fee)) > LARGEST_SUM:
        return False
    if row[COST] > LARGEST - value:
        return False
    row[BUDGET] -= lots
    row[CASH] -= side * value + fee
    if row[FREE] != UNLIMITED:
        blocked = share(row[COST] + value, terms[T_MARGIN]) - share(row[COST], terms[T_MARGIN])
        row[FREE] -= blocked + fee
    if row[LOTS] == 0:
        row[ENTERED_AT], row[HOLD], row[CLOSING] = bar[B_TIME], row[at + HOLDS], 0
        row[BEST], row[DOUBT] = paid, 0
    row[COST] += value
    row[LOTS] += side * lots
    return True


@njit(cache=True)
def _bring_exits(row: IntArray, at: int, stop: int, lots: int, born: int) -> int:
    side, group, trail = row[at + SIDE], row[at + ID], row[at + TRAIL]
    status = 0
    if stop > 0:
        reason = TRAILED if trail > 0 else STOPPED
        status = _exit_of_group(row, group, STOP, -side, stop, lots, reason, trail, born)
    if status == 0 and row[at + TARGET_AT] > 0:
        status = _exit_of_group(row, group, LIMIT, -side, row[at + TARGET_AT], lots, TARGET, 0, born)
    return status


@njit(cache=True)
def _exit_of_group(  # noqa: PLR0913, PLR0917  (the columns of an order)
    row: IntArray,
    group: int,
    kind: int,
    side: int,
    price: int,
    lots: int,
    reason: int,
    trail: int,
    born: int,
) -> int:
    """One exit more, or the one that an earlier part of the same entry has brought grows."""
    for slot in range(row[COUNT]):
        at = HEAD + slot * ORDER_WIDTH
        if row[at + GROUP] == group and row[at + KIND] == kind and row[at + REASON] != ENTRY:
            row[at + REMAINING] += lots
            return 0
    if row[COUNT] == SLOTS:
        return TOO_MANY
    at = HEAD + row[COUNT] * ORDER_WIDTH
    row[at + ID], row[at + KIND], row[at + SIDE], row[at + PRICE] = row[NEXT_ID], kind, side, price
    row[at + REMAINING], row[at + REASON], row[at + GOOD] = lots, reason, FOREVER
    row[at + STOP_AT], row[at + TARGET_AT], row[at + TRAIL], row[at + HOLDS] = 0, 0, trail, FOREVER
    row[at + GROUP], row[at + BORN] = group, born
    row[NEXT_ID] += 1
    row[COUNT] += 1
    return 0


@njit(cache=True)
def fill_exit(  # noqa: PLR0913, PLR0917  (what a fill is made of)
    row: IntArray,
    slot: int,
    price: int,
    how: int,
    reason: int,
    ambiguous: int,
    bar: IntArray,
    terms: IntArray,
    fills: IntArray,
) -> int:
    """Reduce the position by an exit order, or end it (HEAD_EXIT), as far as the volume allows."""
    held, at = row[LOTS], HEAD + slot * ORDER_WIDTH
    asked = (
        abs(held) if slot == HEAD_EXIT or row[at + REMAINING] == 0 else min(row[at + REMAINING], abs(held))
    )
    lots, side = min(asked, row[BUDGET]), 1 if held > 0 else -1
    paid = paid_at(price, -side, lots, how, bar, terms)
    value = worth(paid, lots, terms[T_NUMERATOR], terms[T_DENOMINATOR], side < 0)
    part = row[COST] if lots == abs(held) else scaled(row[COST], lots, abs(held))
    if TOO_LARGE in (value, part):
        return OVERFLOW
    fee = share(value, terms[T_MAKER] if how == AT_PRICE else terms[T_TAKER])
    if abs(float(row[CASH]) + float(side) * float(value)) + abs(float(fee)) > LARGEST_SUM:
        return OVERFLOW
    row[BUDGET] -= lots
    row[CASH] += side * value - fee
    if row[FREE] != UNLIMITED:
        released = share(row[COST], terms[T_MARGIN]) - share(row[COST] - part, terms[T_MARGIN])
        row[FREE] += released + side * (value - part) - fee
    row[COST] -= part
    row[LOTS] -= side * lots
    order = 0 if slot == HEAD_EXIT else row[at + ID]
    doubt = 1 if ambiguous == 1 or row[DOUBT] == 1 else 0
    status = event(
        row, fills, order, bar[B_TIME], -side * lots, paid, fee, reason, doubt, NOT_REFUSED, value, 0
    )
    if row[LOTS] == 0:
        return status if status < 0 else _nothing_held(row, slot, bar, fills)
    if slot != HEAD_EXIT:
        _after_part(row, slot, lots, asked)
    return status


@njit(cache=True)
def _nothing_held(row: IntArray, filled: int, bar: IntArray, fills: IntArray) -> int:
    """The position is over: its exits go with it, told unless it was they who ended it."""
    if filled != HEAD_EXIT:
        remove(row, filled)
    status, slot = 0, 0
    while slot < row[COUNT] and status == 0:
        if row[HEAD + slot * ORDER_WIDTH + REASON] == ENTRY:
            slot += 1
        else:
            status = end_order(row, fills, slot, bar[B_TIME], WITHDRAWN)
    row[COST], row[ENTERED_AT], row[HOLD], row[CLOSING] = 0, 0, FOREVER, 0
    row[BEST], row[DOUBT], row[LIQUIDATION] = 0, 0, 0
    return status


@njit(cache=True)
def _after_part(row: IntArray, slot: int, lots: int, asked: int) -> None:
    """What is left of an exit that reduced the position, and of the others of its group."""
    at = HEAD + slot * ORDER_WIDTH
    group, triggered = row[at + GROUP], lots < asked
    if triggered:
        row[at + REMAINING] = row[at + REMAINING] - lots if row[at + REMAINING] > 0 else 0
        if row[at + KIND] == STOP:
            row[at + KIND] = MARKET
    else:
        remove(row, slot)
    if group == 0:
        return
    other = row[COUNT] - 1
    while other >= 0:
        place = HEAD + other * ORDER_WIDTH
        itself = triggered and other == slot
        if row[place + GROUP] == group and row[place + REASON] != ENTRY and not itself:
            row[place + REMAINING] -= lots
            if row[place + REMAINING] <= 0:
                remove(row, other)
                if other < slot:
                    slot -= 1
        other -= 1
