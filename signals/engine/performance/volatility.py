from math import sqrt

import numpy as np
import numpy.typing as npt

from signals.engine.performance.inputs import check_periods, period_returns


def volatility(returns: npt.ArrayLike, periods_per_year: float) -> float:
    """Sample deviation (ddof 1) of the returns x sqrt(periods_per_year); NaN of fewer than two returns."""
    check_periods(periods_per_year)
    values = period_returns(returns)
    return float(values.std(ddof=1) * sqrt(periods_per_year)) if len(values) > 1 else np.nan
