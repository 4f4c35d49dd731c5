"""What may be believed: of noise nothing, of an edge what its record carries."""

from math import inf, isnan, sqrt

import numpy as np
import pytest
from scipy import stats

from research.engine.overfitting import deflated_sharpe_ratio, minimum_track_record_length
from research.engine.verdict import Belief, verdict


def record(sharpe: float, periods: int = 500, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(periods)
    return 0.01 * (sharpe + (noise - noise.mean()) / noise.std(ddof=1))


def test_the_numbers_are_those_of_the_engine() -> None:
    returns = record(0.12)

    found = verdict(returns, periods_per_year=365, trials=20, trials_variance=0.002)

    moments = stats.skew(returns), stats.kurtosis(returns, fisher=False)
    assert found.sharpe_ratio == pytest.approx(0.12 * sqrt(365))
    assert found.deflated == pytest.approx(deflated_sharpe_ratio(0.12, 500, *moments, 20, 0.002))
    assert found.needed == pytest.approx(minimum_track_record_length(0.12, *moments, found.luck / sqrt(365)))
    assert found.interval.low < found.sharpe_ratio < found.interval.high


@pytest.mark.parametrize(
    ("sharpe", "trials", "overfitting", "belief", "words"),
    [
        (0.2, 1, None, Belief.BELIEVABLE, "It may be believed: a Sharpe ratio of 3.82 a year"),
        (0.25, 100, 0.02, Belief.BELIEVABLE, "the best of 100 trials shows 2.16 by luck alone"),
        (0.25, 100, 0.3, Belief.FRAGILE, "in 30% of the splits of history"),
        (0.14, 100, None, Belief.UNPROVEN, "such periods would do"),
        (0.1, 100, None, Belief.LUCK, "Luck explains it"),
        (-0.1, 1, None, Belief.NOTHING, "There is nothing to believe"),
    ],
)
def test_belief_follows_trials_record_and_overfitting(
    sharpe: float, trials: int, overfitting: float | None, belief: Belief, words: str
) -> None:
    found = verdict(record(sharpe), periods_per_year=365, trials=trials, overfitting=overfitting)

    assert found.belief is belief
    assert words in found.sentence
    assert found.sentence.count(". ") == 0
    assert "n = 500" in found.sentence


@pytest.mark.parametrize(
    ("returns", "trades", "words"),
    [
        (record(0.5, 29), None, "29 periods are too few"),
        (record(0.5), 12, "12 trades are too few"),
        (np.full(100, 0.01), None, "never vary"),
        ([], None, "0 periods are too few"),
    ],
)
def test_too_little_is_nothing_to_believe(returns: np.ndarray, trades: int | None, words: str) -> None:
    found = verdict(returns, periods_per_year=365, trials=3, trades=trades)

    assert found.belief is Belief.NOTHING
    assert words in found.sentence
    assert isnan(found.deflated)
    assert found.needed == inf


def test_of_the_best_of_noise_nothing_is_believed() -> None:
    rng = np.random.default_rng(5)
    for _ in range(10):
        returns = rng.standard_normal((400, 100)) / 100
        sharpes = returns.mean(axis=0) / returns.std(axis=0, ddof=1)

        found = verdict(
            returns[:, sharpes.argmax()],
            periods_per_year=365,
            trials=100,
            trials_variance=float(sharpes.var(ddof=1)),
        )

        assert found.belief in {Belief.LUCK, Belief.UNPROVEN}


def test_forgotten_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="trials must be at least 1"):
        verdict(record(0.2), periods_per_year=365, trials=0)
