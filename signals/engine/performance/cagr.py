import numpy as np
import numpy.typing as npt

from signals.engine.performance.inputs import check_periods, period_returns


def cagr(returns: npt.ArrayLike, periods_per_year: float) -> float:
    """Compound annual growth rate: (product of 1 + r) ^ (periods_per_year / n) - 1; NaN of no returns."""
    check_periods(periods_per_year)
    values = period_returns(returns)
    if len(values) == 0:
        return np.nan
    with np.errstate(divide="ignore", over="ignore"):
        return float(np.expm1(np.log1p(values).mean() * periods_per_year))
