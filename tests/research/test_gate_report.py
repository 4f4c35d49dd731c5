"""The page about the gate holds what was measured."""

import numpy as np
import pytest

from research.services.gate_report import Found, measure, render


def test_the_page_tells_both_bounds_and_what_they_let_through() -> None:
    found = measure(kinds=60, seed=1, progress=lambda step: None)
    text = render(found, command="command", commit="abc")
    assert "m = 3 standard errors" in text
    assert "| trailing stop |" in text
    assert "trend rule" in text


def test_shares_are_those_of_the_best_days() -> None:
    found = Found("made up", np.array([0.5, 1.5, 2.6, 3.2]), 0.95, 1.0)
    text = render([found], command="command", commit="abc")
    assert "| made up | 75.0% | 50.0% | 50.0% | 25.0% | 0.0% | 0.0% |" in text
    assert not found.holds


@pytest.mark.parametrize(("power", "holds"), [(0.9, True), (0.89, False)])
def test_a_bound_that_keeps_skill_out_does_not_hold(power: float, holds: bool) -> None:
    assert Found("made up", np.zeros(9), power, 1.0).holds is holds
