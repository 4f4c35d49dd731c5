"""Turning points, as early as they are known: a pivot needs `bars` later rows to be one."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from signals.engine.candle import FloatArray
from signals.engine.indicators.contract import check_period, columns
from signals.engine.registry import row_wise

MaskArray = npt.NDArray[np.bool_]


class Pivots(NamedTuple):
    """True at the row that confirms a pivot `bars` rows before it."""

    high: MaskArray
    low: MaskArray


@row_wise(warm_up=lambda bars: 2 * bars + 1)
def confirmed_pivots(high: npt.ArrayLike, low: npt.ArrayLike, bars: int = 3) -> Pivots:
    """Highs above every high within `bars` rows on either side, and lows likewise.

    Of equal neighbours the first is the pivot. NaN never is one.
    """
    check_period("bars", bars, 1)
    high, low = columns(high=high, low=low)
    return Pivots(_tops(high, bars), _tops(-low, bars))


def pivot_rows(confirmed: MaskArray, bars: int) -> npt.NDArray[np.intp]:
    """The rows of the pivots themselves, oldest first."""
    return np.flatnonzero(confirmed) - bars


@njit(cache=True)
def _tops(values: FloatArray, bars: int) -> MaskArray:
    confirmed = np.zeros(len(values), dtype=np.bool_)
    for row in range(2 * bars, len(values)):
        place = row - bars
        top, away = True, 1
        while top and away <= bars:
            top = values[place] > values[place - away] and values[place] >= values[place + away]
            away += 1
        confirmed[row] = top
    return confirmed
