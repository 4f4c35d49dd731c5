"""Price and an oscillator disagree about two successive turning points.

Regular (a trend tires): price makes a higher high while the oscillator's is lower (bearish), or a lower
low while the oscillator's is higher (bullish). Hidden (a trend goes on): price makes a lower high while
the oscillator's is higher (bearish), or a higher low while the oscillator's is lower (bullish).
Source: Constance Brown, Technical Analysis for the Trading Professional (1999), on the RSI.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from signals.engine.candle import FloatArray
from signals.engine.indicators.contract import check_period, columns
from signals.engine.patterns.pivots import confirmed_pivots, pivot_rows

RowArray = npt.NDArray[np.intp]
SignArray = npt.NDArray[np.int8]


class Divergence(NamedTuple):
    """1 bullish, -1 bearish, 0 none (or both), at the row where the second turning point is confirmed."""

    regular: SignArray
    hidden: SignArray


def divergence(
    high: npt.ArrayLike, low: npt.ArrayLike, oscillator: npt.ArrayLike, bars: int = 3, longest: int = 60
) -> Divergence:
    """Compare each confirmed pivot with the one before it, if at most `longest` rows lie between the two.

    `bars` as for `confirmed_pivots`: a divergence is known that many rows after the turn. Nothing is
    said where the oscillator is not known yet (NaN). Its memory is longest + 2 bars rows.
    """
    check_period("longest", longest, 1)
    high, low, oscillator = columns(high=high, low=low, oscillator=oscillator)
    pivots = confirmed_pivots(high, low, bars)
    falling = _disagreement(pivot_rows(pivots.high, bars), high, oscillator, bars, longest)
    rising = _disagreement(pivot_rows(pivots.low, bars), -low, -oscillator, bars, longest)
    return Divergence(*(up - down for up, down in zip(rising, falling, strict=True)))


@njit(cache=True)
def _disagreement(
    tops: RowArray, price: FloatArray, oscillator: FloatArray, bars: int, longest: int
) -> tuple[SignArray, SignArray]:
    """1 at rows that confirm a regular and a hidden divergence between two tops."""
    regular, hidden = np.zeros(len(price), dtype=np.int8), np.zeros(len(price), dtype=np.int8)
    for place in range(1, len(tops)):
        first, second = tops[place - 1], tops[place]
        if second - first <= longest:
            row = second + bars
            regular[row] = price[second] > price[first] and oscillator[second] < oscillator[first]
            hidden[row] = price[second] < price[first] and oscillator[second] > oscillator[first]
    return regular, hidden
