from math import sqrt

import numpy as np
import numpy.typing as npt

from signals.engine.performance.inputs import check_number, check_periods, period_returns, quotient, varies


def sortino_ratio(returns: npt.ArrayLike, periods_per_year: float, target: float = 0.0) -> float:
    """Mean return above `target` (per period) / downside deviation x sqrt(periods_per_year).

    The downside deviation is the root of the mean over all periods of min(r - target, 0)^2. Infinite where
    no return is below the target. Source: Sortino and Price, Performance Measurement in a Downside Risk
    Framework (1994).
    """
    check_periods(periods_per_year)
    check_number("target", target)
    values = period_returns(returns)
    if not varies(values):
        return np.nan
    excess = values - target
    downside = sqrt(np.square(np.minimum(excess, 0)).mean())
    return quotient(excess.mean() * sqrt(periods_per_year), downside)
