"""Measures of performance: one small file each, one formula each, the same wherever a number is shown.

Of periods: simple returns of an account, one per period, 1-D (0.01 is 1 %), never equity. NaN, infinity and a
return below -1 raise ValueError. A ratio of fewer than two returns, or of returns that do not vary, is NaN.
Annualised figures take `periods_per_year`, which the market's calendar gives.

Of trades: 1-D, one value per finished trade, in any unit that the caller keeps to (R, ratio, money), net of
costs. NaN marks a trade that is not finished: it is left out. An infinite value raises ValueError.

A measure of nothing is NaN, never 0.
"""

from signals.engine.performance.bootstrap_interval import (
    Interval,
    bootstrap_interval,
    bootstrap_intervals,
    percentile_interval,
    resampled_totals,
)
from signals.engine.performance.cagr import cagr
from signals.engine.performance.calmar_ratio import calmar_ratio
from signals.engine.performance.conditional_value_at_risk import conditional_value_at_risk
from signals.engine.performance.deepest_fall import deepest_fall
from signals.engine.performance.drawdown_length import drawdown_length
from signals.engine.performance.equity_measures import EquityMeasures, equity_measures
from signals.engine.performance.expectancy import expectancy
from signals.engine.performance.exposure import exposure
from signals.engine.performance.kurtosis import kurtosis
from signals.engine.performance.max_drawdown import max_drawdown
from signals.engine.performance.omega_ratio import omega_ratio
from signals.engine.performance.periods_per_year import periods_per_year
from signals.engine.performance.profit_factor import profit_factor
from signals.engine.performance.r_multiple import r_multiple
from signals.engine.performance.sharpe_ratio import sharpe_of_sums, sharpe_ratio
from signals.engine.performance.skewness import skewness
from signals.engine.performance.sortino_ratio import sortino_ratio
from signals.engine.performance.tail_ratio import tail_ratio
from signals.engine.performance.turnover import turnover
from signals.engine.performance.value_at_risk import value_at_risk
from signals.engine.performance.volatility import volatility
from signals.engine.performance.win_rate import win_rate

__all__ = [
    "EquityMeasures",
    "Interval",
    "bootstrap_interval",
    "bootstrap_intervals",
    "cagr",
    "calmar_ratio",
    "conditional_value_at_risk",
    "deepest_fall",
    "drawdown_length",
    "equity_measures",
    "expectancy",
    "exposure",
    "kurtosis",
    "max_drawdown",
    "omega_ratio",
    "percentile_interval",
    "periods_per_year",
    "profit_factor",
    "r_multiple",
    "resampled_totals",
    "sharpe_of_sums",
    "sharpe_ratio",
    "skewness",
    "sortino_ratio",
    "tail_ratio",
    "turnover",
    "value_at_risk",
    "volatility",
    "win_rate",
]
