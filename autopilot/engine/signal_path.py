"""Entries and exits as two columns, market orders, one position: the plain loop and the loop over the step.

Both write the same events and the same equity, bit for bit (tests/autopilot/engine/test_simulate_signals.py); the
plain one knows fixed fees and slippage only.
"""

import numpy as np
import numpy.typing as npt
from numba import njit, types

from autopilot.engine.tables import A_LOTS, A_ORDER, A_SIDE, A_TIME, E
from signals.engine.candle import FloatArray, TimeArray
from signals.engine.costs import slipped
from signals.engine.fill.advance import advance
from signals.engine.fill.book import add_order, end_at_open
from signals.engine.fill.layout import (
    ALL,
    B_OPEN,
    B_TIME,
    B_VOLUME,
    BAR_WIDTH,
    BOOK_WIDTH,
    CASH,
    CUT,
    F_FEE,
    F_LEFT,
    F_LOTS,
    F_ORDER,
    F_PRICE,
    F_REASON,
    F_REFUSAL,
    F_TIME,
    F_WORTH,
    FILL_WIDTH,
    FREE,
    FUNDING,
    HOLD,
    LESS_THAN_ONE_LOT,
    LOTS,
    MOST_FILLS,
    NEXT_ID,
    NOT_REFUSED,
    OVERFLOW,
    IntArray,
)
from signals.engine.fill.money import TOO_LARGE, UNITS, affordable, share, worth
from signals.engine.fill.orders import CLOSED, ENTRY, FOREVER, MARKET
from signals.engine.fill.rules import LARGEST_SUM
from signals.engine.fill.terms import T_DENOMINATOR, T_NUMERATOR, T_SLIPPAGE, T_TAKER

SignArray = npt.NDArray[np.int8]
FlagArray = npt.NDArray[np.bool_]

# Candles are read-only; a number of another width is refused rather than compiled anew.
TIMES, PRICES = (types.Array(each, 1, "C", readonly=True) for each in (types.int64, types.float64))
DECISIONS = (
    types.Array(types.int8, 1, "C", readonly=True),
    types.Array(types.boolean, 1, "C", readonly=True),
)
WRITTEN = (types.float64[::1], types.int64[:, ::1], types.int64[:, ::1], types.int64[::1])
ACCOUNT = (types.int64, types.int64, types.float64, types.int64[::1])
PLAIN = types.int64(TIMES, PRICES, PRICES, *DECISIONS, *ACCOUNT, *WRITTEN)
STEPS = types.int64(TIMES, types.float64[:, ::1], *DECISIONS, *ACCOUNT, *WRITTEN)

ROUNDS_TO_WHOLE = 6755399441055744.0  # 1.5 x 2**52: adding and taking it away rounds half to even


@njit(cache=True)
def nearest(price: float, ticks_per_price: float) -> float:
    """The nearest whole number of ticks, below 2**51."""
    return (price * ticks_per_price + ROUNDS_TO_WHOLE) - ROUNDS_TO_WHOLE


@njit(cache=True)
def mark(
    equity: FloatArray,
    closes: FloatArray,
    first: int,
    last: int,
    cash: int,
    lots: int,
    ticks_per_price: float,
    worth_each: float,
) -> None:
    """Equity of the bars from `first` to before `last`, through which cash and lots are the same."""
    held, money = float(lots) * worth_each, float(cash)
    if lots == 0:
        equity[first:last] = money / UNITS
        return
    for bar in range(first, last):
        equity[bar] = (money + held * nearest(closes[bar], ticks_per_price)) / UNITS


@njit(cache=True)
def leave_at_open(
    events: IntArray, found: int, time: int, opened: int, held: int, cash: int, terms: IntArray
) -> int:
    side = 1 if held > 0 else -1
    paid = slipped(opened, -side, terms[T_SLIPPAGE])
    value = worth(paid, abs(held), terms[T_NUMERATOR], terms[T_DENOMINATOR], side < 0)
    if value == TOO_LARGE:
        return TOO_LARGE
    fee = share(value, terms[T_TAKER])
    if abs(float(cash) + float(side) * float(value)) + float(fee) > LARGEST_SUM:
        return TOO_LARGE
    event = events[found]
    event[:] = 0
    event[E + F_TIME], event[E + F_LOTS], event[E + F_PRICE] = time, -held, paid
    event[E + F_FEE], event[E + F_REASON], event[E + F_WORTH] = fee, CLOSED, value
    return cash + side * value - fee


@njit(cache=True)
def enter_at_open(  # noqa: PLR0913, PLR0917  (compiled)
    events: IntArray,
    found: int,
    time: int,
    opened: int,
    side: int,
    order: int,
    quantity: int,
    cash: int,
    terms: IntArray,
) -> int:
    paid = slipped(opened, side, terms[T_SLIPPAGE])
    most = affordable(cash, paid, terms[T_TAKER], terms[T_NUMERATOR], terms[T_DENOMINATOR])
    if most == TOO_LARGE:
        return TOO_LARGE
    lots = most if quantity == ALL else min(most, quantity)
    event = events[found]
    event[:] = 0
    event[E + F_ORDER], event[E + F_TIME] = order, time
    if lots < 1:
        event[E + F_REFUSAL] = LESS_THAN_ONE_LOT
        return cash
    value = worth(paid, lots, terms[T_NUMERATOR], terms[T_DENOMINATOR], side > 0)
    if value == TOO_LARGE:
        return TOO_LARGE
    fee = share(value, terms[T_TAKER])
    if abs(float(cash) - float(side) * float(value)) + float(fee) > LARGEST_SUM:
        return TOO_LARGE
    event[E + F_LOTS], event[E + F_PRICE], event[E + F_FEE] = side * lots, paid, fee
    event[E + F_REASON], event[E + F_WORTH], event[E + F_LEFT] = ENTRY, value, side * lots
    event[E + F_REFUSAL] = CUT if quantity != ALL and lots < quantity else NOT_REFUSED
    return cash - side * value - fee


