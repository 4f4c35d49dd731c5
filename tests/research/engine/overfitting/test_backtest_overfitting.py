"""Combinatorially symmetric cross-validation against a loop over every halving, and on noise."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from research.engine.overfitting import probability_of_backtest_overfitting, symmetric_validation


def by_loop(returns: np.ndarray, splits: int) -> float:
    rows = len(returns) // splits * splits
    blocks = np.split(returns[len(returns) - rows :], splits)
    logits = []
    for inside in combinations(range(splits), splits // 2):
        train = np.concatenate([blocks[each] for each in inside])
        test = np.concatenate([blocks[each] for each in range(splits) if each not in inside])
        best = np.argmax(train.mean(axis=0) / train.std(axis=0, ddof=1))
        ranks = rankdata(test.mean(axis=0) / test.std(axis=0, ddof=1))
        share = ranks[best] / (returns.shape[1] + 1)
        logits.append(np.log(share / (1 - share)))
    return float(np.mean(np.array(logits) <= 0))


@given(
    seed=st.integers(0, 10_000),
    splits=st.sampled_from([2, 4, 6, 8]),
    periods=st.integers(24, 61),
    trials=st.integers(2, 9),
)
def test_agrees_with_a_loop_over_every_halving(seed: int, splits: int, periods: int, trials: int) -> None:
    returns = np.random.default_rng(seed).normal(0.001, 0.02, (periods, trials))

    assert probability_of_backtest_overfitting(returns, splits) == pytest.approx(by_loop(returns, splits))


def test_rows_that_do_not_divide_are_dropped_from_the_start() -> None:
    returns = np.random.default_rng(3).normal(0, 1, (83, 5))
    longer = np.vstack((np.full((5, 5), 1e6), returns[3:]))

    assert probability_of_backtest_overfitting(longer, 8) == by_loop(returns[3:], 8)


def test_a_trial_better_everywhere_is_never_overfitted() -> None:
    returns = np.random.default_rng(4).normal(0, 0.01, (400, 10))
    returns[:, 3] += 0.05

    found = symmetric_validation(returns, 10)

    assert found.probability == 0
    assert found.probability_of_loss == 0
    assert (found.chosen == 3).all()


def test_noise_is_overfitted_about_every_other_time() -> None:
    rng = np.random.default_rng(5)
    found = [probability_of_backtest_overfitting(rng.standard_normal((120, 20)), 8) for _ in range(200)]

    assert 0.4 < np.mean(found) < 0.6


def test_equal_trials_share_their_rank() -> None:
    one = np.random.default_rng(6).normal(0.1, 1, (64, 1))

    assert (symmetric_validation(np.hstack((one, one, one)), 8).logits == 0).all()


def test_a_trial_that_does_nothing_has_a_sharpe_of_zero() -> None:
    rng = np.random.default_rng(7)
    losing = rng.normal(-0.5, 0.01, (40, 2))
    returns = np.hstack((np.zeros((40, 1)), losing))

    found = symmetric_validation(returns, 4)

    assert (found.chosen == 0).all()
    assert (found.out_of_sample == 0).all()
    assert found.probability == 0


def test_a_constant_gain_is_the_best_and_stays_the_best() -> None:
    returns = np.hstack((np.full((40, 1), 0.01), np.random.default_rng(8).normal(0, 1, (40, 3))))

    assert probability_of_backtest_overfitting(returns, 4) == 0


@pytest.mark.parametrize(
    ("returns", "splits", "words"),
    [
        (np.zeros((10, 1)), 2, "two trials"),
        (np.zeros(10), 2, "periods x trials"),
        (np.zeros((10, 2)), 3, "even number"),
        (np.zeros((10, 2)), 0, "even number"),
        (np.zeros((3, 2)), 4, "too few"),
        (np.zeros((2, 2)), 2, "too few"),
        (np.full((10, 2), np.nan), 2, "finite"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_words(returns: np.ndarray, splits: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        probability_of_backtest_overfitting(returns, splits)
