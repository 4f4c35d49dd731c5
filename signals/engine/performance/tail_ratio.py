import numpy as np
import numpy.typing as npt

from signals.engine.performance.inputs import period_returns, quotient, varies


def tail_ratio(returns: npt.ArrayLike) -> float:
    """|95th percentile / 5th percentile| (linear quantiles): how large the good periods are beside the bad."""
    values = period_returns(returns)
    if not varies(values):
        return np.nan
    low, high = np.quantile(values, (0.05, 0.95))
    return abs(quotient(high, low))
