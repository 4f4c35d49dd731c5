"""P(profit) of the rules: what calibrates it was known at each close, and it is right where the truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from autopilot.engine.bootstrap import Samples
from autopilot.engine.choosing import by_rules, scores
from autopilot.engine.confidence import chosen_by_rules, fit_rules, walk_forward
from autopilot.engine.groups import GROUP_ORDER
from autopilot.engine.records import GROUP_OF, NAMES, count_records
from signals.engine.calibration import FEWEST_OUTCOMES, expected_calibration_error
from tests.autopilot.engine.test_choosing import seen
from tests.autopilot.selector_rows import noise

HOUR = 3_600_000


def planted(rows: int, seed: int) -> Samples:
    """A process of which P(profit) is known: of regime and strategy, and worth more in some regimes than others."""
    rng = np.random.default_rng(seed)
    regime = rng.integers(0, 6, rows).astype(np.int8)
    fired = (rng.random((rows, len(NAMES))) < 0.2).astype(np.int8)
    group_wins = rng.random((rows, 5)) < np.linspace(0.2, 0.8, 6)[regime][:, np.newaxis]
    wins = group_wins[:, GROUP_OF] & (rng.random(fired.shape) < 0.7)
    trades = np.where(fired != 0, np.where(wins, 1.0, -1.0), np.nan)
    noise_samples = noise()[0]
    return replace(
        noise_samples,
        features=np.zeros((rows, 1)),
        labels=np.zeros(rows, dtype=np.int64),
        decided_at=np.arange(rows) * HOUR,
        results=np.where(group_wins, 1.0, -1.0),
        rules=np.zeros(rows, dtype=np.int64),
        regime=regime,
        markets=np.zeros(rows, dtype=np.int64),
        fired=fired,
        trades=trades,
        records=count_records(trades, regime, np.where(group_wins, 1.0, -1.0)),
    )


def test_product_is_calibrated_on_a_known_process_where_the_raw_frequencies_are_not() -> None:
    past, later = planted(6_000, 1), planted(6_000, 2)
    confidence = fit_rules(past)
    strategy = chosen_by_rules(later.fired, later.regime, past.records)
    rows = np.flatnonzero(strategy >= 0)
    strategy, regime = strategy[rows], later.regime[rows]
    made = later.trades[rows, strategy] > 0
    group, within = past.records.group_rate()[GROUP_OF[strategy], regime], past.records.confidence()
    told = confidence.products(group, within[strategy, regime])
    assert expected_calibration_error(told, made) <= 0.03
    assert expected_calibration_error(group, made) > 0.1
    first = later.regime[rows[0]]
    choice = by_rules(
        seen(tuple(np.array(NAMES)[later.fired[rows[0]] != 0]), int(first)), past.records, "", confidence
    )
    assert choice.strategy == NAMES[strategy[0]]
    assert choice.probability == pytest.approx(told[0], abs=1e-12)
    assert choice.probability_n >= FEWEST_OUTCOMES  # type: ignore[operator]


def test_every_block_knows_only_outcomes_that_had_ended() -> None:
    samples, _, _ = noise()
    for rows, records in walk_forward(samples):
        known = samples.decided_at + samples.horizon_ms <= samples.decided_at[rows[0]]
        by_hand = count_records(samples.trades[known], samples.regime[known], samples.results[known])
        np.testing.assert_array_equal(records.trades, by_hand.trades)
        np.testing.assert_array_equal(records.well_wins, by_hand.well_wins)


def test_what_rules_choose_of_many_rows_is_what_they_choose_of_each() -> None:
    samples, _, _ = noise()
    chosen = chosen_by_rules(samples.fired, samples.regime, samples.records)
    for row in range(0, len(samples), 11):
        speaking = tuple(np.array(NAMES)[samples.fired[row] != 0].tolist())
        choice = by_rules(seen(speaking, int(samples.regime[row])), samples.records, "")
        assert (choice.strategy or "") == ("" if chosen[row] < 0 else NAMES[chosen[row]])


def test_too_few_outcomes_tell_nothing() -> None:
    confidence = fit_rules(planted(20, 1))
    known = scores(GROUP_ORDER[0], "macd", 0, planted(20, 1).records)
    assert known is not None
    assert confidence.of(*known) == {"group_confidence": None, "strategy_confidence": None}
    assert np.isnan(confidence.products(np.array([0.5]), np.array([0.5]))).all()
