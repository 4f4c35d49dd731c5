"""Thousands of crossings of two indicators over one instrument: what each would have ended with.

Indicators are computed once and shared between the pairs; only the bars at which one crosses the other are
looked at one by one, by the arithmetic of the plain loop. The winners' trades and equity come from `run_signals`.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from numba import njit, types

from autopilot.engine.plain_door import check_prices, default_grid
from autopilot.engine.signal_path import TIMES, enter_at_open, leave_at_open
from autopilot.engine.tables import EVENT_WIDTH, E, Scale
from signals.engine.candle import OHLCV, FloatArray, TimeArray
from signals.engine.costs import NO_COSTS, CostRates
from signals.engine.fill import Grid
from signals.engine.fill.book import REFUSED
from signals.engine.fill.layout import ALL, F_LEFT, OVERFLOW, IntArray
from signals.engine.fill.money import TOO_LARGE, UNITS, in_units
from signals.engine.fill.terms import PLAIN_RULES, T_DENOMINATOR, T_NUMERATOR, terms_row

THREADS = 2
TILE = 1_024  # bars of all the pairs before the next bars: a tile of the indicators stays in the fast cache
BLOCK = 64  # bars that are compared at once

COLUMNS = types.Array(types.float64, 2, "C", readonly=True)
PAIRS = types.Array(types.int64, 2, "C", readonly=True)
TICKS = types.Array(types.int64, 1, "C", readonly=True)
SWEEP = types.int64(TIMES, TICKS, COLUMNS, PAIRS, types.int64, types.int64[::1], types.int64[:, ::1])
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

    def run(rows: slice) -> int:
        return int(_sweep(candles.open_time, opens, columns, chosen[rows], lots, terms, states[rows]))

    with ThreadPoolExecutor(THREADS) as pool:
        statuses = list(pool.map(run, _parts(len(chosen))))
    if min(statuses) < 0:
        raise ValueError(REFUSED[min(statuses)])
    last = float(np.rint(candles.close[-1] * scale.ticks_per_price)) if len(candles) else 0.0
    held = states[:, HELD] * (terms[T_NUMERATOR] / terms[T_DENOMINATOR])
    return Sweep((states[:, MONEY] + held * last) / UNITS, states[:, TRADES].copy())


def _parts(rows: int) -> list[slice]:
    return [slice(first, last) for first, last in pairwise(np.linspace(0, rows, THREADS + 1).astype(int))]


@njit(cache=True)
def _stand_above(first: FloatArray, second: FloatArray, begin: int, end: int) -> int:
    """How many bars of [begin, end) stand above; many are compared at a time."""
    found = 0
    for bar in range(begin, end):
        found += first[bar] > second[bar]
    return found


@njit(cache=True)
def _tell(first: FloatArray, second: FloatArray, bar: int) -> bool:
    """Whether both are known at the bar: what begins above has not crossed."""
    return not (np.isnan(first[bar]) or np.isnan(second[bar]))


@njit(cache=True)
def _trade(
    state: IntArray, side: int, time: int, opened: int, quantity: int, terms: IntArray, event: IntArray
) -> int:
    """side 1 enters at that open, -1 leaves; a negative status beyond int64."""
    if side < 0 and state[HELD] == 0:
        return 0
    if side > 0:
        left = enter_at_open(event, 0, time, opened, 1, 1, quantity, state[MONEY], terms)
    else:
        left = leave_at_open(event, 0, time, opened, state[HELD], state[MONEY], terms)
    if left == TOO_LARGE:
        return OVERFLOW
    state[MONEY], state[HELD] = left, event[0, E + F_LEFT]
    state[TRADES] += state[HELD] > 0
    return 0


@njit(SWEEP, cache=True, nogil=True)
def _sweep(
    times: TimeArray,
    opens: IntArray,
    columns: FloatArray,
    pairs: IntArray,
    quantity: int,
    terms: IntArray,
    states: IntArray,
) -> int:
    bars = len(times)
    event = np.zeros((1, EVENT_WIDTH), dtype=np.int64)
    for tile in range(0, bars, TILE):
        for each in range(len(pairs)):
            first, second, state = columns[pairs[each, 0]], columns[pairs[each, 1]], states[each]
            for begin in range(tile, min(tile + TILE, bars), BLOCK):
                end = min(begin + BLOCK, tile + TILE, bars)
                if _stand_above(first, second, begin, end) == state[ABOVE] * (end - begin):
                    continue
                for bar in range(begin, end):
                    rises = first[bar] > second[bar]
                    if rises == (state[ABOVE] == 1):
                        continue
                    state[ABOVE] = rises
                    if 0 < bar < bars - 1 and (not rises or _tell(first, second, bar - 1)):
                        status = _trade(
                            state, 1 if rises else -1, times[bar + 1], opens[bar + 1], quantity, terms, event
                        )
                        if status < 0:
                            return status
    return 0
