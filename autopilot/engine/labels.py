"""What would have become of a trade at every bar, long and short: the labels that models learn from.

Each bar is taken for a decision at its close: entered at the next open, stop and target at multiples of the ATR
from that close, ended at either or after `hold_bars`, after costs. It is the trade that `outcome.follow` would tell, by
the same step. A label depends on bar, side and levels only: strategies with the same levels share it.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.costs import SPOT_COSTS, CostRates, Costs
from signals.engine.fill import (
    FOREVER,
    MARKET,
    NO_FILL,
    NO_ORDER,
    UNKNOWN_VOLUME,
    Bar,
    BarFill,
    EntryOrder,
    HeldPosition,
    State,
    bars_in_ticks,
    new_state,
    place,
    step,
)
from signals.engine.indicators.volatility import atr
from signals.engine.outcome import FOLLOWED_LOTS, HIGHEST_TICKS, HORIZON_BARS, PRICE_DIGITS

IntArray = npt.NDArray[np.int64]

SIDES = (1, -1)
ATR_PERIOD = 14
NO_REASON = -1
THREADS = 2


@dataclass(frozen=True, slots=True)
class Levels:
    """Where a trade ends: stop and target in ATRs from the entry's close, and the bars it may last."""

    stop_atr: float
    target_atr: float
    hold_bars: int = HORIZON_BARS

    def __post_init__(self) -> None:
        for name in ("stop_atr", "target_atr"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}; it must be a positive number")
        if self.hold_bars < 1:
            raise ValueError(f"hold_bars is {self.hold_bars}; it must be at least 1")


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Columns of shape (2, bars): row 0 long, row 1 short.

    r_multiple: result after costs in units of the planned risk; returns: as a share of the entry price. nan where
    there is no label: no ATR yet, levels at or below zero, or candles that do not see the end.
    exit_reason: of signals.engine.fill (STOPPED, TARGET, CLOSED after hold_bars), -1 where there is none.
    bars_held: bars from the entry's to the exit's, -1 where there is none.
    """

    r_multiple: FloatArray
    returns: FloatArray
    exit_reason: npt.NDArray[np.int8]
    bars_held: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return self.r_multiple.shape[1]

    def of(self, direction: npt.ArrayLike) -> FloatArray:
        """R of a strategy's signals: of its side where it spoke (1 or -1), nan where it was silent (0)."""
        side = np.asarray(direction)
        told: FloatArray = np.where(
            side > 0, self.r_multiple[0], np.where(side < 0, self.r_multiple[1], np.nan)
        )
        return told


def label(
    candles: OHLCV,
    *,
    stop_atr: float,
    target_atr: float,
    hold_bars: int = HORIZON_BARS,
    rates: CostRates = SPOT_COSTS,
) -> Labels:
    """Labels of every bar. ValueError for levels that are not positive and prices at or below zero."""
    levels = Levels(stop_atr, target_atr, hold_bars)
    return label_levels(candles, [levels], rates=rates)[levels]


def label_levels(
    candles: OHLCV, levels: Iterable[Levels], *, rates: CostRates = SPOT_COSTS
) -> Mapping[Levels, Labels]:
    """Labels of every bar for each distinct set of levels, each computed once."""
    if len(candles) and candles.low.min() <= 0:
        raise ValueError("prices must be positive to be labelled")
    distinct = list(dict.fromkeys(levels))
    reach = atr(candles.high, candles.low, candles.close, ATR_PERIOD)
    smallest, bars = _in_ticks(candles, reach, distinct)
    shape = (len(distinct), len(SIDES), len(candles))
    r_multiple, returns = np.full(shape, np.nan), np.full(shape, np.nan)
    reason, held = np.full(shape, NO_REASON, dtype=np.int8), np.full(shape, -1, dtype=np.int32)
    for number, each in enumerate(distinct):
        told = (r_multiple[number], returns[number], reason[number], held[number])
        multiples = (float(each.stop_atr), float(each.target_atr), each.hold_bars)
        _walk(candles.close, reach, bars, smallest, *multiples, rates.in_ppm(), *told)
    return {
        each: Labels(r_multiple[number], returns[number], reason[number], held[number])
        for number, each in enumerate(distinct)
    }


def label_markets(
    markets: Mapping[str, OHLCV], levels: Iterable[Levels], *, rates: CostRates = SPOT_COSTS
) -> Mapping[str, Mapping[Levels, Labels]]:
    """`label_levels` of several instruments, on two cores."""
    wanted = list(dict.fromkeys(levels))
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(lambda candles: label_levels(candles, wanted, rates=rates), markets.values())
        return dict(zip(markets, found, strict=True))


