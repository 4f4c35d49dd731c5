"""The experiments of `docs/honesty.md`, small."""

import numpy as np
import pytest

from research.services.honesty_report import figures, render
from research.services.honesty_study import (
    METRICS,
    SHORT,
    YEAR,
    overfitting,
    peeked_tests,
    planted_selections,
    run,
    selections,
)


def test_mistakes_believe_in_noise_and_the_truth_does_not() -> None:
    noise = selections(SHORT, 400, seed=2)

    assert noise.believed() <= 0.01
    assert (
        min(noise.believed(trials=0.1), noise.believed(variance=1 / YEAR), noise.believed(kurtosis=-3.0))
        > 0.01
    )


def test_a_planted_edge_is_found() -> None:
    planted = planted_selections(100, seed=3)

    assert planted.believed() >= 0.8
    assert planted.believed(variance=YEAR) < 0.8


def test_a_planted_edge_is_not_overfitted() -> None:
    noise, planted = overfitting(40, seed=4)

    assert 0.4 < np.mean(noise) < 0.6
    assert np.mean(planted) < 0.1


@pytest.mark.parametrize("metric", METRICS)
def test_daily_looks_deceive_a_t_test_only(metric: str) -> None:
    found = peeked_tests(metric, 200, seed=9)

    assert found.false_by_sequence <= 0.05
    assert found.false_by_t_test > 0.15
    assert found.true_by_sequence >= 0.8


def test_the_page_tells_each_figure_and_what_was_missed() -> None:
    told: list[str] = []

    found = run(seeds=20, many_seeds=20, matrices=5, tests=5, portfolios=1, progress=told.append)
    page = render(found, command="manage.py report_honesty", commit="abc", seconds=1.0)

    assert len(told) == 6
    assert page.count("| reached |") + page.count("| **MISSED** |") == len(figures(found)) == 23
    assert "mean of 5 noise matrices (240 x 30, 10 blocks) | " in page
    missed = next(each for each in figures(found) if "noise matrices" in each.question)
    assert not missed.reached  # five are too few
