"""A stored policy: its arithmetic, and what it refuses to load."""

import io
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals.engine.packing import pack_arrays
from signals.engine.policy import Policy, load


def small(activation: str = "relu") -> Policy:
    return Policy(
        algorithm="dqn",
        activation=activation,
        weights=(np.array([[1, -1], [2, 0]], np.float32), np.array([[1, 0], [0, 3]], np.float32)),
        biases=(np.array([0, 1], np.float32), np.array([0, -1], np.float32)),
    )


def test_scores_of_a_small_network_by_hand() -> None:
    # relu([1*1 + 2*2, -1 + 1]) = [5, 0] -> [5, -1]; relu([-3, 4]) = [0, 4] -> [0, 11]
    assert small().scores([[1, 2], [-3, 0]]).tolist() == [[5, -1], [0, 11]]
    assert small().act([[1, 2], [-3, 0]]).tolist() == [0, 1]


def test_file_gives_the_same_policy_and_the_same_bytes() -> None:
    stored = small("tanh").to_npz()
    again = load(stored)
    assert again.to_npz() == stored
    assert again.activation == "tanh"


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_bytes_that_are_no_policy_are_refused(rubbish: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        load(rubbish)


@given(st.integers(0, 10_000), st.integers(0, 255))
@settings(max_examples=100)
def test_altered_file_is_refused_or_is_still_a_finite_policy(place: int, byte: int) -> None:
    stored = bytearray(small().to_npz())
    stored[place % len(stored)] = byte
    try:
        policy = load(bytes(stored))
    except ValueError:
        return
    assert all(np.isfinite(each).all() for each in policy.weights)


def test_pickles_do_not_run() -> None:
    archive = io.BytesIO()
    np.savez(archive, layers=np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="plain arrays"):
        load(archive.getvalue())
    with pytest.raises(ValueError, match="plain arrays"):
        load(pickle.dumps(print))


@pytest.mark.parametrize(
    "change",
    [
        {"weight_0": np.array([[np.nan, 0], [0, 0]], np.float32)},
        {"weight_1": np.zeros((3, 2), np.float32)},
        {"bias_0": np.zeros(3, np.float32)},
        {"activation": np.array("exec")},
        {"layers": np.array(3)},
    ],
)
def test_layers_that_do_not_fit_are_refused(change: dict[str, np.ndarray]) -> None:
    policy = small()
    arrays = {
        "algorithm": np.array("dqn"),
        "activation": np.array("relu"),
        "layers": np.array(2),
        "weight_0": policy.weights[0],
        "weight_1": policy.weights[1],
        "bias_0": policy.biases[0],
        "bias_1": policy.biases[1],
    }
    assert load(pack_arrays(arrays)).actions == 2
    with pytest.raises(ValueError, match=r"."):
        load(pack_arrays(arrays | change))
