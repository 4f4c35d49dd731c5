"""The page about the gate holds what was measured, and the command fails when a goal is missed."""

from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command

from research.services.gate_report import Found, render


def test_the_page_tells_both_bounds_and_what_they_let_through(tmp_path: Path) -> None:
    page = tmp_path / "evidence.md"
    call_command("report_evidence", kinds=100, markdown=page)
    text = page.read_text()
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
