"""Gymnasium's Env, stable-baselines3's VecEnv and the batch: the same numbers."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_for_stable_baselines
from stable_baselines3.common.vec_env import DummyVecEnv

from research.trainers.markets import MarketEnv, MarketVecEnv
from research.trainers.reinforcement import train_policy
from signals.engine.trading_env import MarketBatch
from tests.signals.engine.conftest import random_walk


def batch(episodes: int, length: int | None = 16, rows: int = 200) -> MarketBatch:
    bars = random_walk(rows, seed=4)
    features = np.random.default_rng(1).normal(size=(rows, 3))
    return MarketBatch(bars, features, episodes, length=length)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_env_keeps_gymnasiums_and_stable_baselines_rules() -> None:
    check_env(MarketEnv(batch(1)), skip_render_check=True)
    check_for_stable_baselines(MarketEnv(batch(1)))
    with pytest.raises(ValueError, match="one episode"):
        MarketEnv(batch(2))


def test_all_three_give_the_same_numbers() -> None:
    alone = MarketEnv(batch(1))
    ours = MarketVecEnv(batch(1), seed=7)
    raw = batch(1)
    theirs = DummyVecEnv([lambda: alone])
    theirs.seed(7)
    first = theirs.reset()
    ours._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(7)))
    assert (ours.reset() == first).all()
    assert (raw.reset(np.random.default_rng(7)) == first).all()
    rng, ended = np.random.default_rng(2), 0
    for _ in range(100):
        actions = rng.integers(3, size=1)
        left, right, plain = theirs.step(actions), ours.step(actions), raw.step(actions)
        assert left[1:3] == right[1:3] == (plain[1].astype(np.float32), plain[2])
        if right[2][0]:  # what begins next is drawn by each in its own way
            ended += 1
            for name in ("terminal_observation", "TimeLimit.truncated"):
                assert np.all(left[3][0][name] == right[3][0][name])
            generator = np.random.default_rng(ended)
            alone.batch._rng = ours.batch._rng = raw._rng = generator
            seeds = [np.random.default_rng(ended) for _ in range(3)]
            views = [
                each.reset(seed) for each, seed in zip((alone.batch, ours.batch, raw), seeds, strict=True)
            ]
            assert (views[0] == views[1]).all()
            assert (views[0] == views[2]).all()
        else:
            assert (left[0] == right[0]).all()
            assert (left[0] == plain[0]).all()
    assert ended == 6


def test_many_episodes_are_many_single_ones() -> None:
    many = MarketVecEnv(batch(5, length=None), seed=1)
    singles = [MarketVecEnv(batch(1, length=None), seed=1) for _ in range(5)]
    assert (many.reset() == np.concatenate([each.reset() for each in singles])).all()
    rng = np.random.default_rng(3)
    for _ in range(50):
        actions = rng.integers(3, size=5)
        seen, rewards, dones, _ = many.step(actions)
        parts = [each.step(actions[[place]]) for place, each in enumerate(singles)]
        assert (seen == np.concatenate([each[0] for each in parts])).all()
        assert (rewards == np.concatenate([each[1] for each in parts])).all()
        assert (dones == np.concatenate([each[2] for each in parts])).all()


@pytest.mark.parametrize("algorithm", ["ppo", "dqn"])
def test_policy_is_trained_on_it(algorithm: str) -> None:
    policy = train_policy(MarketVecEnv(batch(8)), algorithm=algorithm, timesteps=256, preset="large_batch")
    assert (policy.inputs, policy.actions) == (4, 3)
