from collections.abc import Callable

import numpy as np
import pytest

from signals.engine.candle import OHLCV
from signals.engine.patterns.candlesticks import detect_all
from signals.engine.patterns.multi_timeframe import pattern_score, pattern_scores
from signals.engine.timeframe import Timeframe, resample
from tests.signals.engine.gate import scene

H1, H4, D1 = Timeframe.H1, Timeframe.H4, Timeframe.D1
HOURLY = scene(3_000, seed=4).ohlcv
WINDOWS = {H1: HOURLY, H4: resample(HOURLY, H4), D1: resample(HOURLY, D1)}
SIDELESS = {
    "doji",
    "high_wave",
    "long_legged_doji",
    "long_line",
    "rickshaw_man",
    "short_line",
    "spinning_top",
}


def test_before_any_divergence_the_score_is_the_balance_of_sided_candlesticks() -> None:
    score = pattern_score(HOURLY)
    found = {name: signs for name, signs in detect_all(HOURLY).items() if name not in SIDELESS}
    for row in range(3, 17):  # the RSI is known from row 14, a pivot three rows later
        balance = sum(int(signs[row - age]) // 100 for signs in found.values() for age in range(3))
        assert score[row] == pytest.approx(np.tanh(balance / 2))


def test_scores_are_bounded_and_speak_both_ways() -> None:
    score = pattern_score(HOURLY)
    assert np.isfinite(score).all()
    assert np.abs(score).max() <= 1
    assert (score > 0.5).mean() > 0.02
    assert (score < -0.5).mean() > 0.02
    assert (score == 0).any()


def test_each_hour_hears_the_newest_longer_bar_that_had_closed() -> None:
    scores = pattern_scores(WINDOWS)
    own = {timeframe: pattern_score(window) for timeframe, window in WINDOWS.items()}
    np.testing.assert_array_equal(scores["1h"], own[H1])
    for row in range(0, len(HOURLY), 7):
        closes = HOURLY.open_time[row] + H1.milliseconds
        for timeframe in (H4, D1):
            closed = np.flatnonzero(WINDOWS[timeframe].open_time + timeframe.milliseconds <= closes)
            expected = own[timeframe][closed[-1]] if len(closed) else 0.0
            assert scores[timeframe.value][row] == expected
    combined = 0.2 * scores["1h"] + 0.3 * scores["4h"] + 0.5 * scores["1d"]
    np.testing.assert_allclose(scores["combined"], combined, atol=1e-15)
    assert len(np.unique(scores["4h"])) > 5
    assert len(np.unique(scores["1d"])) > 5


def test_an_absent_timeframe_is_silent_and_an_hourly_one_is_needed(walk: Callable[..., OHLCV]) -> None:
    scores = pattern_scores({H1: HOURLY, D1: HOURLY[:0]})
    assert not scores["4h"].any()
    assert not scores["1d"].any()
    np.testing.assert_allclose(scores["combined"], 0.2 * scores["1h"], atol=1e-15)
    with pytest.raises(ValueError, match="a 1h window is needed"):
        pattern_scores({H4: WINDOWS[H4]})
    assert pattern_scores({H1: walk(0, seed=1)})["combined"].shape == (0,)
