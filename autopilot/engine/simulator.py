"""The simulator: decisions over candles become orders, fills, trades and equity, by the one fill code.

What is decided at a bar's close is filled at the next bar's open or inside it; a decision on the last bar fills
nothing. Cash is counted in whole 1e-8 of the quote currency, prices in ticks, quantities in lots; what is paid is
rounded up, what is received down.

`simulate_signals` is the simplest call: two columns say when to enter and when to leave one instrument. `simulate`
takes the series of strategies or fused decisions over several instruments on one cash account.
"""

from autopilot.engine.many_markets import simulate
from autopilot.engine.market import (
    NO_LIMITS,
    Fixed,
    FractionOfEquity,
    Limits,
    Market,
    Opposite,
    RiskPerTrade,
    Signals,
    VolatilityTarget,
)
from autopilot.engine.signal_simulation import default_grid, run_signals, simulate_signals
from autopilot.engine.simulation import Simulation
from signals.engine.fill import OPEN

__all__ = [
    "NO_LIMITS",
    "OPEN",
    "Fixed",
    "FractionOfEquity",
    "Limits",
    "Market",
    "Opposite",
    "RiskPerTrade",
    "Signals",
    "Simulation",
    "VolatilityTarget",
    "default_grid",
    "run_signals",
    "simulate",
    "simulate_signals",
]
