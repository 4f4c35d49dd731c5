"""The selector's judgement on markets whose truth is known: noise, a planted rule, too little data."""

from typing import Any

import numpy as np
import pytest

from autopilot.trainers import selector
from autopilot.trainers.selector import GROUPS, train_selector

HOUR = 3_600_000
HORIZON = 24 * HOUR


def planted(seed: int, n: int, noise: float = 0.3) -> tuple[Any, Any, Any, Any]:
    """Features, labels, times and the best answer: labels follow three features, a share of them is random."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 8))
    best = np.select(
        [features[:, 0] > 0.5, features[:, 0] < -0.5, features[:, 1] > 0, features[:, 2] > 0], [0, 1, 2, 3], 4
    )
    labels = np.where(rng.random(n) < noise, rng.integers(0, GROUPS, n), best)
    return features, labels, np.arange(n) * HOUR, best


def test_planted_rule_is_found_and_promoted() -> None:
    fit = train_selector(*planted(1, 2_000)[:3], HORIZON)
    assert fit.promoted
    assert fit.out_of_sample.log_loss < fit.out_of_sample.majority_log_loss
    features, labels, _, best = planted(2, 20_000)
    accuracy = (fit.predict_proba(features).argmax(axis=1) == labels).mean()
    assert accuracy >= 0.95 * (best == labels).mean()
    assert fit.importance[:3].sum() > 0.8


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_not_promoted_and_the_reason_says_so(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 1_500
    fit = train_selector(
        rng.normal(size=(n, 8)),
        rng.choice(GROUPS, n, p=[0.4, 0.3, 0.15, 0.1, 0.05]),
        np.arange(n) * HOUR,
        HORIZON,
        results=rng.normal(size=(n, GROUPS)),
        rules=rng.integers(0, GROUPS, n),
        seed=seed,
    )
    assert not fit.promoted
    assert "rules go on" in fit.reason
    assert fit.out_of_sample.rules_gain_bound is not None


def test_rules_that_know_as_much_as_the_model_are_not_replaced() -> None:
    features, labels, times, best = planted(3, 1_000)
    alone = train_selector(features, labels, times, HORIZON)
    beside = train_selector(features, labels, times, HORIZON, rules=best)
    assert alone.promoted
    assert not beside.promoted
    assert "the rules" in beside.reason


def test_each_fold_knows_every_label_that_was_over_by_then_and_no_other() -> None:
    times = np.repeat(np.arange(400), 3) * HOUR  # three instruments decide at each hour
    asked_before = 0
    for known, asked in selector._walk_forward(times, HORIZON):
        assert asked_before in (0, asked[0])
        assert times[asked[0]] > times[asked[0] - 1]
        assert known == np.count_nonzero(times + HORIZON <= times[asked[0]])
        asked_before = asked[-1] + 1
    assert asked_before == len(times)


def test_one_group_that_always_paid_is_nothing_to_learn() -> None:
    fit = train_selector(
        np.random.default_rng(8).normal(size=(600, 2)), [2] * 600, np.arange(600) * HOUR, HOUR
    )
    assert not fit.promoted
    assert "nothing to learn" in fit.reason


def test_class_that_never_came_has_no_probability_and_rows_sum_to_one() -> None:
    rng = np.random.default_rng(5)
    features = rng.normal(size=(400, 3))
    features[::7, 1] = np.nan
    fit = train_selector(features, rng.choice([0, 3], 400), np.arange(400) * HOUR, HORIZON)
    told = fit.predict_proba(np.vstack((features[:50], np.full((1, 3), np.nan))))
    assert told.shape == (51, GROUPS)
    assert told.sum(axis=1) == pytest.approx(1.0)
    assert told[:, [1, 2, 4]].max() < 1e-6
    assert fit.class_counts[1] == 0


@pytest.mark.parametrize("n", [3, 40, 249])
def test_too_little_data_is_said_plainly(n: int) -> None:
    rng = np.random.default_rng(6)
    fit = train_selector(rng.normal(size=(n, 2)), rng.integers(0, 5, n), np.arange(n) * HORIZON, HORIZON)
    assert not fit.promoted
    assert fit.reason.startswith("too little data")
    assert fit.predict_proba(np.zeros((1, 2))).sum() == pytest.approx(1.0)


def test_the_same_seed_gives_the_same_model() -> None:
    given = planted(7, 600)[:3]
    assert (
        train_selector(*given, HORIZON, seed=3).model_text
        == train_selector(*given, HORIZON, seed=3).model_text
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"labels": [5] * 300}, "labels"),
        ({"labels": [0] * 299}, "labels"),
        ({"decided_at": np.arange(300)[::-1]}, "must not fall"),
        ({"horizon_ms": 0}, "horizon_ms"),
        ({"features": np.full((300, 2), np.inf)}, "infinite"),
        ({"features": np.zeros(300)}, "rows"),
        ({"results": np.zeros((300, 4))}, "results"),
        ({"rules": [-1] * 300}, "rules"),
        ({"labels": [0.5] * 300}, "whole"),
    ],
)
def test_rubbish_is_refused(change: dict[str, Any], complaint: str) -> None:
    given: dict[str, Any] = {
        "features": np.zeros((300, 2)),
        "labels": [0] * 300,
        "decided_at": np.arange(300),
        "horizon_ms": HORIZON,
    }
    with pytest.raises(ValueError, match=complaint):
        train_selector(**(given | change))
