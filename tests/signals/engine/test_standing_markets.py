"""Faults of markets that stood still, of ties in binary prices, and of lengths that were guessed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from math import isnan

import numpy as np
import pytest

from signals.engine import volatility
from signals.engine.candle import OHLCV
from signals.engine.indicators.trend import adx, minus_di, plus_di
from signals.engine.strategies import STRATEGIES
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import Timeframe, resample
from signals.engine.volatility import (
    DAY_BARS,
    HarFit,
    VolatilityModel,
    fit_garch,
    fit_har,
    fit_volatility,
    forecast,
    garch_variances,
    har_variances,
    qlike,
)

HOUR = Timeframe.H1.milliseconds


def jump_after(bars: int, jump: float) -> np.ndarray:
    returns = np.zeros(bars)
    returns[-1] = jump
    return returns


@pytest.mark.parametrize("size", [0.3, 1e-9, 1e-160])
@pytest.mark.parametrize("bars", [580, 2_160])
def test_flat_days_and_one_jump_are_fitted_without_an_error(bars: int, size: float) -> None:
    fitted = fit_volatility(jump_after(bars, size))

    expected = forecast(fitted, jump_after(bars, size), 4)
    assert isnan(expected) or expected <= 2 * size * (1 + 1e-9)


@pytest.mark.parametrize("count", [100, 479])
def test_har_says_that_returns_are_too_few_instead_of_raising(count: int) -> None:
    returns = np.random.default_rng(1).normal(0, 0.01, 2_160)
    fitted = replace(fit_volatility(returns), chosen=VolatilityModel.HAR, har=HarFit(1e-5, 0.3, 0.3, 0.2))

    assert isnan(forecast(fitted, returns[-count:], 4))
    assert forecast(fitted, returns[-480:], 4) > 0


@pytest.mark.parametrize("deviation", [1e-6, 1e-5, 5e-5])
def test_a_broken_peg_makes_no_absurd_forecast(deviation: float) -> None:
    """Weights of 1e5 were chosen, and four hours forecast at up to 4e7."""
    for seed in range(6):
        random = np.random.default_rng(seed)
        returns = random.normal(0, deviation, 2_160)
        returns[-int(random.integers(5, 400))] = -0.12
        fitted = fit_volatility(returns)
        if fitted.har:
            assert fitted.har.daily + fitted.har.weekly + fitted.har.monthly < 1
        assert forecast(fitted, returns[-499:], 4) <= 2 * 0.12 + 1e-12


def test_har_expects_no_bar_wilder_than_any_that_it_sees() -> None:
    returns = np.random.default_rng(2).normal(0, 0.01, 500)
    wild = HarFit(constant=1.0, daily=0.1, weekly=0.1, monthly=0.1)
    fitted = replace(fit_volatility(returns), chosen=VolatilityModel.HAR, har=wild)

    assert forecast(fitted, returns, DAY_BARS) == pytest.approx(np.sqrt(DAY_BARS) * np.abs(returns).max())


def test_models_are_judged_with_parameters_of_the_first_three_quarters_only() -> None:
    returns = np.random.default_rng(3).standard_t(4, 1_200) * np.repeat([0.01, 0.03, 0.006, 0.02], 300)
    cut = 900
    har, garch = fit_har(returns[:cut]), fit_garch(returns[:cut])
    assert har is not None

    found = fit_volatility(returns).qlike

    assert found[VolatilityModel.HAR] == qlike(returns[cut:], har_variances(returns, har)[cut:-1])
    assert found[VolatilityModel.GARCH] == qlike(returns[cut:], garch_variances(returns, garch)[cut:-1])
    for other in (cut - 1, cut + 1, len(returns)):
        later = fit_har(returns[:other])
        assert later is not None
        assert found[VolatilityModel.HAR] != qlike(returns[cut:], har_variances(returns, later)[cut:-1])
    assert volatility.TRAINING_SHARE == 0.75


def exact_directional(
    ticks: np.ndarray, period: int
) -> tuple[list[Fraction], list[Fraction], list[Fraction]]:
    """+DI, -DI and ADX in rational numbers, seeded as TA-Lib does; `ticks` are whole (high, low, close)."""
    rows = [tuple(Fraction(int(each)) for each in row) for row in ticks]
    plus, minus, ranges = [], [], []
    for (high, low, close), (next_high, next_low, _) in pairwise(rows):
        up, down = next_high - high, low - next_low
        plus.append(up if up > down and up > 0 else Fraction(0))
        minus.append(down if down > up and down > 0 else Fraction(0))
        ranges.append(max(next_high, close) - min(next_low, close))

    def smoothed(values: list[Fraction]) -> list[Fraction]:
        total, out = sum(values[: period - 1], Fraction(0)), []
        for value in values[period - 1 :]:
            total += value - total / period
            out.append(total)
        return out

    whole = smoothed(ranges)
    up_index = [100 * each / total for each, total in zip(smoothed(plus), whole, strict=True)]
    down_index = [100 * each / total for each, total in zip(smoothed(minus), whole, strict=True)]
    moved = [100 * abs(a - b) / (a + b) for a, b in zip(up_index, down_index, strict=True)]
    strength = [sum(moved[:period], Fraction(0)) / period]
    for each in moved[period:]:
        strength.append((strength[-1] * (period - 1) + each) / period)
    return up_index, down_index, strength


@pytest.mark.parametrize("tick", [0.01, 0.1, 1e-8, 1e-4])
def test_equal_moves_count_for_neither_side_however_prices_are_stored(tick: float) -> None:
    """Binary prices broke the tie: 27.87 where 34.38 is right."""
    random = np.random.default_rng(5)
    middle = 2_000 + np.cumsum(random.integers(-1, 2, 60) * random.integers(0, 2, 60))
    reach = random.integers(1, 6, 60)
    ticks = np.column_stack((middle + reach, middle - reach, middle))
    ties = np.diff(ticks[:, 0]) == -np.diff(ticks[:, 1])
    assert (ties & (np.diff(ticks[:, 0]) > 0)).sum() > 3
    decimals = round(-np.log10(tick))
    high, low, close = (np.array([float(f"{each}e-{decimals}") for each in column]) for column in ticks.T)

    up, down, strength = exact_directional(ticks, 7)

    np.testing.assert_allclose(plus_di(high, low, close, 7)[7:], [float(each) for each in up], rtol=1e-9)
    np.testing.assert_allclose(minus_di(high, low, close, 7)[7:], [float(each) for each in down], rtol=1e-9)
    np.testing.assert_allclose(adx(high, low, close, 7)[13:], [float(each) for each in strength], rtol=1e-9)


def test_a_directional_indicator_of_one_bar_is_in_percent_too() -> None:
    high, low, close = np.array([10.0, 12.0, 12.0]), np.array([9.0, 10.0, 8.0]), np.array([9.5, 11.0, 9.0])

    np.testing.assert_allclose(plus_di(high, low, close, 1)[1:], [100 * 2 / 2.5, 0])
    np.testing.assert_allclose(minus_di(high, low, close, 1)[1:], [0, 100 * 2 / 4])


def bars_of(close: np.ndarray, reach: np.ndarray | float) -> OHLCV:
    times = np.arange(len(close)) * HOUR
    return OHLCV(times, close, close + reach, close - reach, close, np.full(len(close), 10.0))


def test_dca_buys_no_step_again_while_the_price_stands_and_the_range_shrinks() -> None:
    calm = 100 + 0.3 * np.sin(np.arange(460.0))
    fall = np.linspace(100, 94.5, 12)
    bars = bars_of(
        np.concatenate((calm, fall, np.full(30, 94.5))), np.concatenate((np.full(472, 0.8), np.full(30, 0.1)))
    )

    events = (
        STRATEGIES["dca"].evaluate(bars, DecisionContext(as_of=datetime(2025, 1, 1, tzinfo=UTC))).direction
    )

    assert events[460:472].any()
    assert not events[472:].any()


def test_each_dca_buy_is_at_a_new_low_since_the_high(walk: Callable[..., OHLCV]) -> None:
    bars = walk(20_000, seed=2)
    rows = np.flatnonzero(
        STRATEGIES["dca"].evaluate(bars, DecisionContext(as_of=datetime(2025, 1, 1, tzinfo=UTC))).direction
    )

    assert len(rows) > 50
    for row in rows.tolist():
        recent = bars.close[row - 49 : row + 1]
        since_high = recent[49 - int(np.argmax(recent[::-1])) :]
        assert since_high[-1] < since_high[:-1].min()


def test_a_bucket_of_bars_with_gaps_is_complete_only_when_its_last_slot_was_seen() -> None:
    """Every other hour is missing: the distances say two hours, and 02:00 looked like the end of a 4h bar."""
    hours = np.array([0, 2, 4, 6])
    price = np.full(4, 100.0)
    bars = OHLCV(hours * HOUR, price, price, price, price, price)

    assert len(resample(bars, "4h")) == 2
    assert resample(bars, "4h", "1h").open_time.tolist() == [0]
    assert len(resample(bars[:1], "4h", "1h")) == 0
    assert len(resample(bars[:0], "4h", "1h")) == 0
    with pytest.raises(ValueError, match="is not the start of a bar of 4h"):
        resample(bars, "1d", "4h")
    with pytest.raises(ValueError, match="no multiple"):
        resample(bars[::2], "1h", "4h")
