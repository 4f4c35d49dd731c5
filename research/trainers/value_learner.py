"""Stable-baselines3's DQN with its own step of the optimiser: what the large batch trains with.

It differs from DQN in what helps on markets, where one step's reward is mostly noise and costs are rare and dear: what
an action is worth next is told by the target of the network's own choice, the target follows slowly, the error is
squared, and observations and rewards are counted in deviations of what was seen before the first step.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import DQN
from stable_baselines3.common.buffers import ReplayBuffer

from research.trainers.value_update import Float32Array, forward, improve

LEVEL = 0.02
LEAST_DEVIATION = 1e-8


class ValueLearner(DQN):
    """tau: how far the target follows at each step of the optimiser. The network is the default of MlpPolicy."""

    replay_buffer: ReplayBuffer

    def _setup_model(self) -> None:
        super()._setup_model()
        wide = int(np.prod(self.observation_space.shape or (1,)))
        # Of observations and of rewards; not known before the first step of the optimiser.
        self.middle, self.deviation = np.zeros(wide, np.float32), np.ones(wide, np.float32)
        self.reward_deviation = 0.0
        self.adopt()

    def adopt(self) -> None:
        """Put the numbers of torch's networks and optimiser into arrays that both sides use."""
        for network in (self.q_net, self.q_net_target):
            network.to("cpu")
        optimiser = self.policy.optimizer
        kept = [optimiser.state.get(each, {}) for each in self.q_net.parameters()]
        self.numbers, self.targets = (in_one_array(each) for each in (self.q_net, self.q_net_target))
        self.first, self.second = np.zeros_like(self.numbers), np.zeros_like(self.numbers)
        self.step = torch.zeros(())
        start = 0
        for part, state in zip(self.q_net.parameters(), kept, strict=True):
            place = slice(start, start + part.numel())
            moments = {"exp_avg": self.first, "exp_avg_sq": self.second}
            for name, array in moments.items():
                if name in state:
                    array[place] = state[name].numpy().ravel()
            if "step" in state:
                self.step = torch.as_tensor(state["step"])
            optimiser.state[part] = {
                name: torch.from_numpy(array[place]).view(part.shape) for name, array in moments.items()
            }
            start = place.stop
        for part in self.q_net.parameters():
            optimiser.state[part]["step"] = self.step

    def _on_step(self) -> None:
        """The target follows in `train`."""
        self._n_calls += 1
        self.exploration_rate = self.exploration_schedule(self._current_progress_remaining)

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        rate = self.lr_schedule(self._current_progress_remaining)
        buffer = self.replay_buffer
        held = (buffer.buffer_size if buffer.full else buffer.pos) * buffer.n_envs
        seen, seen_next, actions, rewards, dones, timeouts = (
            each.reshape(buffer.buffer_size * buffer.n_envs, -1)
            for each in (
                buffer.observations,
                buffer.next_observations,
                buffer.actions,
                buffer.rewards,
                buffer.dones,
                buffer.timeouts,
            )
        )
        if self.reward_deviation == 0:
            self._measure(seen[:held], rewards[:held])
        for _ in range(gradient_steps):
            drawn = np.random.randint(held, size=batch_size)  # the generator that a snapshot keeps
            self.step += 1
            improve(
                self.numbers,
                self.targets,
                self.first,
                self.second,
                int(self.step),
                self.q_net.net_arch[0],
                self._count,
                self._in_deviations(seen[drawn]),
                actions[drawn, 0],
                rewards[drawn, 0] / np.float32(self.reward_deviation),
                self._in_deviations(seen_next[drawn]),
                1 - dones[drawn, 0] * (1 - timeouts[drawn, 0]),
                self.gamma,
                rate,
                self.max_grad_norm,
                self.tau,
                LEVEL,
            )
        self._n_updates += gradient_steps

    def predict(
        self,
        observation: Any,
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,  # noqa: FBT001, FBT002  (DQN's)
    ) -> tuple[NDArray[Any], tuple[NDArray[Any], ...] | None]:
        """As DQN's, for many observations at once."""
        seen = np.asarray(observation)
        if not deterministic and np.random.rand() < self.exploration_rate:
            return np.random.randint(self._count, size=len(seen)), state
        given = self._in_deviations(seen.reshape(len(seen), -1))
        return self.values(given).argmax(axis=1), state

    def values(self, given: Float32Array) -> Float32Array:
        found: Float32Array = forward(self.numbers, given, self.q_net.net_arch[0], self._count)[2]
        return found

    @property
    def _count(self) -> int:
        return int(self.action_space.n)  # type: ignore[attr-defined]

    def _in_deviations(self, seen: NDArray[Any]) -> Float32Array:
        found: Float32Array = ((seen - self.middle) / self.deviation).astype(np.float32)
        return found

    def _measure(self, seen: NDArray[Any], rewards: NDArray[Any]) -> None:
        """A number that never changes stays as it is."""
        self.middle = seen.mean(axis=0, dtype=np.float64).astype(np.float32)
        deviation = seen.std(axis=0, dtype=np.float64)
        self.deviation = np.where(deviation > LEAST_DEVIATION, deviation, 1).astype(np.float32)
        spread = float(rewards.std(dtype=np.float64))
        self.reward_deviation = spread if spread > LEAST_DEVIATION else 1.0


def in_one_array(network: torch.nn.Module) -> Float32Array:
    """The numbers of a network one after the other, in an array that from now on the network itself uses."""
    parts = list(network.parameters())
    flat = np.concatenate([each.detach().numpy().ravel() for each in parts])
    start = 0
    for each in parts:
        each.data = torch.from_numpy(flat[start : start + each.numel()]).view(each.shape)
        start += each.numel()
    return flat
