"""What a policy is trained on, how it is judged on candles, and what it adds to the rules. No torch here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite

import numpy as np

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.costs import CostRates
from signals.engine.performance import sharpe_ratio, win_rate
from signals.engine.policy import Policy
from signals.engine.trading_env import observations_by_position, walk

HOURS_A_YEAR = 24 * 365.25
Featurise = Callable[[OHLCV], tuple[OHLCV, FloatArray]]


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """One instrument: candles with what was known at each close, and what trading it costs."""

    name: str
    bars: OHLCV
    features: FloatArray
    costs: CostRates
    shorts: bool = True

    def part(self, rows: slice) -> "Market":
        return Market(self.name, self.bars[rows], self.features[rows], self.costs, self.shorts)


@dataclass(frozen=True, slots=True)
class Method:
    """How a policy is trained."""

    algorithm: str
    timesteps: int
    preset: str = "large_batch"


def returns_of(policy: Policy, market: Market) -> tuple[FloatArray, FloatArray]:
    """Simple net returns a bar of one account, and the position after each bar."""
    table = policy.act(observations_by_position(market.features)).reshape(-1, 3)
    gained, held = walk(market.bars, table, market.costs)
    return np.expm1(gained), held.astype(np.float64)


def measures(record: FloatArray, side: FloatArray) -> dict[str, float | None]:
    """Of net returns a bar: profit of the account, Sharpe ratio a year, share of bars in the market that won."""
    sharpe = sharpe_ratio(record, HOURS_A_YEAR)
    wins = win_rate(record[side != 0])
    return {
        "profit": float(np.prod(1 + record) - 1),
        "sharpe": float(sharpe) if isfinite(sharpe) else None,
        "win_rate": float(wins) if isfinite(wins) else None,
        "exposure": float((side != 0).mean()),
    }


def folds_of(rows: int, folds: int, held_out: float = 0.4) -> Sequence[tuple[slice, slice]]:
    """Walk-forward: each fold is trained on all rows before its test; the tests are the last share of the rows."""
    edges = np.linspace(round(rows * (1 - held_out)), rows, folds + 1).astype(int)
    return [(slice(0, int(a)), slice(int(a), int(b))) for a, b in pairwise(edges)]
