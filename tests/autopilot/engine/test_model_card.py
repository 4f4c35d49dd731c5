"""What a model's record says, against plain counting."""

import json

import numpy as np
import pytest

from autopilot.engine.confidence import Confidence, fit_within
from autopilot.engine.groups import GROUP_ORDER, MEMBERS
from autopilot.engine.model_card import (
    THRESHOLDS,
    fit_group_calibrations,
    spoken_confidences,
    stability_index,
    stability_indices,
    would_have_fired,
)
from autopilot.engine.records import NAMES, best_strategy
from signals.engine.features import MARKET_FEATURES
from tests.autopilot.selector_rows import noise


def test_record_is_json_without_nan() -> None:
    _, _, metrics = noise()
    json.dumps(metrics, allow_nan=False)


def test_confusion_and_balance_count_every_row() -> None:
    samples, fitted, metrics = noise()
    table = np.array(metrics["confusion"])
    assert table.sum() == fitted.out_of_sample.n
    assert np.trace(table) / table.sum() == pytest.approx(fitted.out_of_sample.accuracy)
    assert metrics["class_counts"] == np.bincount(samples.labels, minlength=5).tolist()


def test_firing_counts_are_those_of_a_plain_loop() -> None:
    samples, fitted, _ = noise()
    judged, rows = fitted.judged, fitted.judged_rows
    calibrations = fit_group_calibrations(judged)
    within = fit_within(samples)
    expected = []
    for number, row in enumerate(rows.tolist()):
        place = int(judged.model[number].argmax())
        speaking = [
            name for name in MEMBERS[GROUP_ORDER[place]] if samples.fired[row, NAMES.index(name)] != 0
        ]
        regime = int(samples.regime[row])
        strategy = best_strategy(samples.records, speaking, regime)
        if strategy is None:
            expected.append(np.nan)
            continue
        sure = calibrations[place].probability([judged.model[number, place]])[0]
        score = samples.records.confidence()[NAMES.index(strategy), regime]
        expected.append(sure * within.probability([score])[0])

    confidences = [Confidence(each, within) for each in calibrations]
    told = spoken_confidences(samples, judged, rows, confidences)
    np.testing.assert_allclose(told, expected)
    firing = would_have_fired(samples, judged, rows, confidences)
    assert firing.spoken == np.isfinite(told).sum() > 10
    for threshold in THRESHOLDS:
        assert firing.counts[threshold] == np.sum(np.array(expected) >= threshold)
    assert firing.weekly is not None
    said = [each for each in expected if np.isfinite(each)]
    misses = {level: abs(sum(each >= level for each in said) - firing.days / 7) for level in said}
    assert misses[firing.weekly] == min(misses.values())


def test_stability_index_is_zero_for_the_same_and_large_for_another() -> None:
    even, moved = np.full(10, 0.1), np.array([0.01] * 5 + [0.19] * 5)
    assert stability_index(even, even) == 0
    assert stability_index(even, moved) == pytest.approx(5 * (-0.09 * np.log(0.1) + 0.09 * np.log(1.9)))
    assert stability_index(even, np.empty(0)) is None


def test_features_that_moved_are_told_from_those_that_did_not() -> None:
    samples, _, metrics = noise()
    drift = metrics["drift"]
    moved = samples.features.copy()
    moved[:, MARKET_FEATURES.index("rsi")] += 30

    same = stability_indices(drift["edges"], drift["expected"], samples.features)
    other = stability_indices(drift["edges"], drift["expected"], moved)

    assert max(each for each in same.values() if each is not None) < 1e-3
    assert [name for name, each in other.items() if each is not None and each > drift["limit"]] == ["rsi"]
