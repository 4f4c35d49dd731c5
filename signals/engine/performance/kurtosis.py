import numpy as np
import numpy.typing as npt

from signals.engine.performance.inputs import period_returns, varies


def kurtosis(returns: npt.ArrayLike) -> float:
    """Fourth population moment about the mean / variance^2; 3 of a normal distribution."""
    values = period_returns(returns)
    if not varies(values):
        return np.nan
    scaled = (values - values.mean()) / values.std()
    return float((scaled**4).mean())
