"""Markets whose kind is known by construction."""

from collections.abc import Callable

import numpy as np
import pytest
import talib

from signals.engine.candle import OHLCV
from signals.engine.regime import (
    MEMORY_BARS,
    REGIMES,
    UNKNOWN,
    Regime,
    current_regime,
    regimes,
    relative_volatility,
)
from signals.engine.timeframe import TIMEFRAME_WEIGHTS, Timeframe

BARS = 600


def market(close: np.ndarray, reach: np.ndarray | float) -> OHLCV:
    """Bars that open at the close before and reach `reach` beyond both."""
    opens = np.concatenate((close[:1], close[:-1]))
    high, low = np.maximum(opens, close) + reach, np.minimum(opens, close) - reach
    return OHLCV(np.arange(len(close)) * Timeframe.H1.milliseconds, opens, high, low, close, close)


def swinging(bars: int = BARS) -> np.ndarray:
    """To and fro around 100, in an order that makes no trend."""
    return 100 + 0.5 * np.sin(2.1 * np.arange(bars))


def reaching(last: float) -> np.ndarray:
    return np.where(np.arange(BARS) < BARS - 30, 0.5, last)


@pytest.mark.parametrize(
    ("close", "reach", "expected"),
    [
        (100 + 0.2 * np.arange(BARS) + np.sin(np.arange(BARS)), 0.5, Regime.TRENDING_UP),
        (300 - 0.2 * np.arange(BARS) + np.sin(np.arange(BARS)), 0.5, Regime.TRENDING_DOWN),
        (swinging(), 0.5, Regime.RANGING),
        (swinging(), reaching(1.2), Regime.VOLATILE),
        (
            np.where(np.arange(BARS) < BARS - 30, swinging(), 100 + (swinging() - 100) / 3),
            reaching(0.1),
            Regime.QUIET,
        ),
        (swinging() + 8.0 * (np.arange(BARS) == BARS - 1), 0.5, Regime.BREAKOUT),
    ],
)
def test_a_market_made_to_be_of_a_kind_is_recognised(
    close: np.ndarray, reach: np.ndarray | float, expected: Regime
) -> None:
    assert current_regime(market(close, reach)) is expected


def test_a_short_window_and_a_market_that_stands_still_have_no_regime(walk: Callable[..., OHLCV]) -> None:
    assert current_regime(walk(MEMORY_BARS - 1, seed=1)) is None
    assert current_regime(walk(MEMORY_BARS, seed=1)) is not None
    assert (regimes(walk(100, seed=1)) == UNKNOWN).all()
    assert len(regimes(walk(0, seed=1))) == 0
    assert current_regime(market(np.full(BARS, 100.0), 0.0)) is None


def test_a_window_of_the_stated_memory_decides(walk: Callable[..., OHLCV]) -> None:
    bars = walk(2_000, seed=5)
    whole = regimes(bars)
    lasts = range(MEMORY_BARS - 1, 2_000, 13)
    assert [regimes(bars[last + 1 - MEMORY_BARS : last + 1])[-1] for last in lasts] == [
        whole[last] for last in lasts
    ]
    assert len(set(whole[list(lasts)])) >= 4


def test_a_breakout_that_has_reached_far_beyond_its_close_is_one_all_the_same() -> None:
    """Its close then stands below the channel's middle, which is where a breakout ends: but it has only begun."""
    calm = market(swinging(), 0.5)
    high, close = calm.high.copy(), calm.close.copy()
    high[-1], close[-1] = 130.0, 102.0
    bars = OHLCV(calm.open_time, calm.open, high, calm.low, close, calm.volume)
    assert close[-1] > high[-21:-1].max()
    assert close[-1] < (high[-1] + calm.low[-20:].min()) / 2
    assert current_regime(bars) is Regime.BREAKOUT


def held(enter: np.ndarray, leave: np.ndarray, bars: int) -> np.ndarray:
    """For each row by itself: is there an entry among the last `bars` rows that has not been left since?"""
    over = leave & ~enter
    return np.array(
        [
            any(enter[at] and not over[at : row + 1].any() for at in range(max(row - bars + 1, 0), row + 1))
            for row in range(len(enter))
        ]
    )


def test_of_several_regimes_the_first_that_holds_is_told(recorded: Callable[[str, Timeframe], OHLCV]) -> None:
    """The order and the thresholds of the module's text, row by row."""
    bars = recorded("SOLUSDT", Timeframe.H4)[-1_000:]
    high, low, close = bars.high, bars.low, bars.close
    strength, activity = talib.ADX(high, low, close), relative_volatility(high, low, close)
    up = talib.PLUS_DI(high, low, close) > talib.MINUS_DI(high, low, close)
    top, bottom = talib.MAX(high, 20), talib.MIN(low, 20)
    before = np.arange(len(bars)) - 1
    wide = high - low > 2 * talib.ATR(high, low, close)[before]
    middle = (top + bottom) / 2
    told = (
        (Regime.BREAKOUT, held(wide & (close > top[before]), close < middle, 6)),
        (Regime.BREAKOUT, held(wide & (close < bottom[before]), close > middle, 6)),
        (Regime.VOLATILE, held(activity > 1.3, activity < 1.15, 48)),
        (Regime.TRENDING_UP, held((strength > 25) & up, (strength < 20) | ~up, 48)),
        (Regime.TRENDING_DOWN, held((strength > 25) & ~up, (strength < 20) | up, 48)),
        (Regime.QUIET, held(activity < 0.8, activity > 0.9, 48)),
        (Regime.RANGING, np.ones(len(bars), np.bool_)),
    )
    expected = [next(regime for regime, holds in told if holds[row]) for row in range(MEMORY_BARS, len(bars))]
    assert [REGIMES[place] for place in regimes(bars)[MEMORY_BARS:]] == expected
    assert set(expected) == set(Regime)


def test_a_regime_does_not_flicker_and_every_one_occurs_in_recorded_markets(
    recorded: Callable[[str, Timeframe], OHLCV],
) -> None:
    for timeframe in TIMEFRAME_WEIGHTS:
        found = regimes(recorded("SOLUSDT", timeframe))[MEMORY_BARS:]
        shares = np.bincount(found, minlength=len(REGIMES)) / len(found)
        assert shares.min() > 0.01
        assert shares.max() < 0.5
        assert len(found) / (np.diff(found) != 0).sum() > 5
