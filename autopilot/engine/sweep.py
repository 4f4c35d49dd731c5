"""Thousands of crossings of two indicators over one instrument: what each would have ended with.

Indicators are computed once and shared between the pairs, and so is what a fixed quantity costs and brings at opens.
Many bars are compared at once; only those at which one indicator crosses the other are looked at one by one, by the
arithmetic of the plain loop. The winners' trades and equity come from `run_signals`.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from numba import njit, types

from autopilot.engine.signal_path import TIMES, enter_at_open, leave_at_open
from autopilot.engine.signal_simulation import check_prices, default_grid
from autopilot.engine.tables import EVENT_WIDTH, E, Scale
from signals.engine.candle import OHLCV, FloatArray, TimeArray
from signals.engine.costs import NO_COSTS, CostRates, slipped
from signals.engine.fill import Grid
from signals.engine.fill.book import REFUSED
from signals.engine.fill.layout import ALL, F_LEFT, OVERFLOW, IntArray
from signals.engine.fill.money import (
    HIGHEST_PRODUCT,
    HIGHEST_QUOTIENT,
    TOO_LARGE,
    UNITS,
    in_units,
    share,
    worth,
)
from signals.engine.fill.terms import PLAIN_RULES, T_DENOMINATOR, T_NUMERATOR, T_SLIPPAGE, T_TAKER, terms_row

THREADS = 2
TILE = 1_024  # bars of all the pairs before the next bars: a tile of the indicators stays in the fast cache
WORD = 8  # bars that are looked at in one number
PLACES = np.uint64(
    sum(place << (61 - 8 * place) for place in range(8))
)  # of the only byte of a number that is set
PLAIN_SUM = 4 * 10**18  # two of them are still below 2**63

ByteArray = npt.NDArray[np.uint8]
WordArray = npt.NDArray[np.uint64]
COLUMNS = types.Array(types.float64, 2, "C", readonly=True)
PAIRS = types.Array(types.int64, 2, "C", readonly=True)
TICKS = types.Array(types.int64, 1, "C", readonly=True)
PER_OPEN = types.int64[:, ::1]
SWEEP = types.int64(
    TIMES,
    TICKS,
    COLUMNS,
    PER_OPEN,
    PAIRS,
    types.int64,
    types.int64,
    types.int64[::1],
    types.int64[:, ::1],
)
MONEY, HELD, ABOVE, TRADES = range(4)  # the columns of a pair's state


@dataclass(frozen=True, slots=True)
class Sweep:
    """One row per pair. final_equity: float64, marked at the last close. trades: int64, entries that filled."""

    final_equity: FloatArray
    trades: npt.NDArray[np.int64]


def sweep_crossings(
    candles: OHLCV,
    indicators: npt.ArrayLike,
    pairs: Sequence[tuple[int, int]] | npt.ArrayLike,
    *,
    cash: Decimal = Decimal(10_000),
    quantity: Decimal | None = None,
    rates: CostRates = NO_COSTS,
    grid: Grid | None = None,
) -> Sweep:
    """Long while the first indicator of a pair stands above the second, decided at closes, filled at the next open.

    indicators: float64 (m, len(candles)); NaN stands above nothing, and what follows it has not crossed. pairs: (p, 2)
    rows of indicators. quantity: units of the base, None: all that the cash pays for. Each pair begins with `cash` and
    equals `simulate_signals` with an entry at each crossing upwards and an exit at each downwards. After the last bar
    nothing opens.
    ValueError for shapes that do not fit, a pair that names no row, rates that are not fixed, and money beyond int64.
    """
    columns = np.ascontiguousarray(indicators, dtype=np.float64)
    chosen = np.ascontiguousarray(pairs, dtype=np.int64).reshape(-1, 2)
    if columns.ndim != 2 or columns.shape[1] != len(candles):
        raise ValueError(f"indicators must be (m, {len(candles)}), their shape is {columns.shape}")
    if len(chosen) and (chosen.min() < 0 or chosen.max() >= len(columns)):
        raise ValueError(f"a pair names a row beyond the {len(columns)} indicators")
    if rates.volatility_bps or rates.impact_bps or rates.borrow_bps:
        raise ValueError("a sweep knows fixed fees and slippage only; use simulate for the others")
    start = in_units(cash)
    if start < 1:
        raise ValueError(f"cash is {cash}; it must be at least 1e-8")
    used = grid or default_grid(candles, cash)
    scale = Scale.of(used)
    if len(candles):
        check_prices(candles, scale)
    lots = ALL if quantity is None else used.lots(quantity)
    terms = terms_row(used, rates, PLAIN_RULES)
    opens = np.rint(candles.open * scale.ticks_per_price).astype(np.int64)
    states = np.zeros((len(chosen), 4), dtype=np.int64)
    states[:, MONEY] = start

    at_opens, reach = costs_at_opens(opens, lots, terms), _reach(opens, terms)

    def run(rows: slice) -> int:
        shared = (candles.open_time, opens, columns, at_opens)
        return int(_sweep(*shared, chosen[rows], lots, reach, terms, states[rows]))

    with ThreadPoolExecutor(THREADS) as pool:
        statuses = list(pool.map(run, _parts(len(chosen))))
    if min(statuses) < 0:
        raise ValueError(REFUSED[min(statuses)])
    last = float(np.rint(candles.close[-1] * scale.ticks_per_price)) if len(candles) else 0.0
    held = states[:, HELD] * (terms[T_NUMERATOR] / terms[T_DENOMINATOR])
    return Sweep((states[:, MONEY] + held * last) / UNITS, states[:, TRADES].copy())


def _parts(rows: int) -> list[slice]:
    return [slice(first, last) for first, last in pairwise(np.linspace(0, rows, THREADS + 1).astype(int))]


@njit(cache=True, nogil=True)
def costs_at_opens(opens: IntArray, quantity: int, terms: IntArray) -> IntArray:
    """What `quantity` lots cost and bring at each open, fees included; -1 where the plain loop has to say it."""
    found = np.full((2, len(opens)), -1, dtype=np.int64)
    if quantity == ALL:
        return found
    numerator, denominator = terms[T_NUMERATOR], terms[T_DENOMINATOR]
    for bar in range(len(opens)):
        for row, side in ((0, 1), (1, -1)):
            value = worth(
                slipped(opens[bar], side, terms[T_SLIPPAGE]), quantity, numerator, denominator, side > 0
            )
            if 0 <= value < PLAIN_SUM:
                found[row, bar] = value + side * share(value, terms[T_TAKER])
    return found


def _reach(opens: IntArray, terms: IntArray) -> int:
    """Money up to which `surely_pays` asks nothing but the cost, at all these opens."""
    lowest = float(opens.min()) if len(opens) else 1.0
    numerator, denominator = float(terms[T_NUMERATOR]), float(terms[T_DENOMINATOR])
    most = min(HIGHEST_PRODUCT, HIGHEST_QUOTIENT * lowest * numerator) / denominator / 4
    return int(min(most, float(PLAIN_SUM)))


@njit(cache=True)
def _tell(first: FloatArray, second: FloatArray, bar: int) -> bool:
    """Whether both are known at the bar: what begins above has not crossed."""
    return not (np.isnan(first[bar]) or np.isnan(second[bar]))


@njit(cache=True)
def _by_the_plain_loop(
    money: int,
    held: int,
    rises: bool,  # noqa: FBT001  (compiled)
    time: int,
    opened: int,
    quantity: int,
    terms: IntArray,
    event: IntArray,
) -> tuple[int, int]:
    """Money and lots after entering or leaving at an open; TOO_LARGE beyond int64."""
    if rises:
        left = enter_at_open(event, 0, time, opened, 1, 1, quantity, money, terms)
    else:
        left = leave_at_open(event, 0, time, opened, held, money, terms)
    return left, event[0, E + F_LEFT]


@njit(cache=True, nogil=True)
def _crossed(
    first: FloatArray,
    second: FloatArray,
    stood: int,
    above: ByteArray,
    changed: ByteArray,
    words: WordArray,
    rows: IntArray,
) -> int:
    """Writes the rows at which the first begins or ceases to stand above the second; how many. Many at a time.

    stood: whether it stood above before. above: a byte for each bar behind WORD others; changed: one for each.
    """
    bars = len(first)
    above[WORD - 1] = stood
    for bar in range(bars):
        above[WORD + bar] = first[bar] > second[bar]
    for bar in range(bars):
        changed[bar] = above[WORD + bar] ^ above[WORD - 1 + bar]
    changed[bars : bars + WORD] = 0
    found = 0
    for word in range((bars + WORD - 1) // WORD):
        left = words[word]
        while left != 0:
            others = left & (left - np.uint64(1))
            rows[found] = word * WORD + np.int64(((left ^ others) * PLACES) >> np.uint64(61))
            found += 1
            left = others
    return found


@njit(SWEEP, cache=True, nogil=True)
def _sweep(  # noqa: PLR0913, PLR0917  (compiled)
    times: TimeArray,
    opens: IntArray,
    columns: FloatArray,
    at_opens: IntArray,
    pairs: IntArray,
    quantity: int,
    reach: int,
    terms: IntArray,
    states: IntArray,
) -> int:
    bars = len(times)
    event = np.zeros((1, EVENT_WIDTH), dtype=np.int64)
    above, changed = np.zeros(TILE + 2 * WORD, dtype=np.uint8), np.zeros(TILE + WORD, dtype=np.uint8)
    words, rows = changed.view(np.uint64), np.empty(TILE, dtype=np.int64)
    for tile in range(0, bars, TILE):
        last = min(tile + TILE, bars)
        for each in range(len(pairs)):
            first, second, state = columns[pairs[each, 0]], columns[pairs[each, 1]], states[each]
            found = _crossed(first[tile:last], second[tile:last], state[ABOVE], above, changed, words, rows)
            money, held, stands, entered = state[MONEY], state[HELD], state[ABOVE], state[TRADES]
            for number in range(found):
                bar = tile + rows[number]
                stands = 1 - stands
                if bar == 0 or bar == bars - 1 or (stands == 1 and not _tell(first, second, bar - 1)):
                    continue
                if stands == 1:
                    cost = at_opens[0, bar + 1]
                    if 0 <= cost <= money <= reach:
                        money, held = money - cost, quantity
                        entered += 1
                        continue
                elif held == 0:
                    continue
                elif held == quantity and at_opens[1, bar + 1] >= 0 and money < PLAIN_SUM:
                    money, held = money + at_opens[1, bar + 1], 0
                    continue
                money, held = _by_the_plain_loop(
                    money, held, stands == 1, times[bar + 1], opens[bar + 1], quantity, terms, event
                )
                if money == TOO_LARGE:
                    return OVERFLOW
                entered += held > 0
            state[MONEY], state[HELD], state[ABOVE], state[TRADES] = money, held, stands, entered
    return 0
