"""Figures that Bailey and López de Prado published, formulas by SciPy, and simulation."""

from math import inf, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from research.engine.overfitting import (
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    minimum_backtest_length,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
)


def test_probabilistic_sharpe_of_two_years_of_a_hedge_fund_as_published() -> None:
    """The Sharpe Ratio Efficient Frontier, p. 13: 24 months with a Sharpe ratio of 0.458."""
    sharpe = 0.458

    assert probabilistic_sharpe_ratio(sharpe, 24, 0, 3) == pytest.approx(0.982, abs=5e-4)
    assert probabilistic_sharpe_ratio(sharpe, 24, -2.448, 10.164) == pytest.approx(0.913, abs=5e-4)


@pytest.mark.parametrize(
    ("periods", "skew", "kurtosis", "years"),
    [(252, 0, 3, 2.73), (52, 0, 3, 2.83), (12, 0, 3, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_track_record_for_two_against_one_as_published(
    periods: int, skew: float, kurtosis: float, years: float
) -> None:
    """As above, p. 19: an annual Sharpe ratio of 2 shown to be above 1 with 95 %."""
    found = minimum_track_record_length(2 / sqrt(periods), skew, kurtosis, 1 / sqrt(periods))

    assert found / periods == pytest.approx(years, abs=0.006)


@pytest.mark.parametrize(
    ("skew", "kurtosis", "trials", "published"),
    [(-3, 10, 100, 0.9004), (-3, 10, 46, 0.9505), (0, 3, 88, 0.9505)],
)
def test_deflated_sharpe_as_published(skew: float, kurtosis: float, trials: int, published: float) -> None:
    """The Deflated Sharpe Ratio, p. 9-10: annual 2.5, five years of days, variance of the trials 0.5."""
    found = deflated_sharpe_ratio(2.5 / sqrt(250), 1250, skew, kurtosis, trials, 0.5 / 250)

    assert found == pytest.approx(published, abs=1e-4)
    assert expected_maximum_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)


def test_five_years_allow_no_more_than_45_trials_as_published() -> None:
    """Pseudo-Mathematics and Financial Charlatanism, p. 463."""
    assert minimum_backtest_length(45) == pytest.approx(5, abs=0.05)
    assert minimum_backtest_length(45, 0.5) == pytest.approx(4 * minimum_backtest_length(45))
    assert minimum_backtest_length(1) == 0


@pytest.mark.parametrize("trials", [2, 5, 10, 100, 1_000])
def test_expected_maximum_agrees_with_its_integral(trials: int) -> None:
    draws = np.linspace(-9, 9, 200_001)
    exact = np.trapezoid(
        draws * trials * stats.norm.pdf(draws) * stats.norm.cdf(draws) ** (trials - 1), draws
    )

    assert expected_maximum_sharpe(trials, 1.0) == pytest.approx(exact, rel=0.09 if trials < 10 else 0.025)


def test_expected_maximum_of_one_trial_is_zero_and_grows_with_each_more() -> None:
    found = [expected_maximum_sharpe(trials, 0.04) for trials in (1, 1.01, 2, 3, 10, 1e3, 1e15)]

    assert found[:2] == [0, 0]
    assert found[1:] == sorted(found[1:])
    assert expected_maximum_sharpe(50, 0.0) == 0


@given(
    sharpe=st.floats(-2, 2),
    observations=st.integers(2, 10_000),
    skew=st.floats(-4, 4),
    heavier=st.floats(0, 20),
    benchmark=st.floats(-1, 1),
)
def test_probabilistic_sharpe_agrees_with_scipy(
    sharpe: float, observations: int, skew: float, heavier: float, benchmark: float
) -> None:
    kurtosis = 1.01 + skew**2 + heavier
    error = sqrt((1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2) / (observations - 1))

    found = probabilistic_sharpe_ratio(sharpe, observations, skew, kurtosis, benchmark)

    assert found == pytest.approx(stats.norm.cdf(sharpe, benchmark, error), abs=1e-12)


@given(st.floats(0.02, 1), st.floats(-2, 2), st.floats(0.5, 0.999))
def test_track_record_is_where_the_probability_reaches_the_confidence(
    sharpe: float, skew: float, confidence: float
) -> None:
    found = minimum_track_record_length(sharpe, skew, 7.0, 0.01, confidence)

    assert probabilistic_sharpe_ratio(sharpe, max(found, 2), skew, 7.0, 0.01) >= confidence - 1e-12
    if found > 2:
        assert probabilistic_sharpe_ratio(sharpe, found, skew, 7.0, 0.01) == pytest.approx(confidence)


def test_no_record_is_long_enough_for_what_is_not_above_its_benchmark() -> None:
    assert minimum_track_record_length(0.1, 0, 3, 0.1) == inf
    assert minimum_track_record_length(-0.1, 0, 3) == inf


def test_probability_is_uniform_where_the_benchmark_is_the_truth() -> None:
    returns = np.random.default_rng(1).normal(0.1, 1, (4_000, 250))
    sharpes = returns.mean(axis=1) / returns.std(axis=1, ddof=1)

    found = [probabilistic_sharpe_ratio(each, 250, 0, 3, 0.1) for each in sharpes]

    assert stats.kstest(found, "uniform").pvalue > 0.01


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: probabilistic_sharpe_ratio(nan, 100, 0, 3), "sharpe must be a finite number"),
        (lambda: probabilistic_sharpe_ratio(0.1, 100, inf, 3), "skew must be a finite number"),
        (lambda: probabilistic_sharpe_ratio(0.1, 100, 0, nan), "kurtosis must be a finite number"),
        (lambda: probabilistic_sharpe_ratio(0.1, 100, 0, 3, nan), "benchmark_sharpe must be a finite number"),
        (lambda: probabilistic_sharpe_ratio(0.1, 1, 0, 3), "too few"),
        (lambda: probabilistic_sharpe_ratio(2.5, 100, 0, 0), "kurtosis"),
        (lambda: minimum_track_record_length(0.1, 0, 3, confidence=1), "confidence"),
        (lambda: minimum_track_record_length(inf, 0, 3), "sharpe must be a finite number"),
        (lambda: expected_maximum_sharpe(0, 1), "trials must be at least 1"),
        (lambda: expected_maximum_sharpe(nan, 1), "trials must be a finite number"),
        (lambda: expected_maximum_sharpe(10, -1), "variance must not be negative"),
        (lambda: expected_maximum_sharpe(10, nan), "variance must be a finite number"),
        (lambda: deflated_sharpe_ratio(0.1, 1, 0, 3, 10, 0.01), "too few"),
        (lambda: minimum_backtest_length(10, 0), "target_sharpe must be positive"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]


def best_of_noise(*, observations: int, trials: int, seeds: int) -> np.ndarray:
    """(seeds, 4): Sharpe, skew and kurtosis of the best of `trials`, and the variance over them."""
    rng = np.random.default_rng(7)
    found = np.empty((seeds, 4))
    for seed in range(seeds):
        returns = rng.standard_normal((observations, trials))
        sharpes = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
        best = returns[:, sharpes.argmax()]
        found[seed] = sharpes.max(), stats.skew(best), stats.kurtosis(best, fisher=False), sharpes.var(ddof=1)
    return found


def test_the_best_of_noise_is_as_good_as_expected_and_believed_in_one_of_a_hundred_at_most() -> None:
    found = best_of_noise(observations=250, trials=100, seeds=200)

    assert found[:, 0].mean() == pytest.approx(expected_maximum_sharpe(100, found[:, 3].mean()), rel=0.05)
    believed = [deflated_sharpe_ratio(s, 250, skew, kurt, 100, v) > 0.95 for s, skew, kurt, v in found]
    forgotten = [deflated_sharpe_ratio(s, 250, skew, kurt, 10, v) > 0.95 for s, skew, kurt, v in found]
    assert np.mean(believed) <= 0.01 < np.mean(forgotten)
