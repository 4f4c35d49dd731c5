import numpy as np
import numpy.typing as npt
from numba import njit

from signals.engine.candle import FloatArray
from signals.engine.performance.inputs import period_returns


def max_drawdown(returns: npt.ArrayLike) -> float:
    """Deepest fall of equity below its highest point so far, in [-1, 0]; equity starts at 1. NaN of nothing."""
    values = period_returns(returns)
    return float(_deepest(values) - 1) if len(values) else np.nan


@njit(cache=True)
def _deepest(returns: FloatArray) -> float:
    """The lowest equity / highest equity so far. The quotient itself is carried on, so nothing overflows."""
    share, lowest = 1.0, 1.0
    for each in returns:
        share = min(share * (1.0 + each), 1.0)
        lowest = min(lowest, share)
    return lowest
