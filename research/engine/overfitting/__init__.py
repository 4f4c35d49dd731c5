"""How much of a good backtest is luck, and what is left of it when every trial is counted.

Sharpe ratios are per period, never annualised; kurtosis is 3 of a normal distribution. ValueError says in words
what cannot be answered: too few observations, numbers that are not finite. Sources: Bailey and López de Prado, The
Sharpe Ratio Efficient Frontier (2012) and The Deflated Sharpe Ratio (2014); Bailey, Borwein, López de Prado and Zhu,
Pseudo-Mathematics and Financial Charlatanism (2014) and The Probability of Backtest Overfitting (2017); López de
Prado, Advances in Financial Machine Learning (2018).
"""

from research.engine.overfitting.backtest_overfitting import (
    SymmetricValidation,
    probability_of_backtest_overfitting,
    symmetric_validation,
)
from research.engine.overfitting.monte_carlo import (
    TradeHistories,
    bootstrap_candles,
    monte_carlo_candles,
    monte_carlo_trades,
)
from research.engine.overfitting.random_entry import RandomEntries, random_entry_significance
from research.engine.overfitting.selection import (
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    minimum_backtest_length,
)
from research.engine.overfitting.sensitivity import SensitivityMap, sensitivity_map
from research.engine.overfitting.sharpe_significance import (
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
)
from research.engine.overfitting.splits import Fold, combinatorial_paths, combinatorial_purged, walk_forward

__all__ = [
    "Fold",
    "RandomEntries",
    "SensitivityMap",
    "SymmetricValidation",
    "TradeHistories",
    "bootstrap_candles",
    "combinatorial_paths",
    "combinatorial_purged",
    "deflated_sharpe_ratio",
    "expected_maximum_sharpe",
    "minimum_backtest_length",
    "minimum_track_record_length",
    "monte_carlo_candles",
    "monte_carlo_trades",
    "probabilistic_sharpe_ratio",
    "probability_of_backtest_overfitting",
    "random_entry_significance",
    "sensitivity_map",
    "symmetric_validation",
    "walk_forward",
]
