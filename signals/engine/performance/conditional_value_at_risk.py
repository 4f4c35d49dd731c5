import numpy as np
import numpy.typing as npt

from signals.engine.performance.inputs import period_returns
from signals.engine.performance.value_at_risk import value_at_risk


def conditional_value_at_risk(returns: npt.ArrayLike, level: float = 0.05) -> float:
    """Mean of the returns at or below the value at risk (expected shortfall); a loss is negative."""
    values = period_returns(returns)
    threshold = value_at_risk(values, level)
    return float(values[values <= threshold].mean()) if len(values) else np.nan