def _in_ticks(
    candles: OHLCV, reach: FloatArray, levels: Iterable[Levels]
) -> tuple[int, npt.NDArray[np.int64]]:
    """The candles in each step of the price that `follow` would take for some of these levels, finest first."""
    known = np.flatnonzero(reach > 0)
    if len(known) == 0:
        return 0, np.empty((0, 0, 5), dtype=np.int64)
    wide = max((max(each.stop_atr, each.target_atr) for each in levels), default=0.0)
    close = candles.close[known]
    finest = int(np.floor(np.log10(close.min()))) + 1 - PRICE_DIGITS
    coarsest = int(np.floor(np.log10((close + wide * reach[known]).max()))) + 1 - PRICE_DIGITS
    sizes = range(finest, coarsest + 1)
    return finest, np.stack([bars_in_ticks(candles, 10.0 ** float(size)) for size in sizes])


@njit(cache=True, nogil=True)
def _walk(  # noqa: PLR0913, PLR0917  (compiled)
    close: FloatArray,
    reach: FloatArray,
    bars: IntArray,
    smallest: int,
    stop_atr: float,
    target_atr: float,
    hold_bars: int,
    costs: Costs,
    r_multiple: FloatArray,
    returns: FloatArray,
    reason: npt.NDArray[np.int8],
    held: npt.NDArray[np.int32],
) -> None:
    exponent, low, high, tick = 0, 0.0, 0.0, 1.0  # of the last highest level, and its powers of ten
    for row in range(len(close)):
        if not reach[row] > 0:
            continue
        for number in range(2):
            side = 1 - 2 * number
            stop = close[row] - side * stop_atr * reach[row]
            target = close[row] + side * target_atr * reach[row]
            highest = max(close[row], stop, target)
            if not low <= highest < high:
                exponent = int(np.floor(np.log10(highest)))
                low, high = 10.0 ** float(exponent), 10.0 ** float(exponent + 1)
                tick = 10.0 ** float(exponent + 1 - PRICE_DIGITS)
            if min(stop, target) < tick:
                continue
            at_stop, at_target = int(np.rint(stop / tick)), int(np.rint(target / tick))
            if side * (at_target - at_stop) <= 0:
                continue
            order = EntryOrder(side, MARKET, 0, FOLLOWED_LOTS, at_stop, at_target, FOREVER, hold_bars)
            at, entry, fees, ended = _trade(bars[exponent + 1 - PRICE_DIGITS - smallest], row, order, costs)
            if at >= 0:
                net = side * (ended.price - entry) - (fees + ended.fee) / FOLLOWED_LOTS
                r_multiple[number, row] = net * tick / abs(close[row] - stop)
                returns[number, row] = net / entry
                reason[number, row], held[number, row] = ended.reason, at - row - 1


@njit(cache=True, nogil=True)
def _trade(bars: IntArray, row: int, order: EntryOrder, costs: Costs) -> tuple[int, int, int, BarFill]:
    """Bar of the exit (-1: none), entry price, fees of the entry, exit. Bars that touch nothing are not stepped."""
    at = row + 1
    if at >= len(bars) or bars[at, 2] > HIGHEST_TICKS:
        return -1, 0, 0, NO_FILL
    state, fills = step(place(new_state(bars[row, 0]), order), _bar(bars, at), costs)
    entry, fees = fills.opened.price, fills.opened.fee
    if fills.closed_again.lots != 0:
        return at, entry, fees, fills.closed_again
    above, below = max(order.stop, order.target), min(order.stop, order.target)
    last = row + 1 + order.hold_bars
    at += 1
    while at < len(bars) and at < last and bars[at, 2] < above and bars[at, 3] > below:
        at += 1
    if at >= len(bars) or bars[at, 2] > HIGHEST_TICKS:
        return -1, 0, 0, NO_FILL
    kept = state.position
    closing = 1 if at == last else 0
    position = HeldPosition(kept.lots, kept.price, kept.stop, kept.target, FOREVER, closing)
    _, fills = step(State(bars[at - 1, 0], 0, NO_ORDER, position), _bar(bars, at), costs)
    return at, entry, fees, fills.closed


@njit(cache=True, nogil=True)
def _bar(bars: IntArray, at: int) -> Bar:
    return Bar(bars[at, 0], bars[at, 1], bars[at, 2], bars[at, 3], bars[at, 4], UNKNOWN_VOLUME)
