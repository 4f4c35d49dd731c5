"""A policy's inputs: live's window and a long history tell the same, and nothing is known early."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from signals.engine.candle import OHLCV
from signals.engine.policy_features import NAMES, WIDEST, Journal, judged, policy_features, windows_of
from signals.engine.timeframe import Timeframe

Walk = Callable[..., OHLCV]


def test_live_window_gives_the_row_of_a_long_history(walk: Walk) -> None:
    base = walk(24 * 600, seed=2)
    windows = windows_of(base)
    long = policy_features(windows)
    short = policy_features({timeframe: window[-500:] for timeframe, window in windows.items()})
    assert long.shape == (len(base), len(NAMES))
    assert short[-1] == pytest.approx(long[-1], abs=1e-4)
    assert np.isfinite(long[-1]).all()
    assert np.abs(long[np.isfinite(long)]).max() <= WIDEST


def test_later_candles_change_no_earlier_row(walk: Walk) -> None:
    base = walk(24 * 60, seed=3)
    later = np.arange(len(base)) > 1_200
    noise = np.where(later, np.random.default_rng(1).uniform(0.8, 1.2, len(base)), 1.0)
    other = replace(
        base,
        close=base.close * noise,
        open=base.open * noise,
        high=base.high * np.where(later, 1.3, 1.0),
        low=base.low * np.where(later, 0.7, 1.0),
    )
    one, two = (policy_features(windows_of(each)) for each in (base, other))
    assert np.array_equal(one[:1_201], two[:1_201], equal_nan=True)
    assert not np.array_equal(one[1_300], two[1_300])


def test_sentiment_is_of_its_bar_and_unknown_is_neutral(walk: Walk) -> None:
    windows = windows_of(walk(24 * 60, seed=4))
    place = NAMES.index("sentiment")
    told = policy_features(windows, [0.5, np.nan, -0.25])[:, place]
    assert told[-3:].tolist() == [0.5, 0, -0.25]
    assert not told[:-3].any()
    assert not policy_features(windows)[:, place].any()


def test_rows_begin_where_everything_is_known(walk: Walk) -> None:
    base = walk(24 * 60, seed=5)
    features = policy_features(windows_of(base))
    kept, known = judged(base, features)
    assert np.isfinite(known).all()
    assert len(kept) == len(known) < len(base)
    assert kept.open_time[-1] == base.open_time[-1]
    short = walk(50, seed=5)
    with pytest.raises(ValueError, match="too few candles"):
        judged(short, policy_features({**windows_of(short), Timeframe.D1: short[:0]}))


def test_journal_speaks_once_a_result_is_known(walk: Walk) -> None:
    windows = windows_of(walk(24 * 60, seed=4))
    base = windows[Timeframe.H1]
    ended = int(base.open_time[700])  # the close of bar 699
    journal = Journal(np.array([ended]), np.array([-1.0]), np.array([2.0]))
    told = policy_features(windows, journal=journal)[:, NAMES.index("journal")]
    assert not told[:699].any()
    assert told[699] == pytest.approx(np.tanh(-1.0))
    assert told[699 + 48] == pytest.approx(np.tanh(-0.5))
