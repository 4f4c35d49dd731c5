"""Swing support and resistance: the nearest turning points that price has not passed yet."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from signals.engine.candle import FloatArray
from signals.engine.indicators.contract import check_period, columns
from signals.engine.patterns.pivots import MaskArray, confirmed_pivots
from signals.engine.registry import row_wise


class SwingLevels(NamedTuple):
    """Prices below and above the close; NaN where there is none."""

    support: FloatArray
    resistance: FloatArray


@row_wise(warm_up=lambda bars, memory: 2 * bars + memory + 1)
def swing_levels(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, bars: int = 5, memory: int = 100
) -> SwingLevels:
    """Nearest swing low below the close and swing high above it, of those confirmed in the last `memory` rows.

    `bars` as for `confirmed_pivots`. A level that price has crossed since counts again when price is back.
    """
    check_period("memory", memory, 1)
    high, low, close = columns(high=high, low=low, close=close)
    pivots = confirmed_pivots(high, low, bars)
    return SwingLevels(
        -_nearest_above(-close, -low, pivots.low, bars, memory),
        _nearest_above(close, high, pivots.high, bars, memory),
    )


@njit(cache=True)
def _nearest_above(
    close: FloatArray, price: FloatArray, confirmed: MaskArray, bars: int, memory: int
) -> FloatArray:
    nearest = np.full(len(close), np.nan)
    for row in range(len(close)):
        for known in range(max(row - memory + 1, 0), row + 1):
            level = price[known - bars]
            if confirmed[known] and level > close[row] and not nearest[row] <= level:
                nearest[row] = level
    return nearest
