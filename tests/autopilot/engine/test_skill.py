"""Baselines and the clustered bound, against arithmetic on paper and a simulation."""

import numpy as np
import pytest
from scipy.stats import t as student

from autopilot.engine.skill import (
    best_paid,
    class_frequencies,
    constant_choice,
    frequencies_given_rule,
    gain_bound,
    row_log_loss,
)


def test_baselines_of_a_small_table() -> None:
    labels = np.array([0, 0, 1])
    assert class_frequencies(labels) == pytest.approx([3 / 8, 2 / 8, 1 / 8, 1 / 8, 1 / 8])
    assert constant_choice(0, labels) == pytest.approx([0.6, 0.1, 0.1, 0.1, 0.1])
    told = frequencies_given_rule(np.array([2, 2, 4]), labels)
    assert told.sum(axis=1) == pytest.approx(1.0)
    assert told[2] == pytest.approx((np.array([2, 0, 0, 0, 0]) + 5 * class_frequencies(labels)) / 7)
    assert told[0] == pytest.approx(class_frequencies(labels))


def test_best_paid_group_leaves_out_what_never_traded() -> None:
    results = np.array([[0.1, np.nan, np.nan, -1.0, 0.2], [0.3, np.nan, np.nan, -1.0, 0.1]])
    assert best_paid(results) == 0


def test_log_loss_of_a_row_is_minus_the_logarithm_of_what_its_label_was_given() -> None:
    told = np.array([[0.5, 0.5, 0, 0, 0], [1.0, 0, 0, 0, 0]])
    assert row_log_loss(told, np.array([1, 1])) == pytest.approx([np.log(2), -np.log(1e-6)])


def test_bound_of_single_rows_is_students_when_neighbours_share_nothing() -> None:
    gains = np.array([0.1, -0.1, 0.4, 0.0, 0.2, 0.1, -0.2, 0.3])
    apart = np.arange(len(gains)) * 10
    error = gains.std(ddof=1) / np.sqrt(len(gains))
    expected = gains.mean() - student.ppf(0.99, len(gains) - 1) * error
    assert gain_bound(gains, apart, 5) == pytest.approx(expected)


def test_bound_exceeds_a_mean_of_zero_as_seldom_as_it_says_although_rows_overlap() -> None:
    """Gains over windows of 10 rows are correlated; rows taken as independent would pass far more often."""
    rng = np.random.default_rng(1)
    passed = clustered = 0
    moments = np.arange(400)
    for _ in range(500):
        noise = rng.normal(size=409)
        gains = np.convolve(noise, np.ones(10), "valid")
        passed += gain_bound(gains, moments, 10) > 0
        clustered += gain_bound(gains, moments * 1_000, 1) > 0
    assert passed <= 0.03 * 500
    assert clustered > 0.1 * 500


def test_one_block_bounds_nothing() -> None:
    assert gain_bound(np.ones(5), np.arange(5), 10) == float("-inf")
