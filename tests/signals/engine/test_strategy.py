from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from signals.engine.candle import OHLCV
from signals.engine.strategies.moving_average import MovingAverageParameters
from signals.engine.strategies.rsi import RsiParameters
from signals.engine.strategy import (
    DecisionContext,
    Direction,
    StrategySignal,
    WindowError,
    aligned,
    beginnings,
    build_series,
    crossings,
    recent_extreme,
    require_window,
)

SIGNAL = {
    "strategy": "rsi",
    "direction": Direction.LONG,
    "confidence": 0.6,
    "entry_price": 100.0,
    "stop_loss": 95.0,
    "take_profit": 110.0,
    "reasons": ("because",),
}


def test_a_long_and_its_mirror_are_accepted() -> None:
    assert StrategySignal(**SIGNAL).take_profit == 110.0
    mirrored = {"direction": Direction.SHORT, "stop_loss": 110.0, "take_profit": 95.0}
    assert StrategySignal(**SIGNAL | mirrored).direction.sign == -1


@pytest.mark.parametrize(
    "change",
    [
        {"confidence": 1.01},
        {"confidence": -0.01},
        {"confidence": float("nan")},
        {"stop_loss": 100.0},
        {"stop_loss": 101.0},
        {"take_profit": 99.0},
        {"stop_loss": -5.0},
        {"stop_loss": float("nan")},
        {"take_profit": float("inf")},
        {"direction": Direction.SHORT},
    ],
)
def test_an_impossible_trade_is_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=r"confidence|stop|entry"):
        StrategySignal(**SIGNAL | change)


def test_a_context_without_a_time_zone_is_refused_and_absent_inputs_are_absent() -> None:
    with pytest.raises(ValueError, match="aware"):
        DecisionContext(as_of=datetime(2025, 1, 1))  # noqa: DTZ001
    context = DecisionContext(as_of=datetime(2025, 1, 1, tzinfo=UTC))
    assert (dict(context.votes), context.sentiment, context.volatility, dict(context.weights)) == (
        {},
        None,
        None,
        {},
    )


def test_a_parameter_outside_its_bounds_is_refused_by_name() -> None:
    assert RsiParameters(period=100).period == 100
    with pytest.raises(ValueError, match="period is 101; it must be between 2 and 100"):
        RsiParameters(period=101)
    with pytest.raises(ValueError, match=r"fast \(30\) must be below slow \(30\)"):
        MovingAverageParameters(fast=30)


def test_a_short_window_and_one_without_positive_prices_are_refused(walk: Callable[..., OHLCV]) -> None:
    bars = walk(50, seed=1)
    require_window(bars, 50, "rsi")
    with pytest.raises(WindowError, match="rsi needs 51 bars, the window has 50"):
        require_window(bars, 51, "rsi")
    low = bars.low.copy()
    low[7] = 0.0
    with pytest.raises(WindowError, match=r"row 7 has a low of 0\.0"):
        require_window(OHLCV(bars.open_time, bars.open, bars.high, low, bars.close, bars.volume), 50, "rsi")


def test_with_a_memo_a_function_of_the_same_columns_is_computed_once() -> None:
    calls = []

    def counted(values: np.ndarray, factor: float) -> np.ndarray:
        calls.append(factor)
        return values * factor

    context, bars = DecisionContext(as_of=datetime(2025, 1, 1, tzinfo=UTC), memo={}), np.arange(3.0)
    first = context.once(counted, bars, 2.0)
    assert context.once(counted, bars, 2.0) is first
    assert context.once(counted, bars, factor=3.0).tolist() == [0, 3, 6]
    assert context.once(counted, bars + 1, 2.0).tolist() == [2, 4, 6]
    assert calls == [2.0, 3.0, 2.0]


def test_inputs_are_aligned_to_the_windows_end() -> None:
    assert aligned(0.5, 2).tolist()[1:] == [0.5]
    assert np.isnan(aligned(0.5, 2)[0])
    assert aligned([1.0, 2.0, 3.0], 2).tolist() == [2.0, 3.0]
    with pytest.raises(ValueError, match="one number or 1-D"):
        aligned(np.ones((2, 2)), 2)


def test_a_state_begins_where_it_was_not_before() -> None:
    assert beginnings(np.array([1, 1, 0, 1, 1, -1, 0], np.int8)).tolist() == [0, 0, 0, 1, 0, -1, 0]
    assert len(beginnings(np.array([], np.int8))) == 0


def test_crossings_are_found_where_the_side_changes_and_a_touch_is_none() -> None:
    line = np.array([np.nan, np.nan, -1.0, -2.0, 0.0, -1.0, 1.0, 0.0, 2.0, -0.5, 0.0, 0.0, 3.0])
    assert crossings(line).tolist() == [0, 0, 0, 0, 0, 0, 1, 0, 0, -1, 0, 0, 1]


def test_recent_extreme_looks_back_only() -> None:
    line = np.array([np.nan, 5.0, 3.0, 4.0, 6.0, 1.0])
    assert recent_extreme(line, 3, np.fmin).tolist()[1:] == [5.0, 3.0, 3.0, 3.0, 1.0]
    assert recent_extreme(line, 3, np.fmax).tolist()[1:] == [5.0, 5.0, 5.0, 6.0, 6.0]


def test_levels_stand_at_multiples_of_the_range_and_undrawable_events_are_dropped(
    walk: Callable[..., OHLCV],
) -> None:
    bars = walk(8, seed=1)
    close = float(bars.close[1])
    series = build_series(
        "test",
        bars,
        events=np.array([0, 1, -1, 1, -1, 1, -1, 1], np.int8),
        confidence=np.array([0.9, 0.5, 0.5, np.nan, 0.5, 0.5, 0.5, 1.7]),
        atr=np.array(
            [2.0, 2.0, 2.0, 2.0, 0.0, 80.0, 40.0, 2.0]
        ),  # a long's stop and a short's target below zero
        stop_atr=2.0,
        target_atr=3.0,
        describe=lambda row: f"row {row}",
    )
    assert series.direction.tolist() == [0, 1, -1, 0, 0, 0, 0, 1]
    assert series.direction.dtype == np.int8
    assert series.stop_loss[1] == pytest.approx(close - 4)
    assert series.take_profit[1] == pytest.approx(close + 6)
    assert series.take_profit[2] < bars.close[2] < series.stop_loss[2]
    assert np.isnan(series.stop_loss[[0, 3, 4, 5, 6]]).all()
    assert series.confidence.tolist() == [0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 1.0]
    assert series.signal(0) is None
    signal = series.signal(1)
    assert signal is not None
    assert (signal.entry_price, signal.reasons) == (close, ("row 1",))
    with pytest.raises(ValueError, match="silent at row 0"):
        series.reason(0)
