"""Several instruments on one cash account, bar by bar through the step. Compiled; `many_markets` calls it.

Time goes over all opens of all instruments. At each, every instrument that has a bar is stepped in their order,
from what the account has free then; the account is marked; then what was decided at these closes is asked for, in
the same order.
"""

import numpy as np
from numba import njit

from autopilot.engine.market_decision import D_EXIT, D_SIDE, decide, size_of
from autopilot.engine.tables import (
    A_ORDER,
    ASKED_WIDTH,
    EVENT_WIDTH,
    E,
)
from signals.engine.candle import FloatArray
from signals.engine.costs import MILLION
from signals.engine.fill.advance import advance
from signals.engine.fill.layout import (
    B_CLOSE,
    B_FUNDING,
    B_TIME,
    BOOK_WIDTH,
    CASH,
    CLOCK,
    DOUBT,
    F_AMBIGUOUS,
    FILL_WIDTH,
    FREE,
    FUNDING,
    HOLD,
    LIQUIDATION,
    LOTS,
    MOST_FILLS,
    NEXT_ID,
    IntArray,
)
from signals.engine.fill.money import UNITS
from signals.engine.fill.orders import FOREVER
from signals.engine.fill.terms import T_DENOMINATOR, T_MAINTENANCE, T_NUMERATOR
from signals.engine.fill.trailing import trail_stops

# Of managed exits, a row per bar: the average ranges at which a stop follows (0: none), and that bar's range in ticks.
M_TRAIL, M_RANGE = range(2)
# The plan of an instrument's newest entry: its order (0: none), the best close since, and the side.
P_ORDER, P_BEST, P_SIDE = range(3)


@njit(cache=True, nogil=True)
def run_markets(  # noqa: C901, PLR0913, PLR0917  (compiled)
    timeline: IntArray,
    bars: IntArray,
    first: IntArray,
    decisions: IntArray,
    managed: FloatArray,
    volatility: FloatArray,
    fixed_lots: IntArray,
    finer: IntArray,
    fine_range: IntArray,
    terms: IntArray,
    sizing: FloatArray,
    cash: int,
    equity: FloatArray,
) -> tuple[int, IntArray, IntArray, IntArray]:
    """Status (0, or negative), events, asked and the funding of each.

    bars of instrument i: rows first[i] to before first[i + 1].
    """
    instruments = len(terms)
    rows, worths = _new_books(terms)
    at = first[:-1].copy()
    closes = np.zeros(instruments, dtype=np.int64)
    plans, trails = np.zeros((instruments, 3), dtype=np.int64), np.zeros(instruments)
    told = np.zeros((MOST_FILLS, FILL_WIDTH), dtype=np.int64)
    kept = np.zeros(BOOK_WIDTH, dtype=np.int64)
    events, found = np.empty((1024, EVENT_WIDTH), dtype=np.int64), 0
    asked, orders = np.zeros((1024, ASKED_WIDTH), dtype=np.int64), 0
    free = cash
    now = np.zeros(instruments, dtype=np.bool_)
    for moment in range(len(timeline)):
        for which in range(instruments):
            here = at[which]
            now[which] = here < first[which + 1] and bars[here, B_TIME] == timeline[moment]
            if not now[which]:
                continue
            row = rows[which]
            row[FREE] = free
            if terms[which, T_MAINTENANCE] > 0 and row[LOTS] != 0:
                row[LIQUIDATION] = liquidation_level(rows, closes, worths, terms, which, cash)
            happened, found, events = _bar(
                row, bars[here], terms[which], told, kept, finer, fine_range[here], which, events, found
            )
            if happened < 0:
                return happened, events, asked, rows[:, FUNDING].copy()
            free = row[FREE]
            closes[which] = bars[here, B_CLOSE]
            if plans[which, P_ORDER] != 0:
                _follow(row, plans[which], trails[which], bars[here, B_CLOSE], managed[here, M_RANGE])
        worth_now = account_worth(rows, closes, worths, cash)
        equity[moment] = worth_now / UNITS
        for which in range(instruments):
            if not now[which]:
                continue
            here, close = at[which], closes[which]
            decision = decisions[here]
            at[which] += 1
            if decision[D_SIDE] == 0 and decision[D_EXIT] == 0:
                continue
            asked = _longer(asked) if orders == len(asked) else asked
            size = size_of(
                close, worths[which], decision, volatility[here], fixed_lots[which], sizing, worth_now
            )  # fmt: skip
            answer = decide(
                rows, closes, worths, terms, which, decision, size, sizing, worth_now, free, timeline[moment],
                asked[orders],
            )  # fmt: skip
            if answer < 0:
                return answer, events, asked, rows[:, FUNDING].copy()
            if answer == 1 and asked[orders, A_ORDER] != 0:
                trails[which] = managed[here, M_TRAIL]
                plans[which, P_ORDER] = asked[orders, A_ORDER] if trails[which] > 0 else 0
                plans[which, P_BEST], plans[which, P_SIDE] = close, decision[D_SIDE]
            orders += answer
    return 0, events[:found], asked[:orders], rows[:, FUNDING].copy()


