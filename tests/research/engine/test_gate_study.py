"""The bound of the gate holds over kinds that are known to earn nothing, and lets skill through."""

import numpy as np
import pytest

from research.engine.gate_study import SHAPES, draw, noise, power, share_passing
from signals.engine.evidence import PROVEN_ERRORS


@pytest.mark.parametrize("shape", SHAPES)
def test_of_200_kinds_of_noise_at_most_one_in_twenty_ever_passes_in_two_years(shape: str) -> None:
    assert share_passing(noise(shape, kinds=200, seed=11), PROVEN_ERRORS) <= 0.05


@pytest.mark.parametrize("shape", SHAPES)
def test_a_kind_with_skill_and_600_outcomes_passes(shape: str) -> None:
    found = power(shape, errors=PROVEN_ERRORS, kinds=200, outcomes=600, skill=0.3, seed=12)
    assert found >= 0.9


@pytest.mark.parametrize("shape", SHAPES)
def test_noise_has_the_mean_that_it_is_said_to_have(shape: str) -> None:
    drawn = draw(shape, per_day=40, skill=0.0, days=7_000, rng=np.random.default_rng(1))
    assert drawn.r_multiple.mean() == pytest.approx(0, abs=0.03)
