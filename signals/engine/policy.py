"""A trained policy as plain arrays, evaluated by numpy: deciding needs no torch, and loading runs no code.

A policy is a small fully connected network from an observation to one number per action; the action with
the greatest number is taken (the greedy action of PPO and of DQN alike).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signals.engine.packing import pack_arrays, read_arrays

Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]
ACTIVATIONS = ("tanh", "relu")
ALGORITHMS = ("ppo", "dqn")


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """weights: float32 (inputs, outputs) a layer; biases: (outputs,). The last layer has no activation."""

    algorithm: str
    activation: str
    weights: tuple[Float32Array, ...]
    biases: tuple[Float32Array, ...]

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS or self.activation not in ACTIVATIONS:
            raise ValueError(f"no policy of {self.algorithm!r} with {self.activation!r} is known")
        if not self.weights or len(self.weights) != len(self.biases):
            raise ValueError("a policy needs layers, each with weights and a bias")
        width = self.weights[0].shape[0]
        for weight, bias in zip(self.weights, self.biases, strict=True):
            if weight.ndim != 2 or bias.shape != (weight.shape[1],) or weight.shape[0] != width or width == 0:
                raise ValueError(f"layers do not fit: {[each.shape for each in self.weights]}")
            if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise ValueError("a policy's numbers must be finite")
            width = weight.shape[1]
        if width == 0:
            raise ValueError("a policy needs at least one action")

    @property
    def inputs(self) -> int:
        """Numbers in an observation."""
        return int(self.weights[0].shape[0])

    @property
    def actions(self) -> int:
        return int(self.weights[-1].shape[1])

    def scores(self, observations: ArrayLike) -> Float32Array:
        """One number per action, (n, actions), of observations (n, inputs).

        PPO's are logits, DQN's are values. ValueError for another shape.
        """
        hidden = np.asarray(observations, dtype=np.float32)
        if hidden.ndim != 2 or hidden.shape[1] != self.inputs:
            raise ValueError(f"observations must be (n, {self.inputs}), not {hidden.shape}")
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = hidden @ weight + bias
            hidden = np.tanh(hidden) if self.activation == "tanh" else np.maximum(hidden, 0)
        told: Float32Array = hidden @ self.weights[-1] + self.biases[-1]
        return told

    def act(self, observations: ArrayLike) -> IntArray:
        """The greedy action of each observation, (n, inputs) -> int64 (n,)."""
        return self.scores(observations).argmax(axis=1).astype(np.int64)

    def to_npz(self) -> bytes:
        """What `load` reads; the same policy gives the same bytes."""
        arrays: dict[str, NDArray[np.generic]] = {
            "algorithm": np.array(self.algorithm),
            "activation": np.array(self.activation),
            "layers": np.array(len(self.weights)),
        }
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            arrays |= {f"weight_{number}": weight, f"bias_{number}": bias}
        return pack_arrays(arrays)


def load(stored: bytes) -> Policy:
    """The policy of `Policy.to_npz`; ValueError when the bytes do not hold one."""
    arrays = read_arrays(stored)
    try:
        layers = int(arrays["layers"])
        return Policy(
            algorithm=str(arrays["algorithm"]),
            activation=str(arrays["activation"]),
            weights=tuple(np.asarray(arrays[f"weight_{number}"], np.float32) for number in range(layers)),
            biases=tuple(np.asarray(arrays[f"bias_{number}"], np.float32) for number in range(layers)),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"these arrays hold no policy: {error}") from error