@njit(cache=True)
def _new_books(terms: IntArray) -> tuple[IntArray, FloatArray]:
    """Of each instrument an empty book, and what one tick of one lot is worth."""
    rows = np.zeros((len(terms), BOOK_WIDTH), dtype=np.int64)
    rows[:, NEXT_ID], rows[:, HOLD], rows[:, CLOCK] = 1, FOREVER, -(2**62)
    return rows, terms[:, T_NUMERATOR] / terms[:, T_DENOMINATOR]


@njit(cache=True, nogil=True)
def _bar(  # noqa: PLR0913, PLR0917  (compiled)
    row: IntArray,
    bar: IntArray,
    terms: IntArray,
    told: IntArray,
    kept: IntArray,
    finer: IntArray,
    parts: IntArray,
    which: int,
    events: IntArray,
    found: int,
) -> tuple[int, int, IntArray]:
    """One bar of one instrument, through its parts where it leaves open what came first and they are known."""
    in_parts = parts[1] > parts[0]
    if in_parts:
        kept[:] = row
    happened = advance(row, bar, terms, told, 1)
    if in_parts and happened >= 0 and _open_question(kept, row, told, happened):
        row[:] = kept
        happened = 0
        for part in range(parts[0], parts[1]):
            found, events = _noted(told, happened, which, events, found)
            finer[part, B_FUNDING] = bar[B_FUNDING] if part == parts[0] else 0
            happened = advance(row, finer[part], terms, told, 1 if part == parts[1] - 1 else 0)
            if happened < 0:
                return happened, found, events
    if happened > 0:
        found, events = _noted(told, happened, which, events, found)
    return happened, found, events


@njit(cache=True, nogil=True)
def _follow(row: IntArray, plan: IntArray, trail_atr: float, close: int, average_range: float) -> None:
    """A managed stop follows this close, for the bars after it; the best close counts from the decision on."""
    plan[P_BEST] = max(plan[P_BEST], close) if plan[P_SIDE] > 0 else min(plan[P_BEST], close)
    trail_stops(row, plan[P_ORDER], plan[P_BEST], average_range, trail_atr)


@njit(cache=True, nogil=True)
def account_worth(rows: IntArray, closes: IntArray, worths: FloatArray, cash: int) -> float:
    """Units: cash and all positions at their last closes."""
    money = cash
    for which in range(len(rows)):
        money += rows[which, CASH]
    total = float(money)
    for which in range(len(rows)):
        if rows[which, LOTS] != 0:
            total += float(rows[which, LOTS]) * worths[which] * float(closes[which])
    return total


@njit(cache=True, nogil=True)
def liquidation_level(
    rows: IntArray, closes: IntArray, worths: FloatArray, terms: IntArray, which: int, cash: int
) -> int:
    """Price of `which` at which the account would hold less than its maintenance, the others staying where they are.

    0 where no price does that.
    """
    lots = rows[which, LOTS]
    others = account_worth(rows, closes, worths, cash) - float(lots) * worths[which] * float(closes[which])
    needed = 0.0
    for other in range(len(rows)):
        if other != which and rows[other, LOTS] != 0:
            held = abs(float(rows[other, LOTS])) * worths[other] * float(closes[other])
            needed += held * float(terms[other, T_MAINTENANCE]) / MILLION
    own = float(terms[which, T_MAINTENANCE]) / MILLION
    slope = worths[which] * (float(lots) - own * abs(float(lots)))
    level = (needed - others) / slope
    if lots > 0:
        return max(int(np.ceil(level)), 0)
    return max(int(np.floor(level)), 1)


@njit(cache=True, nogil=True)
def _open_question(kept: IntArray, row: IntArray, told: IntArray, happened: int) -> bool:
    """Whether this bar left open what came first, now and not before."""
    if row[DOUBT] == 1 and kept[DOUBT] == 0:
        return True
    if kept[DOUBT] == 1:
        return False
    ambiguous = False
    for number in range(happened):
        ambiguous |= told[number, F_AMBIGUOUS] == 1
    return ambiguous


@njit(cache=True, nogil=True)
def _noted(told: IntArray, happened: int, which: int, events: IntArray, found: int) -> tuple[int, IntArray]:
    for number in range(happened):
        if found == len(events):
            events = _longer(events)
        events[found, 0] = which
        events[found, E:] = told[number]
        found += 1
    return found, events


@njit(cache=True, nogil=True)
def _longer(table: IntArray) -> IntArray:
    longer = np.zeros((2 * len(table), table.shape[1]), dtype=np.int64)
    longer[: len(table)] = table
    return longer
