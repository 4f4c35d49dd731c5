"""Markets whose best policy is known: what a training method is measured against before it sees a real one.

A method that stays below the optimum has not learnt; one that is above it beyond error has been told the future.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import pi, sqrt
from typing import Any

import numpy as np

from research.trainers.markets import MarketVecEnv
from research.trainers.reinforcement import train_policy
from signals.engine.candle import OHLCV, FloatArray
from signals.engine.costs import NO_COSTS, Costs
from signals.engine.policy import Policy
from signals.engine.trading_env import SIDES, MarketBatch, observations_by_position, walk

BAR = 3_600_000
EPISODES = 64
LENGTH = 128
GAMMA = 0.99  # stable-baselines3's own
MILLION = 1_000_000
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Optimum:
    """earned and best are log returns a bar after costs on candles that the training has not seen; error: of earned.

    trades: the share of those bars at which the position was changed; best_trades: what the best policy does.
    """

    market: str
    algorithm: str
    seed: int
    earned: float
    best: float
    error: float
    trades: float
    best_trades: float

    @property
    def share(self) -> float:
        return self.earned / self.best if self.best > 0 else float("nan")


def autoregressive(rows: int, *, memory: float, deviation: float, seed: int) -> tuple[OHLCV, FloatArray]:
    """Returns of which each is `memory` times the one before and noise; the last return is told."""
    noise = np.random.default_rng(seed).normal(0, deviation * sqrt(1 - memory**2), rows)
    returns = np.zeros(rows)
    for row in range(1, rows):
        returns[row] = memory * returns[row - 1] + noise[row]
    return _bars(returns), returns[:, None] / deviation


def best_autoregressive(*, memory: float, deviation: float) -> float:
    """Mean return a bar of who always holds the side of the expected return: E|memory r| of a normal r."""
    return abs(memory) * deviation * sqrt(2 / pi)


def regimes(rows: int, *, stay: float, drift: float, noise: float, seed: int) -> tuple[OHLCV, FloatArray]:
    """Two regimes, told as 1 and -1, each kept with probability `stay`; the next return drifts that way."""
    rng = np.random.default_rng(seed)
    regime = np.where(np.cumsum(rng.random(rows) >= stay) % 2, -1.0, 1.0)
    returns = np.concatenate(([0.0], regime[:-1] * drift)) + rng.normal(0, noise, rows)
    return _bars(returns), regime[:, None]


def best_in_regimes(*, stay: float, drift: float, cost: float, gamma: float = GAMMA) -> FloatArray:
    """(2 regimes, 3 positions): the best action, by value iteration; cost: of one side of the whole account."""
    value = np.zeros((2, 3))
    gain = np.array([1.0, -1.0])[:, None, None] * drift * SIDES - cost * np.abs(SIDES - SIDES[:, None])
    for _ in range(5_000):
        expected = stay * value + (1 - stay) * value[::-1]  # by the position taken
        worth = gain + gamma * expected[:, None, :]
        renewed = worth.max(axis=2)
        if np.abs(renewed - value).max() < 1e-12:
            break
        value = renewed
    best: FloatArray = worth.argmax(axis=2)
    return best


def break_even_cost(*, stay: float, drift: float, gamma: float = GAMMA) -> float:
    """The cost of one side above which it is best to do nothing when flat, by bisection over `best_in_regimes`."""
    low, high = 0.0, drift / (1 - stay)
    for _ in range(24):
        middle = (low + high) / 2
        trades = best_in_regimes(stay=stay, drift=drift, cost=middle, gamma=gamma)[:, 0].any()
        low, high = (middle, high) if trades else (low, middle)
    return low


def learn_autoregressive(
    *,
    algorithm: str,
    timesteps: int,
    seed: int = 0,
    preset: str = "large_batch",
    episodes: int = EPISODES,
    test_rows: int = 100_000,
) -> Optimum:
    memory, deviation = 0.3, 1e-3
    bars, features = autoregressive(20_000, memory=memory, deviation=deviation, seed=seed)
    policy = _trained(
        bars, features, NO_COSTS.in_ppm(), algorithm, timesteps, preset, episodes, seed, 1 / deviation
    )
    fresh, told = autoregressive(test_rows, memory=memory, deviation=deviation, seed=seed + 1_000)
    best = np.where(told[:, 0] > 0, 1, 2)
    return _measured("AR(1)", policy, fresh, told, best, NO_COSTS.in_ppm(), seed)


def learn_regimes(
    *,
    algorithm: str,
    timesteps: int,
    cost_share: float,
    seed: int = 0,
    preset: str = "large_batch",
    episodes: int = EPISODES,
    test_rows: int = 100_000,
) -> Optimum:
    """cost_share: of the cost at which trading stops being worth its while."""
    stay, drift, noise = 0.9, 1e-3, 5e-4
    ppm = round(break_even_cost(stay=stay, drift=drift) * cost_share * MILLION)
    costs = Costs(maker_ppm=0, taker_ppm=ppm, slippage_ppm=0)
    bars, features = regimes(20_000, stay=stay, drift=drift, noise=noise, seed=seed)
    policy = _trained(bars, features, costs, algorithm, timesteps, preset, episodes, seed, 1 / drift)
    fresh, told = regimes(test_rows, stay=stay, drift=drift, noise=noise, seed=seed + 1_000)
    table = best_in_regimes(stay=stay, drift=drift, cost=ppm / MILLION)
    best = table[(told[:, 0] < 0).astype(int)]
    return _measured(f"regimes, {cost_share:g} x break-even", policy, fresh, told, best, costs, seed)


def measure(*, timesteps: int, seeds: int, progress: Progress) -> dict[str, Any]:
    """Both algorithms on both markets, `seeds` times: rows for a page."""
    asked = [
        (algorithm, share, seed)
        for algorithm in ("ppo", "dqn")
        for share in (None, 0.7, 1.4)
        for seed in range(seeds)
    ]
    rows = []
    for number, (algorithm, share, seed) in enumerate(asked):
        progress(
            number, len(asked), f"{algorithm} {'AR(1)' if share is None else f'regimes at {share:g}'} {seed}"
        )
        given: dict[str, Any] = {"algorithm": algorithm, "timesteps": timesteps, "seed": seed}
        found = learn_autoregressive(**given) if share is None else learn_regimes(**given, cost_share=share)
        rows.append(asdict(found))
    return {"timesteps": timesteps, "rows": rows}


def _trained(  # noqa: PLR0913, PLR0917  (what a training is made of)
    bars: OHLCV,
    features: FloatArray,
    costs: Costs,
    algorithm: str,
    timesteps: int,
    preset: str,
    episodes: int,
    seed: int,
    scale: float,
) -> Policy:
    market = MarketVecEnv(MarketBatch(bars, features, episodes, costs, length=LENGTH, scale=scale), seed)
    return train_policy(market, algorithm=algorithm, timesteps=timesteps, preset=preset, seed=seed)


def _measured(
    market: str, policy: Policy, bars: OHLCV, told: FloatArray, best: Any, costs: Costs, seed: int
) -> Optimum:
    table = policy.act(observations_by_position(told)).reshape(-1, 3)
    (earned, held), (possible, wanted) = walk(bars, table, costs), walk(bars, best, costs)
    return Optimum(
        market=market,
        algorithm=policy.algorithm,
        seed=seed,
        earned=float(earned.mean()),
        best=float(possible.mean()),
        error=float((earned - possible).std() / sqrt(len(earned))),
        trades=float((np.diff(held) != 0).mean()),
        best_trades=float((np.diff(wanted) != 0).mean()),
    )


def _bars(returns: FloatArray) -> OHLCV:
    close = 100 * np.exp(np.cumsum(returns))
    open_ = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    return OHLCV(np.arange(len(returns)) * BAR, open_, high, low, close, np.ones(len(returns)))
