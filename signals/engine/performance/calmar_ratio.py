import numpy as np
import numpy.typing as npt

from signals.engine.performance.cagr import cagr
from signals.engine.performance.inputs import period_returns, quotient, varies
from signals.engine.performance.max_drawdown import max_drawdown


def calmar_ratio(returns: npt.ArrayLike, periods_per_year: float) -> float:
    """Compound annual growth rate / |deepest drawdown|, both over all periods; infinite without a drawdown."""
    growth = cagr(returns, periods_per_year)
    values = period_returns(returns)
    return quotient(growth, abs(max_drawdown(values))) if varies(values) else np.nan
