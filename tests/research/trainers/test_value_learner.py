"""The compiled step of the optimiser against torch's own, and what it learns against what is known."""

import numpy as np
import torch
from stable_baselines3.common.vec_env import DummyVecEnv

from research.trainers.reinforcement import exported, make_model
from research.trainers.value_learner import ValueLearner
from research.trainers.value_update import improve
from tests.research.trainers.test_reinforcement import TellingMarket

GAMMA, TAU, RATE, LONGEST = 0.9, 0.1, 1e-3, 0.5


def learner() -> ValueLearner:
    market = DummyVecEnv([TellingMarket for _ in range(4)])
    model = make_model(market, algorithm="dqn", timesteps=4_000, preset="large_batch", seed=3)
    assert isinstance(model, ValueLearner)
    return model


def test_steps_are_those_of_torch() -> None:
    """Loss, gradient, clip and Adam by torch; the target by hand."""
    ours, theirs = learner(), learner()
    rng = np.random.default_rng(1)
    optimiser = torch.optim.Adam(theirs.q_net.parameters(), lr=RATE)
    for step in range(1, 6):
        seen, after = rng.normal(size=(2, 50, 4)).astype(np.float32)
        chosen = rng.integers(3, size=50)
        rewards, goes_on = rng.normal(size=50).astype(np.float32), (rng.random(50) < 0.9).astype(np.float32)
        improve(
            *(ours.numbers, ours.targets, ours.first, ours.second, step, 64, 3),
            *(seen, chosen, rewards, after, goes_on, GAMMA, RATE, LONGEST, TAU, 0.0),
        )
        with torch.no_grad():
            own = theirs.q_net(torch.as_tensor(after)).argmax(dim=1, keepdim=True)
            worth = theirs.q_net_target(torch.as_tensor(after)).gather(1, own)[:, 0]
            wanted = torch.as_tensor(rewards) + GAMMA * torch.as_tensor(goes_on) * worth
        said = theirs.q_net(torch.as_tensor(seen)).gather(1, torch.as_tensor(chosen)[:, None])[:, 0]
        optimiser.zero_grad()
        (0.5 * (said - wanted) ** 2).mean().backward()
        torch.nn.utils.clip_grad_norm_(theirs.q_net.parameters(), LONGEST)
        optimiser.step()
        with torch.no_grad():
            for part, goal in zip(theirs.q_net.parameters(), theirs.q_net_target.parameters(), strict=True):
                goal.add_(TAU * (part - goal))
    for mine, peer in zip(ours.policy.parameters(), theirs.policy.parameters(), strict=True):
        assert np.abs((mine - peer).detach().numpy()).max() < 1e-5


def test_what_all_actions_share_is_found_at_once_and_changes_no_choice() -> None:
    """A reward of 1 for whatever is done is worth 1 / (1 - gamma); the order of the actions stays."""
    model = learner()
    seen = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
    before = model.values(seen)
    one = np.ones(50, dtype=np.float32)
    for _ in range(40):
        improve(
            *(model.numbers, model.targets, model.first, model.second, 1, 64, 3),
            *(seen, before.argmax(axis=1), one, seen, one, GAMMA, 0.0, LONGEST, 0.0, 0.2),
        )
    after = model.values(seen)
    assert abs(after.max(axis=1).mean() - 10) < 0.3
    assert (after.argmax(axis=1) == before.argmax(axis=1)).all()


class FarMarket(TellingMarket):
    """The same market in other units."""

    def _look(self) -> np.ndarray:
        return (super()._look() * 1e-3 + 1).astype(np.float32)

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, object]]:
        sign = np.sign(self.observation[0])
        seen, _, ruined, ended, infos = super().step(action)
        return seen, 1e-4 * (0.0, 1.0, -1.0)[int(action)] * float(sign), ruined, ended, infos


def test_units_of_a_market_do_not_matter() -> None:
    market = DummyVecEnv([FarMarket for _ in range(16)])
    model = make_model(market, algorithm="dqn", timesteps=16_000, preset="large_batch", seed=1)
    model.learn(16_000)
    asked = np.random.default_rng(2).normal(size=(2_000, 4)).astype(np.float32)
    told = exported(model).act(asked * 1e-3 + 1)
    assert (told == np.where(asked[:, 0] > 0, 1, 2)).mean() > 0.9
    assert (
        told == model.predict((asked * 1e-3 + 1).astype(np.float32), deterministic=True)[0]
    ).mean() > 0.999
