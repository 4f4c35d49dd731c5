from math import sqrt

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray
from signals.engine.performance.inputs import FLAT, check_number, check_periods, one_dimension, spreads
from signals.engine.performance.moments import moments


def sharpe_ratio(returns: npt.ArrayLike, periods_per_year: float, risk_free: float = 0.0) -> float:
    """Mean return above `risk_free` (per period) / sample deviation (ddof 1) x sqrt(periods_per_year).

    Source: William F. Sharpe, The Sharpe Ratio (1994).
    """
    check_periods(periods_per_year)
    check_number("risk_free", risk_free)
    values = one_dimension(returns)
    mean, squares = moments(values)
    if not spreads(values, mean, squares):
        return np.nan
    return sharpe_of_moments(len(values), mean, squares, periods_per_year, risk_free)


def sharpe_of_moments(
    count: int, mean: float, squares: float, periods_per_year: float, risk_free: float = 0.0
) -> float:
    """`sharpe_ratio` of returns that vary, from their number, mean and sum of squared deviations."""
    return float((mean - risk_free) / sqrt(squares / (count - 1)) * sqrt(periods_per_year))


def sharpe_of_sums(
    count: npt.ArrayLike, total: npt.ArrayLike, squares: npt.ArrayLike, periods_per_year: float
) -> FloatArray:
    """`sharpe_ratio` without a risk-free return from the number, sum and sum of squares of returns, which broadcast.

    For resampled histories, of which only the sums are known. NaN for fewer than two returns, or equal ones.
    """
    check_periods(periods_per_year)
    n, sums, square = (np.asarray(each, dtype=np.float64) for each in (count, total, squares))
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = square - sums * sums / n
        varying = (n > 1) & (spread > FLAT * square)
        found = sums / n / np.sqrt(np.where(varying, spread, np.nan) / (n - 1)) * sqrt(periods_per_year)
    return np.asarray(found, dtype=np.float64)
