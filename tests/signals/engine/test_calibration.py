"""Calibration against known processes, scikit-learn and the promises of its docstring."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from signals.engine.calibration import (
    FEWEST_OUTCOMES,
    Calibration,
    Method,
    expected_calibration_error,
    fit_calibration,
)
from signals.engine.candle import FloatArray

PROCESSES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "square": lambda s: s**2,
    "overconfident": lambda s: 1 / (1 + np.exp(-(0.4 * np.log(s / (1 - s)) - 0.5))),
    "line": lambda s: 0.3 + 0.4 * s,
    "step": lambda s: np.where(s > 0.5, 0.7, 0.2),
}


def draw(process: Callable[[FloatArray], FloatArray], n: int, seed: int = 1) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.001, 0.999, n)
    return scores, (rng.random(n) < process(scores)).astype(np.float64)


@pytest.mark.parametrize("name", PROCESSES)
def test_probabilities_hold_on_outcomes_not_seen_where_raw_scores_do_not(name: str) -> None:
    fitted = fit_calibration(*draw(PROCESSES[name], 5_000))
    scores, outcomes = draw(PROCESSES[name], 50_000, seed=2)
    assert expected_calibration_error(scores, outcomes) > 0.1
    assert expected_calibration_error(fitted.probability(scores), outcomes) <= 0.03
    assert fitted.brier < fitted.base_brier


def test_scores_that_come_sorted_are_calibrated_as_well() -> None:
    scores, outcomes = draw(PROCESSES["step"], 5_000)
    order = np.argsort(scores)
    fitted = fit_calibration(scores[order], outcomes[order])
    fresh, ended = draw(PROCESSES["step"], 50_000, seed=2)
    assert expected_calibration_error(fitted.probability(fresh), ended) <= 0.03


def test_score_without_information_gets_the_base_rate() -> None:
    scores, outcomes = draw(lambda s: np.full_like(s, 0.4), 5_000)
    fitted = fit_calibration(scores, outcomes)
    assert fitted.method is Method.BASE_RATE
    assert not fitted.is_informative
    assert fitted.probability([0.1, 0.9]) == pytest.approx([0.4, 0.4], abs=0.02)


def test_score_that_ranks_the_wrong_way_round_is_not_turned() -> None:
    fitted = fit_calibration(*draw(lambda s: 1 - s, 2_000))
    assert fitted.method is Method.BASE_RATE


def test_isotonic_map_is_scikit_learns_but_for_the_pull_to_the_base_rate() -> None:
    scores, outcomes = draw(PROCESSES["step"], 5_000)
    fitted = fit_calibration(scores, outcomes)
    assert fitted.method is Method.ISOTONIC
    peer = IsotonicRegression(out_of_bounds="clip").fit(scores, outcomes)
    asked = np.linspace(0.05, 0.95, 181)
    assert np.abs(fitted.probability(asked) - peer.predict(asked)).mean() < 0.01


def test_scores_beyond_ratios_are_taken() -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(0, 3, 4_000)
    outcomes = (rng.random(4_000) < 1 / (1 + np.exp(-scores))).astype(float)
    fitted = fit_calibration(scores, outcomes)
    assert fitted.method in (Method.LOGISTIC, Method.ISOTONIC)
    assert fitted.probability([-3.0, 0.0, 3.0]) == pytest.approx([0.047, 0.5, 0.953], abs=0.04)


@pytest.mark.parametrize("outcomes", [[1.0] * 200, [0.0] * 200, [1.0, 0.0] * (FEWEST_OUTCOMES // 2 - 1)])
def test_too_little_to_fit_gives_the_base_rate_with_laplace(outcomes: list[float]) -> None:
    fitted = fit_calibration(np.linspace(0, 1, len(outcomes)), outcomes)
    expected = (sum(outcomes) + 1) / (len(outcomes) + 2)
    assert fitted.probability(0.3) == pytest.approx(expected)
    assert np.isnan(fitted.brier)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from(sorted(PROCESSES)), st.integers(FEWEST_OUTCOMES, 400))
def test_probabilities_never_fall_as_scores_rise(seed: int, name: str, n: int) -> None:
    fitted: Calibration = fit_calibration(*draw(PROCESSES[name], n, seed))
    told = fitted.probability(np.linspace(0, 1, 201))
    assert (np.diff(told) >= -1e-12).all()
    assert told.min() >= 0
    assert told.max() <= 1


def test_shape_is_kept_and_missing_scores_stay_missing() -> None:
    fitted = fit_calibration(*draw(PROCESSES["square"], 500))
    told = fitted.probability([[0.2, np.nan], [0.8, 0.5]])
    assert told.shape == (2, 2)
    assert np.isnan(told[0, 1])


@pytest.mark.parametrize(
    ("scores", "outcomes"),
    [([], []), ([0.5], [1, 0]), ([np.nan, 0.5], [1, 0]), ([0.1, 0.2], [0.5, 1]), ([np.inf], [1])],
)
def test_rubbish_is_refused(scores: list[float], outcomes: list[float]) -> None:
    with pytest.raises(ValueError, match=r"score|outcome"):
        fit_calibration(scores, outcomes)


def test_calibration_error_of_a_known_table() -> None:
    # Two bins of two: promised 0.1 and seen 0.5, promised 0.8 and seen 1.
    assert expected_calibration_error([0.1, 0.1, 0.8, 0.8], [0, 1, 1, 1], bins=2) == pytest.approx(0.3)
