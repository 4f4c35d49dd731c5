import numpy as np
import numpy.typing as npt

from signals.engine.performance.inputs import check_number, period_returns, quotient, varies


def omega_ratio(returns: npt.ArrayLike, threshold: float = 0.0) -> float:
    """Sum of returns above `threshold` (per period) / sum below it; infinite where none is below.

    Source: Keating and Shadwick, A Universal Performance Measure (2002).
    """
    check_number("threshold", threshold)
    values = period_returns(returns)
    if not varies(values):
        return np.nan
    excess = values - threshold
    return quotient(np.maximum(excess, 0).sum(), np.maximum(-excess, 0).sum())
