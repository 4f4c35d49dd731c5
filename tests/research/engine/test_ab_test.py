"""The bounds of A/B tests against their formula, simulation with daily looks, and what they say."""

from math import inf, log, sqrt

import numpy as np
import pytest
from scipy.special import gammaln

from research.engine.ab_test import (
    ArmRecord,
    Finding,
    Metric,
    by_unit,
    compare,
    judge,
    sample_ratio_check,
    sequence_radius,
)


def arm(
    name: str, units: int, *, better: float = 0.0, seed: int = 0, assigned: int | None = None
) -> ArmRecord:
    rng = np.random.default_rng(seed)
    return ArmRecord(
        name,
        0.5,
        units if assigned is None else assigned,
        r_multiple=rng.normal(better, 1, units),
        hit_rate=(rng.random(units) < 0.4).astype(float),
        acted_share=rng.beta(2, 3, units),
    )


def test_the_radius_is_where_the_mixed_likelihood_ratio_reaches_one_over_alpha() -> None:
    variance, deviation, alpha = 0.01, 1.3, 0.05
    mixing = (0.2 * deviation) ** 2

    found = sequence_radius(variance, deviation, alpha)

    ratio = sqrt(variance / (variance + mixing)) * np.exp(
        mixing * found**2 / (2 * variance * (variance + mixing))
    )
    assert ratio == pytest.approx(1 / alpha)
    assert found > 1.96 * sqrt(variance)


def test_it_may_be_looked_at_after_every_pair_of_units() -> None:
    rng = np.random.default_rng(1)
    values = rng.exponential(1, (400, 2, 600))
    count = np.arange(1, 601)
    means = np.cumsum(values, axis=2) / count
    spreads = np.cumsum(values**2, axis=2) / count - means**2
    looks = count >= 30
    difference = np.abs(means[:, 1] - means[:, 0])[:, looks]
    variance = (spreads.sum(axis=1) / count)[:, looks]

    by_sequence = difference > sequence_radius(variance, np.sqrt(spreads.mean(axis=1))[:, looks], 0.05)

    assert by_sequence.any(axis=1).mean() <= 0.05
    assert (difference > 1.96 * np.sqrt(variance)).any(axis=1).mean() > 0.15


def test_a_difference_is_found_and_its_side_is_told() -> None:
    better = judge([arm("control", 600, seed=1), arm("tight stops", 600, better=0.5, seed=2)])
    worse = judge([arm("control", 600, better=0.5, seed=1), arm("tight stops", 600, seed=2)])

    assert (better.finding, worse.finding) == (Finding.BETTER, Finding.WORSE)
    assert better.sentence.startswith(
        "Shown to be better, at 95% for all looks together: R of tight stops +0."
    )
    assert "600 and 600 units" in better.sentence
    first = better.differences[0]
    assert first.low < 0.5 < first.high
    assert first.difference == pytest.approx(first.variant_mean - first.control_mean)


def test_no_difference_and_too_few_units_are_told_apart() -> None:
    equal = judge([arm("a", 300, seed=1), arm("b", 300, seed=3)])
    few = judge([arm("a", 29, seed=1), arm("b", 300, seed=3, assigned=29)])

    assert equal.finding is Finding.UNDECIDED
    assert equal.sentence.startswith("No difference is shown yet: ")
    assert few.finding is Finding.TOO_EARLY
    assert "results of 29 units" in few.sentence
    assert (few.differences[0].low, few.differences[0].high) == (-inf, inf)


def test_better_in_one_metric_and_worse_in_another_is_mixed() -> None:
    control, variant = arm("a", 800, better=0.6, seed=1), arm("b", 800, seed=2)
    eager = ArmRecord(
        "b", 0.5, 800, variant.r_multiple, np.ones(800) - variant.hit_rate * 0.1, variant.acted_share
    )

    assert judge([control, eager]).finding is Finding.MIXED


def test_results_that_never_vary_are_not_certain() -> None:
    control, variant = arm("a", 100, seed=1), arm("b", 100, seed=2)
    flat = ArmRecord("b", 0.5, 100, variant.r_multiple, np.ones(100), variant.acted_share)

    found = compare(control, flat, Metric.HIT_RATE)

    assert (found.low, found.high) == (-inf, inf)


def test_more_comparisons_make_each_of_them_stricter() -> None:
    arms = [arm("a", 200, seed=1), arm("b", 200, seed=2), arm("c", 200, seed=3)]

    alone = compare(arms[0], arms[1], Metric.R_MULTIPLE)
    together = judge(arms).differences

    assert len(together) == 6
    assert together[0].high - together[0].low > alone.high - alone.low


def test_arms_that_are_not_split_as_planned_allow_no_conclusion() -> None:
    found = judge([arm("a", 600, seed=1), arm("b", 600, better=1, seed=2, assigned=450)])

    assert found.finding is Finding.RATIO_BROKEN
    assert found.sentence.startswith(
        "Nothing may be concluded: the arms have 600 : 450 units where 525 : 525 were"
    )


def test_the_ratio_is_the_bayes_factor_against_the_planned_shares() -> None:
    counts, shares = np.array([40, 25, 35]), np.array([0.5, 0.25, 0.25])
    prior = 100 * shares
    evidence = (
        gammaln(100)
        - gammaln(200)
        + (gammaln(prior + counts) - gammaln(prior)).sum()
        - (counts * np.log(shares)).sum()
    )

    found = sample_ratio_check([40, 25, 35], [2, 1, 1])

    assert log(found.p_value) == pytest.approx(min(-evidence, 0), abs=1e-9)
    assert found.expected == (50, 25, 25)


def test_a_fair_split_is_rarely_called_broken_however_often_one_looks() -> None:
    rng = np.random.default_rng(4)
    broken = 0
    for _ in range(200):
        first = np.cumsum(rng.binomial(20, 0.3, 60))
        broken += any(
            sample_ratio_check([int(each), 20 * day - int(each)], [0.3, 0.7]).broken
            for day, each in enumerate(first, 1)
        )

    assert broken <= 4
    assert sample_ratio_check([700, 800], [0.5, 0.5]).p_value > 0.01
    assert sample_ratio_check([7_000, 8_000], [0.5, 0.5]).broken
    assert sample_ratio_check([0, 0], [0.5, 0.5]).p_value == 1


def test_values_of_one_unit_become_one_value() -> None:
    found = by_unit([1.0, 3.0, np.nan, 5.0, np.nan], ["a", "a", "a", "b", "c"])

    assert found.tolist() == [2, 5]
    assert by_unit([np.nan], ["a"]).tolist() == []


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sample_ratio_check([1], [1.0]), "two arms"),
        (lambda: sample_ratio_check([1, -1], [0.5, 0.5]), "fewer than 0"),
        (lambda: sample_ratio_check([1, 1], [0.5, 0.0]), "positive"),
        (lambda: compare(arm("a", 50), arm("b", 50), Metric.HIT_RATE, alpha=0), "alpha"),
        (lambda: judge([arm("a", 50)]), "a control, a variant"),
        (lambda: by_unit([1.0], []), "one length"),
        (
            lambda: ArmRecord("a", 1, 1, np.array([np.nan]), np.ones(1), np.ones(1)).values(
                Metric.R_MULTIPLE
            ),
            "finite",
        ),
    ],
)
def test_what_makes_no_test_is_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
