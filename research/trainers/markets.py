"""The batch of markets as gymnasium and stable-baselines3 know environments: the numbers are MarketBatch's own."""

from collections.abc import Sequence
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from signals.engine.trading_env import MarketBatch

Observation = NDArray[np.float32]
WIDEST = 1e6


def spaces_of(batch: MarketBatch) -> tuple[spaces.Box, spaces.Discrete]:
    return spaces.Box(-WIDEST, WIDEST, (batch.width,), np.float32), spaces.Discrete(batch.actions)


class MarketEnv(gymnasium.Env[Observation, np.int64]):
    """One episode at a time; ValueError for a batch of more."""

    def __init__(self, batch: MarketBatch) -> None:
        if batch.episodes != 1:
            raise ValueError(f"an Env is one episode, not {batch.episodes}")
        self.batch = batch
        seen, self.action_space = spaces_of(batch)
        self.observation_space = cast("spaces.Space[Observation]", seen)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        return self.batch.reset(self.np_random)[0], {}

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        seen, rewards, dones = self.batch.step([action])
        ended, ruined = bool(dones[0]), bool(self.batch.ruined[0])
        last = self.batch.final_observations[0].copy() if ended else seen[0]
        return last, float(rewards[0]), ruined, ended and not ruined, {}


class MarketVecEnv(VecEnv):
    """All episodes of a batch in one compiled step: no loop over environments, no process, no pickle."""

    def __init__(self, batch: MarketBatch, seed: int = 0) -> None:
        self.batch = batch
        self._generator = np.random.default_rng(seed)
        self._quiet: list[dict[str, Any]] = [{} for _ in range(batch.episodes)]
        self.render_mode = None
        super().__init__(batch.episodes, *spaces_of(batch))

    def reset(self) -> Observation:
        return self.batch.reset(self._generator)

    def step_async(self, actions: NDArray[Any]) -> None:
        self._chosen = actions

    def step_wait(self) -> tuple[Observation, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        seen, rewards, dones = self.batch.step(self._chosen)
        infos = self._quiet
        if dones.any():
            infos = [{} for _ in range(self.num_envs)]
            for each in np.flatnonzero(dones):
                infos[each] = {
                    "terminal_observation": self.batch.final_observations[each].copy(),
                    "TimeLimit.truncated": not self.batch.ruined[each],
                }
        return seen, rewards.astype(np.float32), dones, infos

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        if seed is not None:
            self._generator = np.random.default_rng(seed)
        return [seed] * self.num_envs

    def close(self) -> None:
        """Nothing is open."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self, attr_name)] * len(self._get_indices_list(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *arguments: Any, indices: Any = None, **named: Any) -> list[Any]:
        raise AttributeError(f"episodes of a batch are no objects: none has a {method_name}")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * len(self._get_indices_list(indices))

    def _get_indices_list(self, indices: Any) -> list[int]:
        return list(self._get_indices(indices))
