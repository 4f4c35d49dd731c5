"""The champion asked one row at a time: equal to LightGBM, refused when it does not fit, and its choice explained."""

import numpy as np
import pytest

from autopilot.engine.confidence import calibration_as_json, calibration_from_json, wilson
from autopilot.engine.groups import GROUP_ORDER, MEMBERS
from autopilot.engine.records import NAMES, StrategyRecords, best_strategy, count_records, no_records
from autopilot.engine.selector import (
    SchemaError,
    SelectorModel,
    choose_by_rules,
    feature_schema,
    read_booster,
)
from signals.engine.calibration import fit_calibration
from signals.engine.features import MARKET_FEATURES
from signals.engine.regime import REGIMES, Regime
from tests.autopilot.selector_rows import noise

COLUMNS = len(MARKET_FEATURES)


@pytest.fixture(scope="module")
def model() -> SelectorModel:
    _, fitted, metrics = noise()
    return SelectorModel(fitted.model_text, feature_schema("1h"), metrics)


def test_single_rows_equal_the_booster_and_the_fit(model: SelectorModel) -> None:
    samples, fitted, _ = noise()
    rows = samples.features[::7].copy()
    rows[np.random.default_rng(1).random(rows.shape) < 0.05] = np.nan

    told = np.array([model.group_probabilities(row) for row in rows])

    np.testing.assert_allclose(told, fitted.predict_proba(rows), rtol=0, atol=1e-12)
    np.testing.assert_allclose(told, model.booster.predict(rows, num_threads=1), rtol=0, atol=1e-12)
    np.testing.assert_allclose(told.sum(axis=1), 1, atol=1e-12)


def test_answers_do_not_share_a_buffer(model: SelectorModel) -> None:
    samples, _, _ = noise()
    first = model.group_probabilities(samples.features[0])
    kept = first.copy()
    model.group_probabilities(samples.features[-1])
    np.testing.assert_array_equal(first, kept)


def test_choice_is_the_first_ranked_group_and_the_product_of_both_confidences(model: SelectorModel) -> None:
    samples, _, _ = noise()
    choice = model.choose(samples.features[5], int(samples.regime[5]), NAMES)

    assert choice.group_probabilities is not None
    place = int(np.argmax(choice.group_probabilities))
    assert choice.group is GROUP_ORDER[place]
    assert choice.strategy in MEMBERS[choice.group]
    assert choice.group_confidence is not None
    assert choice.strategy_confidence is not None
    assert choice.probability == pytest.approx(choice.group_confidence * choice.strategy_confidence)
    assert choice.probability_low is not None
    assert choice.probability_high is not None
    assert choice.probability_low < choice.probability < choice.probability_high
    assert not choice.by_rules


def test_reasons_are_trees_shap_values_that_sum_to_the_score(model: SelectorModel) -> None:
    samples, _, _ = noise()
    row = samples.features[5]
    raw = model.booster.predict(row[np.newaxis], raw_score=True)[0]
    told = np.asarray(model.booster.predict(row[np.newaxis], pred_contrib=True)).reshape(5, -1)

    reasons = model.reasons(row, 2, most=COLUMNS)

    assert sum(each.effect for each in reasons) + told[2, -1] == pytest.approx(raw[2])
    sizes = [abs(each.effect) for each in reasons]
    assert sizes == sorted(sizes, reverse=True)


def test_silent_group_has_no_strategy_and_no_probability(model: SelectorModel) -> None:
    choice = model.choose(np.full(COLUMNS, np.nan), -1, [])
    assert (choice.strategy, choice.probability) == (None, None)
    assert "none of its strategies gives a signal" in choice.why


def test_other_features_or_a_broken_text_are_refused() -> None:
    _, fitted, metrics = noise()
    schema = feature_schema("1h")
    with pytest.raises(SchemaError, match="features"):
        SelectorModel(fitted.model_text, schema | {"features": ["rsi"]}, metrics)
    for text in ("", "tree\nversion=v4\n", fitted.model_text[: len(fitted.model_text) // 2]):
        with pytest.raises(ValueError, match="no whole"):
            read_booster(text)
    with pytest.raises(ValueError, match="a row has"):
        SelectorModel(fitted.model_text, schema, metrics).group_probabilities(np.zeros(3))


def test_rules_choose_the_group_of_the_regime_and_its_best_record() -> None:
    records = no_records()
    place, quiet = NAMES.index("dca"), REGIMES.index(Regime.QUIET)
    records.trades[place, quiet], records.summed_r[place, quiet] = 50, 20

    choice = choose_by_rules(quiet, NAMES, records, "no model")

    assert (choice.group.value, choice.strategy, choice.by_rules) == ("market_making", "dca", True)
    assert choice.probability is None
    assert choose_by_rules(-1, [], records, "no model").strategy is None


def test_few_trades_are_drawn_to_the_mean_and_many_speak_for_themselves() -> None:
    records = no_records()
    rsi, grid, macd = (NAMES.index(name) for name in ("rsi", "grid", "macd"))
    records.trades[macd, 1], records.summed_r[macd, 1] = 2_000, -200
    records.trades[rsi, 0], records.summed_r[rsi, 0] = 2, 6  # +3 R, twice
    records.trades[grid, 0], records.summed_r[grid, 0] = 400, 200  # +0.5 R, often

    assert best_strategy(records, ["rsi", "grid"], 0) == "grid"
    assert records.mean_r()[grid, 0] == pytest.approx(0.5, abs=0.05)
    assert best_strategy(records, [], 0) is None


def test_records_are_counted_as_by_a_plain_loop_and_survive_json() -> None:
    rng = np.random.default_rng(3)
    trades = np.where(rng.random((300, 14)) < 0.2, rng.normal(size=(300, 14)), np.nan)
    regime, ahead = rng.integers(-1, 6, 300).astype(np.int8), rng.normal(size=(300, 5))

    counted = count_records(trades, regime, ahead)

    for strategy, cell in ((0, 2), (7, 0), (13, 5)):
        made = trades[regime == cell, strategy]
        made = made[np.isfinite(made)]
        assert counted.trades[strategy, cell] == len(made)
        assert counted.wins[strategy, cell] == (made > 0).sum()
        assert counted.summed_r[strategy, cell] == pytest.approx(made.sum())
    again = StrategyRecords.from_json(counted.as_json())
    np.testing.assert_array_equal(again.well_wins, counted.well_wins)
    with pytest.raises(ValueError, match="other strategies"):
        StrategyRecords.from_json({"trades": [[1.0]]})


def test_calibrations_survive_json() -> None:
    rng = np.random.default_rng(4)
    score = rng.random(500)
    fitted = fit_calibration(score, (rng.random(500) < score**2).astype(float))
    again = calibration_from_json(calibration_as_json(fitted))
    np.testing.assert_array_equal(again.probability(score), fitted.probability(score))


def test_interval_is_wilsons() -> None:
    low, high = wilson(0.4, 100)
    assert (low, high) == (pytest.approx(0.3094, abs=1e-3), pytest.approx(0.4980, abs=1e-3))
    assert wilson(0.4, 0) == (0.0, 1.0)
