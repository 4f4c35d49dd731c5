"""Training a policy with stable-baselines3 on any market, and taking it out of torch.

The entry point is `train_policy`. It keeps what stable-baselines3 computes and spares what it need not do: one
torch thread (more of them fight over the cores), no Monitor around each environment, no larger replay buffer
than there are steps.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecNormalize

from research.trainers.snapshots import restore, snapshot
from research.trainers.value_learner import ValueLearner
from signals.engine.policy import Policy

Progress = Callable[[int, int, str], None]
Keep = Callable[[int, bytes], None]
REPORTS = 100
KEEP_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Preset:
    """Hyper-parameters that differ from stable-baselines3's own; None and an empty `shared` change nothing.

    rollout: steps over all environments between two updates of PPO, at most; fewer where that would leave less than
    UPDATES of them. batches: how many minibatches a rollout is cut into. steps_a_gradient: steps over all environments
    for one step of DQN's optimiser. falls_to_zero: whether the rate of learning does, in a straight line.
    """

    rollout: int | None = None
    batches: int = 4
    steps_a_gradient: int | None = None
    learning_rate: float | None = None
    falls_to_zero: bool = False
    shared: dict[str, Any] = field(default_factory=dict)

    def settings(self, *, timesteps: int, environments: int) -> dict[str, Any]:
        """As stable-baselines3 takes them."""
        found = dict(self.shared)
        if self.learning_rate is not None:
            found["learning_rate"] = (
                _falling(self.learning_rate) if self.falls_to_zero else self.learning_rate
            )
        if self.rollout is not None:
            steps = min(self.rollout, max(timesteps // UPDATES, LEAST_ROLLOUT)) // environments
            found["n_steps"] = max(steps, 2)
            found["batch_size"] = max(found["n_steps"] * environments // self.batches, 2)
        if self.steps_a_gradient is not None:
            found["train_freq"] = max(self.steps_a_gradient // environments, 1)
            found["learning_starts"] = min(found["learning_starts"], timesteps // 10)
        return found


def _falling(rate: float) -> Callable[[float], float]:
    return lambda left: rate * left


UPDATES = 8
LEAST_ROLLOUT = 1_024
PRESETS: dict[str, dict[str, Preset]] = {
    "default": {"ppo": Preset(), "dqn": Preset()},
    # Fewer, larger steps of the optimiser: the small batch is what the time goes into, not the market.
    "large_batch": {
        "ppo": Preset(
            # Without the bonus for trying, a market with costs is given up before its trades are found to pay; and with
            # few, large rollouts it is too, for then there are too few steps of the optimiser.
            rollout=2_048,
            learning_rate=1e-3,
            falls_to_zero=True,
            shared={"ent_coef": 0.05, "gae_lambda": 0.99},
        ),
        "dqn": Preset(
            # What happens in a market does not depend on what is done in it: much is tried to the end.
            steps_a_gradient=64,
            learning_rate=1e-3,
            falls_to_zero=True,
            shared={
                "batch_size": 512,
                "learning_starts": 2_000,
                "tau": 0.2,
                "exploration_fraction": 0.9,
                "exploration_final_eps": 0.1,
            },
        ),
    },
}
ALGORITHMS: dict[str, type[BaseAlgorithm]] = {"ppo": PPO, "dqn": DQN}
BUFFER = 1_000_000  # stable-baselines3's own


def train_policy(
    env: gymnasium.Env[Any, Any] | VecEnv,
    *,
    algorithm: str,
    timesteps: int,
    preset: str = "default",
    seed: int = 0,
    progress: Progress | None = None,
) -> Policy:
    """A policy trained for at least `timesteps` steps over all environments.

    env: Box observations, Discrete actions; a single Env is used alone. algorithm: "ppo" or "dqn". preset:
    "default" (stable-baselines3's hyper-parameters unchanged) or "large_batch". progress(done, total, message)
    is called about a hundred times and may raise to end the training. ValueError for other spaces, names
    or fewer than one step. The same seed on the same machine gives the same policy.
    """
    model = make_model(env, algorithm=algorithm, timesteps=timesteps, preset=preset, seed=seed)
    learn(model, timesteps=timesteps, progress=progress)
    return exported(model)


def learn(
    model: BaseAlgorithm,
    *,
    timesteps: int,
    progress: Progress | None = None,
    keep: Keep | None = None,
    resume: bytes | None = None,
) -> list[tuple[int, float]]:
    """Train a fresh model to `timesteps`, or from where `resume` was kept; its learning curve as told by `_Report`.

    keep(step, kept) is called every KEEP_SHARE of the steps. A DQN that is resumed begins with an empty buffer and
    learns nothing before it holds learning_starts steps again.
    """
    if resume is not None:
        restore(model, resume)
        if isinstance(model, DQN):
            model.learning_starts += model.num_timesteps
    left = timesteps - model.num_timesteps
    report = _Report(timesteps, progress, keep)
    if left > 0:
        model.learn(total_timesteps=left, callback=report, reset_num_timesteps=resume is None)
    return report.curve


def make_model(
    env: gymnasium.Env[Any, Any] | VecEnv, *, algorithm: str, timesteps: int, preset: str, seed: int
) -> BaseAlgorithm:
    """The untrained model of `train_policy`, with its errors."""
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm must be one of {sorted(ALGORITHMS)}, not {algorithm!r}")
    if preset not in PRESETS:
        raise ValueError(f"preset must be one of {sorted(PRESETS)}, not {preset!r}")
    if timesteps < 1:
        raise ValueError(f"timesteps must be at least 1, not {timesteps}")
    _require_spaces(env.observation_space, env.action_space)
    torch.set_num_threads(1)
    batch = env if isinstance(env, VecEnv) else DummyVecEnv([lambda: env])
    chosen = PRESETS[preset][algorithm]
    if (algorithm, preset) == ("ppo", "large_batch"):  # the units of a market's rewards do not matter
        batch = VecNormalize(batch, norm_obs=False)
    settings = chosen.settings(timesteps=timesteps, environments=batch.num_envs)
    if algorithm == "dqn":
        spare = batch.num_envs * (settings.get("train_freq", 4) + 1)  # the last steps are taken together
        settings["buffer_size"] = min(BUFFER, timesteps + spare)
    kind = ValueLearner if (algorithm, preset) == ("dqn", "large_batch") else ALGORITHMS[algorithm]
    model = kind("MlpPolicy", batch, seed=seed, verbose=0, **settings)
    # Its own makes a folder in /tmp for each training.
    model.set_logger(Logger(folder=None, output_formats=[]))
    return model


def exported(model: BaseAlgorithm) -> Policy:
    """The greedy policy of a model of `make_model` as plain arrays."""
    if isinstance(model, PPO):
        layers = _linear(torch.nn.Sequential(model.policy.mlp_extractor.policy_net, model.policy.action_net))
        algorithm, activation = "ppo", "tanh"
    elif isinstance(model, DQN):
        layers = _linear(model.q_net.q_net)
        algorithm, activation = "dqn", "relu"
    else:
        raise TypeError(f"no way to export {type(model).__name__}")
    weights = [layer.weight.detach().cpu().numpy().T for layer in layers]
    biases = [layer.bias.detach().cpu().numpy() for layer in layers]
    if isinstance(model, ValueLearner):  # its network reads deviations, a policy what there is to see
        weights[0] = weights[0] / model.deviation[:, None]
        biases[0] = biases[0] - model.middle @ weights[0]
    return Policy(
        algorithm=algorithm,
        activation=activation,
        weights=tuple(np.ascontiguousarray(each, np.float32) for each in weights),
        biases=tuple(np.ascontiguousarray(each, np.float32) for each in biases),
    )


def _linear(network: torch.nn.Module) -> list[torch.nn.Linear]:
    return [each for each in network.modules() if isinstance(each, torch.nn.Linear)]


def _require_spaces(observations: spaces.Space[Any], actions: spaces.Space[Any]) -> None:
    if not isinstance(observations, spaces.Box) or is_image_space(observations):
        raise ValueError(f"observations must be a Box of numbers, not {observations}")
    if not isinstance(actions, spaces.Discrete) or actions.start != 0:
        raise ValueError(f"actions must be Discrete and begin at 0, not {actions}")


class _Report(BaseCallback):
    """Tells how far the training is, with the mean reward a step since the last report; what is raised ends it."""

    def __init__(self, total: int, progress: Progress | None, keep: Keep | None = None) -> None:
        super().__init__()
        self.total, self.progress, self.keep = total, progress, keep
        self.next_report, self.kept_at = 0, 0
        self.curve: list[tuple[int, float]] = []
        self.reward, self.steps = 0.0, 0

    def _on_training_start(self) -> None:
        self.kept_at = self.num_timesteps

    def _on_step(self) -> bool:
        market = self.training_env
        rewards = market.get_original_reward() if isinstance(market, VecNormalize) else self.locals["rewards"]
        self.reward += float(rewards.sum())
        self.steps += len(rewards)
        if self.num_timesteps >= self.next_report:
            self._tell()
        return True

    def _tell(self) -> None:
        done = min(self.num_timesteps, self.total)
        mean = self.reward / self.steps
        self.curve.append((self.num_timesteps, mean))
        self.reward, self.steps = 0.0, 0
        self.next_report = self.num_timesteps + max(self.total // REPORTS, 1)
        if self.keep is not None and done - self.kept_at >= self.total * KEEP_SHARE:
            self.keep(done, snapshot(self.model))
            self.kept_at = done
        if self.progress is not None:
            self.progress(done, self.total, f"{done:,} of {self.total:,} steps, reward {mean:+.4f}")
