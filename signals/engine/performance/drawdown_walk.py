"""The compiled walks below the high of equity. Imported when they are run: pages load the measures without numba."""

from numba import njit

from signals.engine.candle import FloatArray
from signals.engine.performance.inputs import FLAT


@njit(cache=True)
def deepest(returns: FloatArray) -> float:
    """The lowest equity / highest equity so far. The quotient itself is carried on, so nothing overflows."""
    share, lowest = 1.0, 1.0
    for each in returns:
        share = min(share * (1.0 + each), 1.0)
        lowest = min(lowest, share)
    return lowest


@njit(cache=True)
def longest(returns: FloatArray) -> int:
    """Most returns in a row that ended below the high."""
    share, length, most = 1.0, 0, 0
    for each in returns:
        share = min(share * (1.0 + each), 1.0)
        length = length + 1 if share < 1.0 - FLAT else 0
        most = max(most, length)
    return most
