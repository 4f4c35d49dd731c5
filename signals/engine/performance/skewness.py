import numpy as np
import numpy.typing as npt

from signals.engine.performance.inputs import period_returns, varies


def skewness(returns: npt.ArrayLike) -> float:
    """Third population moment about the mean / deviation^3; 0 of a symmetric distribution."""
    values = period_returns(returns)
    if not varies(values):
        return np.nan
    scaled = (values - values.mean()) / values.std()
    return float((scaled**3).mean())
