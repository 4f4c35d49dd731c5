"""How to spread money over assets, and whether that was better than spreading it evenly."""

from research.engine.portfolio.black_litterman import View, black_litterman, signal_view
from research.engine.portfolio.estimation import estimate, ledoit_wolf
from research.engine.portfolio.optimum import OBJECTIVES, Portfolio, efficient_frontier, optimize
from research.engine.portfolio.out_of_sample import OutOfSample, Record, optimized, out_of_sample
from research.engine.portfolio.spreading import (
    equal_weights,
    hierarchical_risk_parity,
    inverse_volatility,
    risk_contributions,
    risk_parity,
)
from research.engine.portfolio.tail import least_conditional_value_at_risk

__all__ = [
    "OBJECTIVES",
    "OutOfSample",
    "Portfolio",
    "Record",
    "View",
    "black_litterman",
    "efficient_frontier",
    "equal_weights",
    "estimate",
    "hierarchical_risk_parity",
    "inverse_volatility",
    "least_conditional_value_at_risk",
    "ledoit_wolf",
    "optimize",
    "optimized",
    "out_of_sample",
    "risk_contributions",
    "risk_parity",
    "signal_view",
]
