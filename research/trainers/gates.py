"""Three gates that a policy passes before it may vote; each is told with its figures, whether passed or not.

Oracle: trained with the position that who knew all prices would take, it must earn most of what that earns; if not,
the environment, the reward or the method is broken. Martingale: trained on candles whose moves have random signs, it
must not earn more than chance on others; if it does, it has been told the future. Out of sample: on candles after
those of its training it must beat doing nothing and holding, on enough seeds, and be more than the luck of all trials.
"""

from collections.abc import Callable, Sequence
from math import ceil, isfinite, sqrt
from typing import Any

import numpy as np

from research.engine.policies import (
    HOURS_A_YEAR,
    Featurise,
    Market,
    Method,
    measures,
    returns_of,
)
from research.engine.verdict import Belief, verdict
from research.trainers.markets import MarketVecEnv
from research.trainers.reinforcement import train_policy
from signals.engine.candle import OHLCV
from signals.engine.policy import Policy
from signals.engine.trading_env import SIDES, MarketBatch, foreseen, walk

Progress = Callable[[int, int, str], None]

ORACLE_SHARE = 0.8
CHANCE = 1.645  # deviations of a normal number, above which one in twenty is
MARTINGALES = 8
EPISODES = 64
LENGTH = 256


def train_on(
    markets: Sequence[Market], method: Method, *, seed: int, progress: Progress | None = None
) -> Policy:
    return train_policy(
        market_env(markets, seed),
        algorithm=method.algorithm,
        timesteps=method.timesteps,
        preset=method.preset,
        seed=seed,
        progress=progress,
    )


def market_env(markets: Sequence[Market], seed: int) -> MarketVecEnv:
    """Windows of all markets; rewards in deviations of a bar's return, costs those of the dearest market."""
    deviation = float(np.mean([np.diff(np.log(each.bars.close)).std() for each in markets]))
    dearest = max((each.costs for each in markets), key=lambda rates: rates.round_trip)
    return MarketVecEnv(
        MarketBatch(
            [each.bars for each in markets],
            [each.features for each in markets],
            EPISODES,
            dearest,
            length=LENGTH,
            shorts=all(each.shorts for each in markets),
            scale=1 / max(deviation, 1e-9),
        ),
        seed,
    )


def oracle_gate(
    train: Sequence[Market], test: Sequence[Market], method: Method, *, seed: int
) -> dict[str, Any]:
    policy = train_on([_told(each) for each in train], method, seed=seed)
    earned = possible = 0.0
    for each in map(_told, test):
        earned += float(np.log1p(returns_of(policy, each)[0]).sum())
        possible += float(
            walk(each.bars, foreseen(each.bars, each.costs, shorts=each.shorts), each.costs)[0].sum()
        )
    share = earned / possible if possible > 0 else 0.0
    return {
        "name": "oracle",
        "passed": bool(share >= ORACLE_SHARE),
        "share": share,
        "needed": ORACLE_SHARE,
        "earned": earned,
        "possible": possible,
    }


def martingale_gate(
    train: Sequence[Market], method: Method, featurise: Featurise, *, seed: int
) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    policy = train_on([martingale(each, featurise, rng) for each in train], method, seed=seed)
    profits = []
    for _ in range(MARTINGALES):
        profits += [float(returns_of(policy, martingale(each, featurise, rng))[0].sum()) for each in train]
    mean = float(np.mean(profits))
    error = float(np.std(profits, ddof=1) / sqrt(len(profits))) if len(profits) > 1 else float("nan")
    score = mean / error if error > 0 else 0.0
    return {
        "name": "martingale",
        "passed": bool(score <= CHANCE),
        "profit": mean,
        "error": error,
        "score": score,
        "allowed": CHANCE,
        "markets": len(profits),
    }


def out_of_sample_gate(
    policies: Sequence[Policy], test: Sequence[Market], *, trials: int, needed: int | None = None
) -> dict[str, Any]:
    """policies: one of each seed. trials: how many were ever made for this question, these among them."""
    least = needed or ceil(2 * len(policies) / 3)
    held = float(np.mean([each.bars.close[-1] / each.bars.open[1] - 1 for each in test]))
    seeds: list[dict[str, Any]] = []
    records = []
    for policy in policies:
        each_market = [returns_of(policy, each) for each in test]
        rows = min(len(gained) for gained, _ in each_market)
        record = np.mean([gained[-rows:] for gained, _ in each_market], axis=0)
        records.append(record)
        seeds.append(
            measures(record, np.mean([side[-rows:] for _, side in each_market], axis=0))
            | {"trades": int(sum((np.diff(side, prepend=0) != 0).sum() for _, side in each_market))}
        )
    better = sum(float(each["profit"] or 0.0) > max(0.0, held) for each in seeds)
    judged = verdict(
        np.mean(records, axis=0),
        periods_per_year=HOURS_A_YEAR,
        trials=max(trials, 1),
        trades=sum(each["trades"] for each in seeds),
    )
    return {
        "name": "out of sample",
        "passed": bool(better >= least and judged.belief is Belief.BELIEVABLE),
        "seeds_better": better,
        "seeds_needed": least,
        "seeds": seeds,
        "hold": held,
        "trials": trials,
        "deflated": judged.deflated if isfinite(judged.deflated) else None,
        "verdict": judged.sentence,
    }


def martingale(market: Market, featurise: Featurise, rng: np.random.Generator) -> Market:
    """The same market with every bar turned upside down by a fair coin: nothing can be known of the next."""
    bars = market.bars
    logs = np.log(np.stack((bars.open, bars.high, bars.low, bars.close)))
    before = np.concatenate((logs[0, :1], logs[3, :-1]))
    coin = np.where(rng.random(len(bars)) < 0.5, -1.0, 1.0)
    moves = (logs - before) * coin
    level = before[0] + np.concatenate(([0.0], np.cumsum(moves[3])[:-1]))
    open_, high, low, close = np.exp(moves + level)
    turned = OHLCV(bars.open_time, open_, np.maximum(high, low), np.minimum(high, low), close, bars.volume)
    kept, features = featurise(turned)
    return Market(market.name, kept, features, market.costs, market.shorts)


def _told(market: Market) -> Market:
    """With the position that who knew all prices would take next, in place of the first feature."""
    table = foreseen(market.bars, market.costs, shorts=market.shorts)
    wanted, held = np.zeros(len(table)), 0
    for row, choice in enumerate(table):
        held = int(choice[held])
        wanted[row] = SIDES[held]
    features = np.column_stack((wanted, market.features[:, 1:]))
    return Market(market.name, market.bars, features, market.costs, market.shorts)
