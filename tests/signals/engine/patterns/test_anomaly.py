import io
import subprocess
import sys
from collections.abc import Callable
from statistics import median

import numpy as np
import pytest
from sklearn import ensemble

from signals.engine.candle import OHLCV
from signals.engine.patterns.anomaly import FEATURES, anomaly_features, robust_z_score
from signals.engine.patterns.isolation_forest import IsolationForest, anomaly_score, fit_isolation_forest
from signals.engine.timeframe import Timeframe
from signals.engine.unusual import is_unusual
from tests.signals.engine.gate import scene

BARS = scene(1_200, seed=3).ohlcv


def test_robust_z_equals_a_plain_loop_over_what_came_before() -> None:
    result = robust_z_score(BARS.close, 20)
    assert np.isnan(result[:20]).all()
    for row in range(20, 300):
        before = BARS.close[row - 20 : row].tolist()
        middle = median(before)
        spread = median(abs(value - middle) for value in before)
        expected = 0.6745 * (BARS.close[row] - middle) / spread if spread else np.nan
        assert result[row] == pytest.approx(expected, nan_ok=True)


@pytest.mark.slow
def test_about_one_hour_in_a_hundred_of_recorded_pairs_is_called_unusual(
    recorded: Callable[[str, Timeframe], OHLCV],
) -> None:
    """Each week scored by a forest of the 90 days before, as live does it daily; calm alone must not be."""
    scores = []
    for pair in ("BTCUSDT", "DOGEUSDT"):
        features = anomaly_features(recorded(pair, Timeframe.H1)[-9_000:])
        for end in range(2_200, 8_800, 700):
            forest = fit_isolation_forest(features[end - 2_160 : end], seed=1)
            scores.append(anomaly_score(forest, features[end : end + 168]))
    share = np.mean([is_unusual(score) for score in np.concatenate(scores)])
    assert 0.003 < share < 0.03
    assert not is_unusual(float("nan"))


def test_an_outlier_stands_out_and_does_not_hide_the_next() -> None:
    values = np.tile([1.0, 2.0, 3.0, 2.0], 30)
    values[100:102] = 1_000.0
    score = robust_z_score(values, 50)
    assert score[100] > 500
    assert score[101] > 500
    assert abs(score[103]) < 1


def test_what_never_varied_measures_nothing() -> None:
    assert np.isnan(robust_z_score(np.full(60, 5.0), 50)).all()


def test_features_are_known_from_the_fifteenth_bar_and_name_what_they_measure() -> None:
    features = anomaly_features(BARS)
    assert features.shape == (len(BARS), len(FEATURES))
    assert np.isnan(features[:15]).all()
    assert np.isfinite(features[15:]).all()
    quiet = np.full(60, 100.0)
    high, low, close, volume = quiet + 1, quiet - 1, quiet.copy(), np.full(60, 10.0)
    close[-1], high[-1], volume[-1] = 110.0, 112.0, 1_000.0  # rises ten where bars are two high
    loud = anomaly_features(OHLCV(np.arange(60), quiet, high, low, close, volume))[-1]
    mean_volume = (13 * 10 + 1_000) / 14
    expected = [10 / 2, 13 / 2, 10 / 13, np.log(1_001) - np.log(mean_volume + 1)]
    np.testing.assert_allclose(loud, expected)


@pytest.mark.parametrize("rows", [150, 900])
def test_the_stored_forest_scores_as_scikit_learn_does(rows: int) -> None:
    features = anomaly_features(BARS)
    past = features[:rows]
    theirs = ensemble.IsolationForest(n_estimators=40, max_samples=min(256, rows - 15), random_state=5)
    theirs.fit(past[15:])
    stored = io.BytesIO()
    np.savez(stored, **fit_isolation_forest(past, seed=5, trees=40).to_arrays())
    stored.seek(0)
    forest = IsolationForest.from_arrays(np.load(stored, allow_pickle=False))
    score = anomaly_score(forest, features)
    assert np.isnan(score[:15]).all()
    np.testing.assert_allclose(score[15:], -theirs.score_samples(features[15:]), rtol=1e-10)


def test_a_bar_unlike_all_others_scores_highest() -> None:
    features = anomaly_features(BARS)
    forest = fit_isolation_forest(features[:900], seed=1)
    strange = np.array([[-12.0, 15.0, -0.9, 4.0]])
    assert anomaly_score(forest, strange)[0] > np.nanmax(anomaly_score(forest, features[900:]))
    assert anomaly_score(forest, strange)[0] > 0.6


def test_the_same_seed_gives_the_same_forest_and_another_one_another() -> None:
    past = anomaly_features(BARS)[:500]
    first, again, other = (fit_isolation_forest(past, seed=seed, trees=10) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.threshold, again.threshold)
    assert first.threshold.shape != other.threshold.shape or (first.threshold != other.threshold).any()


def test_too_little_past_and_foreign_features_are_refused() -> None:
    features = anomaly_features(BARS)
    with pytest.raises(ValueError, match="needs 100 complete rows, there are 99"):
        fit_isolation_forest(features[:114], seed=1)
    forest = fit_isolation_forest(features[:300], seed=1, trees=5)
    with pytest.raises(ValueError, match="fitted on 4 columns"):
        anomaly_score(forest, features[:, :3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("depth"), "lacks \\['depth'\\]"),
        (lambda arrays: arrays.update(depth=arrays["depth"][:2]), "must be alike"),
        (lambda arrays: arrays.update(left=arrays["left"] + 10_000), "points outside itself: left"),
        (lambda arrays: arrays.update(feature=arrays["feature"] - 9), "points outside itself: feature"),
    ],
)
def test_stored_arrays_that_make_no_forest_are_refused(change: object, message: str) -> None:
    arrays = fit_isolation_forest(anomaly_features(BARS)[:200], seed=1, trees=5).to_arrays()
    change(arrays)
    with pytest.raises(ValueError, match=message):
        IsolationForest.from_arrays(arrays)


def test_scoring_loads_no_scikit_learn() -> None:
    code = "import sys; import signals.engine.patterns.isolation_forest; print('sklearn' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_a_value_at_the_cut_goes_left_as_in_scikit_learn() -> None:
    forest = IsolationForest(
        feature=np.zeros((1, 3), np.int64),
        threshold=np.array([[1.0, 0.0, 0.0]]),
        left=np.array([[1, 1, 2]]),
        right=np.array([[2, 1, 2]]),
        depth=np.array([[0.0, 1.0, 3.0]]),
        normal_depth=1.0,
        features=1,
    )
    assert anomaly_score(forest, np.array([[0.5], [1.0], [1.5]])).tolist() == [0.5, 0.5, 0.125]