@njit(PLAIN, cache=True, nogil=True)
def run_plain(  # noqa: PLR0913, PLR0917  (one loop, compiled; its parts are called from it)
    times: TimeArray,
    opens: FloatArray,
    closes: FloatArray,
    entries: SignArray,
    exits: FlagArray,
    cash: int,
    quantity: int,
    ticks_per_price: float,
    terms: IntArray,
    equity: FloatArray,
    events: IntArray,
    asked: IntArray,
    counts: IntArray,
) -> int:
    """Events and asked are written up to counts[0] and counts[1]; 0 or a negative status."""
    bars = len(times)
    worth_each = terms[T_NUMERATOR] / terms[T_DENOMINATOR]
    held, order, found, since = 0, 0, 0, 0
    for row in range(bars):
        entry, leaves = int(entries[row]), exits[row]
        if entry == 0 and not leaves:
            continue
        side = 1 if held > 0 else -1 if held < 0 else 0
        leaves = held != 0 and (leaves or entry * side < 0)
        enters = entry != 0 and (leaves or entry != side)
        if enters:
            asked[order, A_ORDER], asked[order, A_TIME] = order + 1, times[row]
            asked[order, A_SIDE], asked[order, A_LOTS] = entry, quantity
            order += 1
        if row == bars - 1 or not (leaves or enters):
            continue
        mark(equity, closes, since, row + 1, cash, held, ticks_per_price, worth_each)
        since = row + 1
        opened = int(nearest(opens[row + 1], ticks_per_price))
        if leaves:
            cash = leave_at_open(events, found, times[row + 1], opened, held, cash, terms)
            if cash == TOO_LARGE:
                return OVERFLOW
            held = 0
            found += 1
        if enters:
            before = cash
            cash = enter_at_open(events, found, times[row + 1], opened, entry, order, quantity, cash, terms)
            if cash == TOO_LARGE:
                return OVERFLOW
            held = events[found, E + F_LEFT]
            found += 1
            if held == 0:
                cash = before
    mark(equity, closes, since, bars, cash, held, ticks_per_price, worth_each)
    counts[0], counts[1] = found, order
    return 0


@njit(STEPS, cache=True, nogil=True)
def run_steps(  # noqa: PLR0913, PLR0917  (compiled)
    times: TimeArray,
    prices: FloatArray,
    entries: SignArray,
    exits: FlagArray,
    cash: int,
    quantity: int,
    ticks_per_price: float,
    terms: IntArray,
    equity: FloatArray,
    events: IntArray,
    asked: IntArray,
    counts: IntArray,
) -> int:
    """The same through `advance`. prices: rows open, high, low, close, and volume in lots (unknown below 0)."""
    worth_each = terms[T_NUMERATOR] / terms[T_DENOMINATOR]
    row = np.zeros(BOOK_WIDTH, dtype=np.int64)
    row[CASH], row[FREE], row[NEXT_ID], row[HOLD] = cash, cash, 1, FOREVER
    bar = np.zeros(BAR_WIDTH, dtype=np.int64)
    told = np.zeros((MOST_FILLS, FILL_WIDTH), dtype=np.int64)
    found, order = 0, 0
    row[0] = times[0] - 1 if len(times) else 0
    for each in range(len(times)):
        bar[B_TIME] = times[each]
        for column in range(4):
            bar[B_OPEN + column] = int(nearest(prices[column, each], ticks_per_price))
        bar[B_VOLUME] = int(prices[4, each])
        happened = advance(row, bar, terms, told, 1)
        if happened < 0:
            return happened
        for number in range(happened):
            events[found, 0] = 0
            for column in range(FILL_WIDTH):
                events[found, E + column] = told[number, column]
            found += 1
        held = row[LOTS]
        equity[each] = (
            (float(row[CASH]) + float(held) * worth_each * nearest(prices[3, each], ticks_per_price)) / UNITS
            if held != 0
            else float(row[CASH]) / UNITS
        )
        entry, side = int(entries[each]), 1 if held > 0 else -1 if held < 0 else 0
        leaves = held != 0 and (exits[each] or entry * side < 0)
        if leaves:
            end_at_open(row, CLOSED)
        if entry != 0 and (leaves or entry != side):
            number = add_order(row, entry, MARKET, 0, quantity, ENTRY, FOREVER, 0, 0, 0, FOREVER, 0)
            if number < 0:
                return number
            asked[order, A_ORDER], asked[order, A_TIME] = number, times[each]
            asked[order, A_SIDE], asked[order, A_LOTS] = entry, quantity
            order += 1
    counts[0], counts[1], counts[2] = found, order, row[FUNDING]
    return 0
