from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from signals.engine.performance.inputs import (
    check_periods,
    one_dimension,
    quotient,
    refuse_what_is_no_return,
    spreads,
    surely_spreads,
)
from signals.engine.performance.sharpe_ratio import sharpe_of_moments


@dataclass(frozen=True, slots=True)
class EquityMeasures:
    """The measures of these names, of the simple returns of an account's equity."""

    cagr: float
    sharpe_ratio: float
    sortino_ratio: float
    calmar_ratio: float
    omega_ratio: float
    max_drawdown: float
    drawdown_length: int


def equity_measures(equity: npt.ArrayLike, periods_per_year: float) -> EquityMeasures:
    """Seven measures of a long equity in one pass, equal to those of its returns but for rounding.

    ValueError unless it is 1-D, of two values at least, and each is positive and finite but for the last.
    """
    from signals.engine.performance.equity_walk import walk_equity  # noqa: PLC0415

    check_periods(periods_per_year)
    values = one_dimension(equity)
    if len(values) < 2 or not values[0] > 0:
        raise ValueError("equity needs two values at least, and the first above 0")
    mean, squares, gains, losses, squared_losses, lowest, most, wrong = walk_equity(values)
    if wrong:
        refuse_what_is_no_return(np.diff(values) / values[:-1])
    count, fall = len(values) - 1, float(lowest) - 1
    growth = (
        float(np.expm1(np.log(values[-1] / values[0]) / count * periods_per_year)) if values[-1] else -1.0
    )
    if not (count > 1 and surely_spreads(count, mean, squares)):
        returns = np.diff(values) / values[:-1]
        if not spreads(returns, mean, squares):
            return EquityMeasures(growth, np.nan, np.nan, np.nan, np.nan, fall, int(most))
    return EquityMeasures(
        growth,
        sharpe_of_moments(count, mean, squares, periods_per_year),
        quotient(mean * sqrt(periods_per_year), sqrt(squared_losses / count)),
        quotient(growth, abs(fall)),
        quotient(gains, losses),
        fall,
        int(most),
    )
