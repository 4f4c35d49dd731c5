"""Price and an oscillator disagree about two successive turning points.

Regular (a trend tires): price makes a higher high while the oscillator's is lower (bearish), or a lower
low while the oscillator's is higher (bullish). Hidden (a trend goes on): price makes a lower high while
the oscillator's is higher (bearish), or a higher low while the oscillator's is lower (bullish).
Source: Constance Brown, Technical Analysis for the Trading Professional (1999), on the RSI.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray
from signals.engine.indicators.contract import check_period, columns
from signals.engine.patterns.pivots import MaskArray, confirmed_pivots, pivot_rows

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
    falling = _disagreement(pivots.high, high, oscillator, bars, longest)
    rising = _disagreement(pivots.low, -low, -oscillator, bars, longest)
    return Divergence(*(up - down for up, down in zip(rising, falling, strict=True)))


def _disagreement(
    confirmed: MaskArray, price: FloatArray, oscillator: FloatArray, bars: int, longest: int
) -> tuple[SignArray, SignArray]:
    """1 at rows that confirm a regular and a hidden divergence between two tops."""
    regular, hidden = np.zeros(len(price), dtype=np.int8), np.zeros(len(price), dtype=np.int8)
    tops = pivot_rows(confirmed, bars)
    first, second = tops[:-1], tops[1:]
    near = second - first <= longest
    higher, lower = price[second] > price[first], price[second] < price[first]
    with np.errstate(invalid="ignore"):
        regular[second + bars] = near & higher & (oscillator[second] < oscillator[first])
        hidden[second + bars] = near & lower & (oscillator[second] > oscillator[first])
    return regular, hidden
