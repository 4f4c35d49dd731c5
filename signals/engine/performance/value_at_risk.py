import numpy as np
import numpy.typing as npt

from signals.engine.performance.inputs import check_level, period_returns


def value_at_risk(returns: npt.ArrayLike, level: float = 0.05) -> float:
    """The return that the worst `level` of the periods do not exceed (linear quantile); a loss is negative."""
    check_level(level)
    values = period_returns(returns)
    return float(np.quantile(values, level)) if len(values) else np.nan
