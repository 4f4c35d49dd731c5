"""A training in the middle as plain arrays: parameters, optimiser, step and generators; no zip of stable-baselines3.

A replay buffer is not kept: what it held is collected anew.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm

from research.trainers.value_learner import ValueLearner
from signals.engine.packing import pack_arrays, read_arrays

PARAMETER, OPTIMISER = "parameter/", "optimiser/"
MEASURED = ("middle", "deviation", "reward_deviation")


def snapshot(model: BaseAlgorithm) -> bytes:
    arrays: dict[str, NDArray[Any]] = {
        PARAMETER + name: value.detach().cpu().numpy() for name, value in model.policy.state_dict().items()
    }
    for number, state in model.policy.optimizer.state_dict()["state"].items():
        arrays |= {f"{OPTIMISER}{number}/{name}": value.cpu().numpy() for name, value in state.items()}
    _, keys, place, has_gauss, gauss = np.random.get_state(legacy=True)
    arrays |= {
        "step": np.array(model.num_timesteps),
        "updates": np.array(model._n_updates),  # noqa: SLF001  (part of what goes on)
        "torch_generator": torch.get_rng_state().numpy(),
        "numpy_keys": np.asarray(keys),
        "numpy_rest": np.array([place, has_gauss, gauss], dtype=np.float64),
    }
    if isinstance(model, ValueLearner):
        arrays |= {name: np.asarray(getattr(model, name)) for name in MEASURED}
    return pack_arrays(arrays)


def restore(model: BaseAlgorithm, kept: bytes) -> None:
    """Make a fresh model go on from a snapshot; ValueError for bytes that are none of such a model."""
    arrays = read_arrays(kept)
    try:
        model.policy.load_state_dict(
            {
                name.removeprefix(PARAMETER): torch.as_tensor(value)
                for name, value in arrays.items()
                if name.startswith(PARAMETER)
            }
        )
        optimiser = model.policy.optimizer.state_dict()
        state: dict[int, dict[str, Any]] = {}
        for name, value in arrays.items():
            if name.startswith(OPTIMISER):
                number, part = name.removeprefix(OPTIMISER).split("/")
                state.setdefault(int(number), {})[part] = torch.as_tensor(value)
        model.policy.optimizer.load_state_dict(optimiser | {"state": state})
        model.num_timesteps, model._n_updates = int(arrays["step"]), int(arrays["updates"])  # noqa: SLF001
        if isinstance(model, ValueLearner):
            model.middle, model.deviation = (arrays[name] for name in MEASURED[:2])
            model.reward_deviation = float(arrays[MEASURED[2]])
            model.adopt()
        torch.set_rng_state(torch.as_tensor(arrays["torch_generator"]))
        place, has_gauss, gauss = arrays["numpy_rest"]
        np.random.set_state(("MT19937", arrays["numpy_keys"], int(place), int(has_gauss), gauss))
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"these arrays are no snapshot of such a training: {error}") from error
