import numpy.typing as npt
from numba import njit

from signals.engine.candle import FloatArray
from signals.engine.performance.inputs import FLAT, period_returns


def drawdown_length(returns: npt.ArrayLike) -> int:
    """Most periods in a row that ended below an earlier high of equity; one that has not ended counts.

    Equity starts at 1. What lies below the high by no more than rounding (1e-12 of it) has reached it.
    """
    return int(_longest(period_returns(returns)))


@njit(cache=True)
def _longest(returns: FloatArray) -> int:
    share, length, longest = 1.0, 0, 0
    for each in returns:
        share = min(share * (1.0 + each), 1.0)
        length = length + 1 if share < 1.0 - FLAT else 0
        longest = max(longest, length)
    return longest
