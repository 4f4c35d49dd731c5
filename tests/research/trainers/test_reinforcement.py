"""Policies trained on a market whose best answer is known, and the same numbers out of torch."""

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv

from research.trainers.reinforcement import exported, learn, make_model, train_policy
from research.trainers.snapshots import restore, snapshot
from signals.engine.policy import load


class TellingMarket(gymnasium.Env[NDArray[np.float32], int]):
    """The first number of the observation tells the sign of the next return; the others are noise."""

    observation_space = spaces.Box(-5, 5, (4,), np.float32)
    action_space = spaces.Discrete(3)  # flat, long, short

    def __init__(self, length: int = 64) -> None:
        self.length = length

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        self.step_number = 0
        return self._look(), {}

    def _look(self) -> NDArray[np.float32]:
        self.observation = np.clip(self.np_random.normal(size=4), -5, 5).astype(np.float32)
        return self.observation

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        reward = (0.0, 1.0, -1.0)[int(action)] * float(np.sign(self.observation[0]))
        self.step_number += 1
        return self._look(), reward, False, self.step_number >= self.length, {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "preset", "steps"), [("ppo", "default", 6_144), ("dqn", "default", 4_000)]
)
def test_policy_finds_what_the_market_tells(algorithm: str, preset: str, steps: int) -> None:
    policy = train_policy(TellingMarket(), algorithm=algorithm, timesteps=steps, preset=preset, seed=1)
    asked = np.random.default_rng(2).normal(size=(2_000, 4)).astype(np.float32)
    best = np.where(asked[:, 0] > 0, 1, 2)
    assert (policy.act(asked) == best).mean() > 0.85


@pytest.mark.slow
def test_large_batch_learns_over_many_markets_at_once() -> None:
    batch = DummyVecEnv([TellingMarket for _ in range(16)])
    policy = train_policy(batch, algorithm="ppo", timesteps=25_000, preset="large_batch", seed=1)
    asked = np.random.default_rng(2).normal(size=(2_000, 4)).astype(np.float32)
    assert (policy.act(asked) == np.where(asked[:, 0] > 0, 1, 2)).mean() > 0.85


@pytest.mark.parametrize("algorithm", ["ppo", "dqn"])
def test_numbers_out_of_torch_are_torchs_and_survive_the_file(algorithm: str) -> None:
    model = make_model(TellingMarket(), algorithm=algorithm, timesteps=100, preset="default", seed=3)
    asked = np.random.default_rng(4).normal(size=(500, 4)).astype(np.float32)
    with torch.no_grad():
        given = torch.as_tensor(asked)
        theirs = (
            model.policy.get_distribution(given).distribution.logits
            if algorithm == "ppo"
            else model.q_net(given)
        ).numpy()
    ours = exported(model).scores(asked)
    if algorithm == "ppo":  # torch keeps normalised logits
        ours = ours - np.log(np.exp(ours).sum(axis=1, keepdims=True))
    assert np.abs(ours - theirs).max() < 1e-6
    again = load(exported(model).to_npz())
    assert (again.act(asked) == model.predict(asked, deterministic=True)[0]).all()
    assert again.act(asked).dtype == np.int64


@pytest.mark.slow
def test_default_is_what_stable_baselines_does_by_itself() -> None:
    ours = train_policy(TellingMarket(), algorithm="ppo", timesteps=64, seed=5)
    theirs = PPO("MlpPolicy", TellingMarket(), seed=5, device="cpu").learn(64)
    for mine, peer in zip(ours.weights, exported(theirs).weights, strict=True):
        assert np.abs(mine - peer).max() < 1e-6


def test_progress_rises_to_the_end_and_may_stop_the_training() -> None:
    seen: list[tuple[int, int]] = []
    train_policy(
        TellingMarket(),
        algorithm="dqn",
        timesteps=500,
        progress=lambda done, total, message: seen.append((done, total)),
    )
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1][0] >= 495
    assert {total for _, total in seen} == {500}

    def stop(done: int, total: int, message: str) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        train_policy(TellingMarket(), algorithm="ppo", timesteps=10_000_000, progress=stop)


class Continuous(TellingMarket):
    action_space = spaces.Box(-1, 1, (1,), np.float32)  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"algorithm": "a2c"}, "algorithm"),
        ({"preset": "huge"}, "preset"),
        ({"timesteps": 0}, "timesteps"),
        ({"env": Continuous()}, "actions"),
    ],
)
def test_rubbish_is_refused(change: dict[str, Any], complaint: str) -> None:
    given: dict[str, Any] = {"env": TellingMarket(), "algorithm": "ppo", "timesteps": 10} | change
    with pytest.raises(ValueError, match=complaint):
        train_policy(given.pop("env"), **given)


class StopTrainingError(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo", "dqn"])
def test_training_goes_on_from_its_snapshot(algorithm: str) -> None:
    kept: list[tuple[int, bytes]] = []

    def keep(step: int, snapshot_: bytes) -> None:
        kept.append((step, snapshot_))
        if len(kept) == 3:
            raise StopTrainingError

    def fresh() -> Any:
        return make_model(TellingMarket(), algorithm=algorithm, timesteps=4_000, preset="large_batch", seed=1)

    with pytest.raises(StopTrainingError):
        learn(fresh(), timesteps=4_000, keep=keep)
    step, state = kept[-1]
    again = fresh()
    restore(again, state)
    assert again.num_timesteps == step
    assert snapshot(again) == state
    resumed = fresh()
    curve = learn(resumed, timesteps=4_000, resume=state)
    assert curve[0][0] > step
    assert 4_000 <= resumed.num_timesteps < 6_000
    asked = np.random.default_rng(2).normal(size=(2_000, 4)).astype(np.float32)
    assert (exported(resumed).act(asked) == np.where(asked[:, 0] > 0, 1, 2)).mean() > 0.6
    with pytest.raises(ValueError, match="no snapshot"):
        restore(fresh(), exported(resumed).to_npz())
