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
from signals.engine.fill.advance import advance, passes_by
from signals.engine.fill.book import add_order, end_at_open
from signals.engine.fill.layout import (
    ALL,
    B_CLOSE,
    B_HIGH,
    B_LOW,
    B_OPEN,
    B_TIME,
    B_VOLUME,
    BAR_WIDTH,
    BEST,
    BOOK_WIDTH,
    CASH,
    CLOCK,
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
from signals.engine.fill.money import TOO_LARGE, UNITS, affordable, share, surely_pays, worth
from signals.engine.fill.orders import CLOSED, ENTRY, FOREVER, MARKET, UNKNOWN_VOLUME
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
STEPS = types.int64(TIMES, *[PRICES] * 5, *DECISIONS, *ACCOUNT, *WRITTEN)

WORD = 8  # rows that are looked at in one number
ROUNDS_TO_WHOLE = 6755399441055744.0  # 1.5 x 2**52: adding and taking it away rounds half to even


@njit(cache=True)
def nearest(price: float, ticks_per_price: float) -> float:
    """The nearest whole number of ticks, below 2**51."""
    return (price * ticks_per_price + ROUNDS_TO_WHOLE) - ROUNDS_TO_WHOLE


@njit(cache=True, nogil=True)
def mark(
    equity: FloatArray,
    closes: FloatArray,
    first: int,
    last: int,
    money: float,
    held: float,
    ticks_per_price: float,
) -> None:
    """Equity at closes through which cash, in units, and what one tick of the position is worth are the same."""
    for bar in range(first, last):
        equity[bar] = (money + held * nearest(closes[bar], ticks_per_price)) / UNITS


@njit(cache=True, nogil=True)
def decided_rows(entries: SignArray, exits: FlagArray, rows: IntArray) -> int:
    """Writes the rows that enter or exit; how many there are."""
    words = len(entries) // WORD
    enters = entries[: words * WORD].view(np.uint64)
    leaves = exits[: words * WORD].view(np.uint64)
    found = 0
    for word in range(words):
        if enters[word] | leaves[word]:
            for row in range(word * WORD, word * WORD + WORD):
                rows[found] = row  # kept where it counts
                found += (entries[row] != 0) | exits[row]
    for row in range(words * WORD, len(entries)):
        if entries[row] != 0 or exits[row]:
            rows[found] = row
            found += 1
    return found


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
    lots = quantity
    if not surely_pays(cash, paid, quantity, terms[T_TAKER], terms[T_NUMERATOR], terms[T_DENOMINATOR]):
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
    rows = np.empty(len(asked) + WORD, dtype=np.int64)
    decisions = decided_rows(entries, exits, rows)
    held, order, found, since = 0, 0, 0, 0
    for number in range(decisions):
        row = rows[number]
        entry, leaves = int(entries[row]), exits[row]
        side = 1 if held > 0 else -1 if held < 0 else 0
        leaves = held != 0 and (leaves or entry * side < 0)
        enters = entry != 0 and (leaves or entry != side)
        if enters:
            asked[order, A_ORDER], asked[order, A_TIME] = order + 1, times[row]
            asked[order, A_SIDE], asked[order, A_LOTS] = entry, quantity
            order += 1
        if row == bars - 1 or not (leaves or enters):
            continue
        mark(equity, closes, since, row + 1, float(cash), float(held) * worth_each, ticks_per_price)
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
    mark(equity, closes, since, bars, float(cash), float(held) * worth_each, ticks_per_price)
    counts[0], counts[1] = found, order
    return 0


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz", "reassoc"})
def highest(values: FloatArray, first: int, last: int, sign: float = 1.0) -> float:
    """The highest of sign x value; of finite values."""
    found = sign * values[first]
    for each in range(first + 1, last):
        found = max(found, sign * values[each])
    return found


@njit(cache=True, nogil=True)
def _ask(row: IntArray, entry: int, leaves: bool, quantity: int) -> int:  # noqa: FBT001  (compiled)
    """What a decision asks of the book: the number of the new order, 0 for none, or why it is refused."""
    held = row[LOTS]
    side = 1 if held > 0 else -1 if held < 0 else 0
    leaves = held != 0 and (leaves or entry * side < 0)
    if leaves:
        end_at_open(row, CLOSED)
    if entry == 0 or (entry == side and not leaves):
        return 0
    return add_order(row, entry, MARKET, 0, quantity, ENTRY, FOREVER, 0, 0, 0, FOREVER, 0)


@njit(cache=True, nogil=True)
def stand_by(
    row: IntArray,
    times: TimeArray,
    highs: FloatArray,
    lows: FloatArray,
    first: int,
    last: int,
    terms: IntArray,
    ticks_per_price: float,
) -> int:
    """Step the book by the bars from `first` to before `last` if all pass it by: how many that were, or none."""
    if times[first] <= row[CLOCK]:
        return 0
    best, held = row[BEST], row[LOTS]
    if held > 0:
        best = int(nearest(highest(highs, first, last), ticks_per_price))
    elif held < 0:
        best = int(nearest(-highest(lows, first, last, -1.0), ticks_per_price))
    return last - first if passes_by(row, times[last - 1], best, best, 0, terms) else 0


@njit(STEPS, cache=True, nogil=True)
def run_steps(  # noqa: PLR0913, PLR0917  (compiled)
    times: TimeArray,
    opens: FloatArray,
    highs: FloatArray,
    lows: FloatArray,
    closes: FloatArray,
    volumes: FloatArray,
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
    """The same through the general step. volumes: in lots; none where no rule asks for them."""
    bars, worth_each = len(times), terms[T_NUMERATOR] / terms[T_DENOMINATOR]
    row = np.zeros(BOOK_WIDTH, dtype=np.int64)
    row[CASH], row[FREE], row[NEXT_ID], row[HOLD] = cash, cash, 1, FOREVER
    row[CLOCK] = times[0] - 1 if bars else 0
    bar = np.zeros(BAR_WIDTH, dtype=np.int64)
    told = np.zeros((MOST_FILLS, FILL_WIDTH), dtype=np.int64)
    rows = np.empty(len(asked) + WORD, dtype=np.int64)
    decisions = decided_rows(entries, exits, rows)
    rows[decisions] = bars - 1
    found, order, each = 0, 0, 0
    for number in range(decisions + 1):
        until = rows[number] + 1
        while each < until:
            first = each
            each += stand_by(row, times, highs, lows, each, until, terms, ticks_per_price)
            if each == first:
                bar[B_TIME] = times[each]
                bar[B_OPEN] = int(nearest(opens[each], ticks_per_price))
                bar[B_HIGH] = int(nearest(highs[each], ticks_per_price))
                bar[B_LOW] = int(nearest(lows[each], ticks_per_price))
                bar[B_CLOSE] = int(nearest(closes[each], ticks_per_price))
                bar[B_VOLUME] = int(volumes[each]) if len(volumes) else UNKNOWN_VOLUME
                happened = advance(row, bar, terms, told, 1)
                if happened < 0:
                    return happened
                for filled in range(happened):
                    events[found, 0] = 0
                    for column in range(FILL_WIDTH):
                        events[found, E + column] = told[filled, column]
                    found += 1
                each += 1
            mark(
                equity, closes, first, each, float(row[CASH]), float(row[LOTS]) * worth_each, ticks_per_price
            )
        if number < decisions:
            entry = int(entries[until - 1])
            answer = _ask(row, entry, exits[until - 1], quantity)
            if answer < 0:
                return answer
            if answer > 0:
                asked[order, A_ORDER], asked[order, A_TIME] = answer, times[until - 1]
                asked[order, A_SIDE], asked[order, A_LOTS] = entry, quantity
                order += 1
    counts[0], counts[1], counts[2] = found, order, row[FUNDING]
    return 0
