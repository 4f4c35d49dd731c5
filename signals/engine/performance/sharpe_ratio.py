from math import sqrt

import numpy as np
import numpy.typing as npt

from signals.engine.performance.inputs import check_number, check_periods, period_returns, varies


def sharpe_ratio(returns: npt.ArrayLike, periods_per_year: float, risk_free: float = 0.0) -> float:
    """Mean return above `risk_free` (per period) / sample deviation (ddof 1) x sqrt(periods_per_year).

    Source: William F. Sharpe, The Sharpe Ratio (1994).
    """
    check_periods(periods_per_year)
    check_number("risk_free", risk_free)
    values = period_returns(returns)
    if not varies(values):
        return np.nan
    return float((values.mean() - risk_free) / values.std(ddof=1) * sqrt(periods_per_year))
