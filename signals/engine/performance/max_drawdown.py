import numpy as np
import numpy.typing as npt

from signals.engine.performance.inputs import period_returns


def max_drawdown(returns: npt.ArrayLike) -> float:
    """Deepest fall of equity below its highest point so far, in [-1, 0]; equity starts at 1. NaN of nothing."""
    from signals.engine.performance.drawdown_walk import deepest  # noqa: PLC0415

    values = period_returns(returns)
    return float(deepest(values) - 1) if len(values) else np.nan
