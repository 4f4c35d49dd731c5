"""Gates pass what is sound and stop what is broken: a reward upside down, a feature out of the future, luck."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from research.engine.policies import Market, Method, returns_of
from research.trainers import gates
from research.trainers.gates import (
    market_env,
    martingale,
    martingale_gate,
    oracle_gate,
    out_of_sample_gate,
)
from research.trainers.known_optima import autoregressive
from research.trainers.markets import MarketVecEnv
from signals.engine.candle import OHLCV, FloatArray
from signals.engine.costs import NO_COSTS, SPOT_COSTS
from signals.engine.policy import Policy
from tests.signals.engine.conftest import random_walk

METHOD = Method("ppo", 8_000)


def featurise(bars: OHLCV) -> tuple[OHLCV, FloatArray]:
    moves = np.diff(np.log(bars.close), prepend=np.log(bars.open[0]))
    return bars, np.column_stack((moves / 0.01, np.zeros(len(bars))))


def leaky(bars: OHLCV) -> tuple[OHLCV, FloatArray]:
    kept, features = featurise(bars)
    return kept, np.column_stack((np.append(features[1:, 0], 0.0), features[:, 1]))


def walked(seed: int) -> Market:
    bars, features = featurise(random_walk(3_000, seed=seed))
    return Market("walk", bars, features, SPOT_COSTS)


def follower(sign: float) -> Policy:
    """Long where the first feature is positive, short where it is negative; or the other way round."""
    weights = np.zeros((3, 3), np.float32)
    weights[0] = (0, sign, -sign)
    return Policy("dqn", "relu", (weights,), (np.zeros(3, np.float32),))


@pytest.mark.slow
def test_oracle_gate_passes_what_learns_and_stops_a_reward_upside_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed = oracle_gate([walked(1)], [walked(2)], METHOD, seed=0)
    assert passed["passed"]
    assert 0.8 <= passed["share"] <= 1.0001

    def upside_down(markets: Any, seed: int) -> MarketVecEnv:
        made = market_env(markets, seed)
        made.batch._terms[0] *= -1
        return made

    monkeypatch.setattr(gates, "market_env", upside_down)
    assert not oracle_gate([walked(1)], [walked(2)], METHOD, seed=0)["passed"]


@pytest.mark.slow
def test_martingale_gate_stops_a_feature_out_of_the_future() -> None:
    market = replace(walked(3), costs=NO_COSTS)
    assert martingale_gate([market], METHOD, featurise, seed=2)["passed"]
    stopped = martingale_gate([market], METHOD, leaky, seed=2)
    assert not stopped["passed"]
    assert stopped["score"] > stopped["allowed"]


def test_turned_bars_keep_their_size_and_lose_their_memory() -> None:
    bars, _ = autoregressive(20_000, memory=0.5, deviation=1e-3, seed=1)
    turned = martingale(Market("x", *featurise(bars), SPOT_COSTS), featurise, np.random.default_rng(2)).bars
    before, after = np.diff(np.log(bars.close)), np.diff(np.log(turned.close))
    assert np.abs(after) == pytest.approx(np.abs(before), abs=1e-12)
    assert abs(np.corrcoef(after[1:], after[:-1])[0, 1]) < 0.03
    assert turned.high[5:] / turned.low[5:] == pytest.approx(bars.high[5:] / bars.low[5:])


def test_out_of_sample_gate_wants_more_than_luck_on_enough_seeds() -> None:
    bars, told = autoregressive(4_000, memory=0.3, deviation=1e-3, seed=4)
    market = Market("ar", bars, np.column_stack((told, told * 0)), NO_COSTS)
    good = out_of_sample_gate([follower(1.0)] * 3, [market], trials=6)
    assert good["passed"]
    assert (good["seeds_better"], good["seeds_needed"]) == (3, 2)
    assert good["seeds"][0]["win_rate"] > 0.5
    bad = out_of_sample_gate([follower(1.0), follower(-1.0), follower(-1.0)], [market], trials=6)
    assert not bad["passed"]
    assert bad["seeds_better"] == 1
    luck = out_of_sample_gate([follower(1.0)] * 3, [walked(5)], trials=50)
    assert not luck["passed"]
    assert luck["deflated"] < 0.95


def test_returns_are_of_one_account() -> None:
    market = walked(6)
    gained, side = returns_of(follower(0.0), market)
    assert not gained.any()
    assert not side.any()
