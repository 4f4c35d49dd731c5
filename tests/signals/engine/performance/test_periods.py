"""Measures of periods against pandas and SciPy, loops by hand, and the figures of published examples."""

from collections.abc import Callable
from math import inf, isnan, nan, sqrt

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from signals.engine import performance
from signals.engine.session import AssetClass
from signals.engine.timeframe import Timeframe

RETURNS = st.lists(st.floats(-0.9, 2.0).map(lambda each: round(each, 4)), min_size=2, max_size=60)

# The returns of the test cases of empyrical (Quantopian, Apache-2.0), whose first value is no return.
MIXED = [0.01, 0.1, -0.04, 0.02, 0.03, 0.02, 0.01, -0.1]
NEGATIVE = [-0.06, -0.07, -0.01, -0.09, -0.02, -0.06, -0.08, -0.05]

RATIOS: dict[str, Callable[[list[float]], float]] = {
    "sharpe_ratio": lambda returns: performance.sharpe_ratio(returns, 365),
    "sortino_ratio": lambda returns: performance.sortino_ratio(returns, 365),
    "calmar_ratio": lambda returns: performance.calmar_ratio(returns, 365),
    "omega_ratio": performance.omega_ratio,
    "tail_ratio": performance.tail_ratio,
    "skewness": performance.skewness,
    "kurtosis": performance.kurtosis,
}
MEASURES = RATIOS | {
    "cagr": lambda returns: performance.cagr(returns, 365),
    "volatility": lambda returns: performance.volatility(returns, 365),
    "max_drawdown": performance.max_drawdown,
    "drawdown_length": performance.drawdown_length,
    "value_at_risk": performance.value_at_risk,
    "conditional_value_at_risk": performance.conditional_value_at_risk,
}


def by_hand(returns: list[float]) -> dict[str, float]:
    series = pd.Series(returns)
    equity = pd.concat([pd.Series([1.0]), (1 + series).cumprod()])
    var = series.quantile(0.05)
    return {
        "cagr": equity.iloc[-1] ** (365 / len(returns)) - 1,
        "volatility": series.std() * sqrt(365),
        "sharpe_ratio": (series - 0.001).mean() / series.std() * sqrt(365),
        "max_drawdown": (equity / equity.cummax() - 1).min(),
        "value_at_risk": var,
        "conditional_value_at_risk": series[series <= var].mean(),
        "skewness": stats.skew(returns),
        "kurtosis": stats.kurtosis(returns, fisher=False),
    }


@settings(deadline=None)
@given(RETURNS)
def test_measures_agree_with_pandas_and_scipy(returns: list[float]) -> None:
    assume(np.std(returns) > 1e-6)
    found = MEASURES | {"sharpe_ratio": lambda each: performance.sharpe_ratio(each, 365, 0.001)}
    for name, expected in by_hand(returns).items():
        assert found[name](returns) == pytest.approx(expected, rel=1e-9, abs=1e-12), name


@settings(deadline=None)
@given(RETURNS, st.floats(-0.01, 0.01).map(lambda each: round(each, 6)))
def test_ratios_agree_with_sums_by_hand(returns: list[float], target: float) -> None:
    assume(np.std(returns) > 1e-6)
    below = [min(each - target, 0) for each in returns]
    if any(below):
        downside = sqrt(sum(each * each for each in below) / len(returns))
        mean = sum(returns) / len(returns) - target
        sortino = performance.sortino_ratio(returns, 365, target)
        assert sortino == pytest.approx(mean / downside * sqrt(365), rel=1e-9, abs=1e-9)
        above = sum(max(each - target, 0) for each in returns)
        assert performance.omega_ratio(returns, target) == pytest.approx(above / -sum(below), rel=1e-9)
    fall = performance.max_drawdown(returns)
    if fall < 0:
        calmar = performance.calmar_ratio(returns, 365)
        assert calmar == pytest.approx(performance.cagr(returns, 365) / -fall, rel=1e-9)


@pytest.mark.parametrize(
    ("found", "published"),
    [
        (performance.max_drawdown(MIXED), -0.1),
        (performance.max_drawdown(NEGATIVE), -0.36590730349873601),
        (performance.sharpe_ratio(MIXED, 252), 1.7238613961706866),
        (performance.sortino_ratio(MIXED, 252), 2.605531251673693),
        (performance.cagr([0.1, 0.1], 1), 0.1),
        (performance.omega_ratio(MIXED), 0.19 / 0.14),
        (performance.value_at_risk([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.1), 1.9),
    ],
)
def test_worked_examples(found: float, published: float) -> None:
    assert found == pytest.approx(published, rel=1e-12)


@pytest.mark.parametrize("name", RATIOS)
@pytest.mark.parametrize("returns", [[], [0.01], [0.01] * 5, [0.0, 0.0], [-0.02] * 3, [0.1, 0.1 + 1e-15]])
def test_a_ratio_of_what_does_not_vary_is_not_a_number(name: str, returns: list[float]) -> None:
    assert isnan(RATIOS[name](returns))


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("bad", [[0.1, nan], [inf, 0.1], [0.1, -1.0001], [[0.1, 0.2]]])
def test_what_is_no_return_is_refused(name: str, bad: list[object]) -> None:
    with pytest.raises(ValueError, match="return"):
        MEASURES[name](bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(set(MEASURES) - {"drawdown_length"}))
def test_a_measure_of_nothing_is_not_a_number(name: str) -> None:
    assert isnan(MEASURES[name]([]))


def test_gains_without_a_loss_are_infinitely_good() -> None:
    gains = [0.01, 0.02, 0.0]

    assert performance.sortino_ratio(gains, 365) == inf
    assert performance.calmar_ratio(gains, 365) == inf
    assert performance.omega_ratio(gains) == inf


def test_losing_everything_is_a_drawdown_of_all() -> None:
    assert performance.max_drawdown([0.1, -1.0, 0.5]) == -1
    assert performance.cagr([0.1, -1.0, 0.5], 365) == -1


@pytest.mark.parametrize(
    ("returns", "expected"),
    [
        ([], 0),
        ([0.1, 0.1], 0),
        ([-0.1], 1),
        ([0.1, -0.1, 0.05, 0.2, -0.01], 2),
        ([-0.5, 1.0, -0.1, 1 / 0.9 - 1], 1),
        ([-0.1, 0.01, 0.01, 0.01], 4),
    ],
)
def test_drawdown_length_counts_the_periods_under_water(returns: list[float], expected: int) -> None:
    assert performance.drawdown_length(returns) == expected


def test_a_long_rise_does_not_overflow() -> None:
    assert performance.max_drawdown([0.5] * 5_000 + [-0.25]) == pytest.approx(-0.25)


@pytest.mark.parametrize("periods", [0, -365, nan, inf])
def test_a_year_has_periods(periods: float) -> None:
    for name in ("cagr", "volatility", "sharpe_ratio", "sortino_ratio", "calmar_ratio"):
        with pytest.raises(ValueError, match="periods_per_year"):
            getattr(performance, name)([0.1, 0.2], periods)


@pytest.mark.parametrize("level", [0, 1, -0.1, nan])
def test_a_level_lies_between_nothing_and_everything(level: float) -> None:
    for measure in (performance.value_at_risk, performance.conditional_value_at_risk):
        with pytest.raises(ValueError, match="level"):
            measure([0.1, 0.2], level)


@pytest.mark.parametrize(
    ("timeframe", "asset_class", "expected"),
    [
        (Timeframe.H1, AssetClass.CRYPTO, 8_760),
        (Timeframe.D1, AssetClass.CRYPTO, 365),
        (Timeframe.H1, AssetClass.FOREX, 6_240),
        (Timeframe.D1, AssetClass.STOCK, 252),
        (Timeframe.M1, AssetClass.STOCK, 98_280),
    ],
)
def test_a_year_follows_the_calendar_of_the_market(
    timeframe: Timeframe, asset_class: AssetClass, expected: float
) -> None:
    assert performance.periods_per_year(timeframe, asset_class) == expected


def test_exposure_is_the_share_of_periods_that_held_something() -> None:
    assert performance.exposure([0, 1.5, -2, 0]) == 0.5
    assert isnan(performance.exposure([]))
    with pytest.raises(ValueError, match="finite"):
        performance.exposure([nan])


def test_turnover_of_buying_and_selling_the_account_once_in_half_a_year_is_four() -> None:
    assert performance.turnover([100, 100], [100, 100], 4) == pytest.approx(4)
    assert isnan(performance.turnover([], [], 4))


@pytest.mark.parametrize(
    ("traded", "equity", "message"),
    [
        ([1.0], [1.0, 2.0], "one length"),
        ([nan], [1.0], "finite"),
        ([1.0], [0.0], "positive"),
        ([-1.0], [1.0], "never"),
    ],
)
def test_turnover_refuses_what_is_no_account(traded: list[float], equity: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        performance.turnover(traded, equity, 365)


@pytest.mark.parametrize("periods", [1, 2, 60, 512, 513, 6_000])
@pytest.mark.parametrize("drift", [0.0, 0.002, -0.003])
def test_measures_of_equity_are_those_of_its_returns(periods: int, drift: float) -> None:
    equity = 1e4 * np.cumprod(1 + np.random.default_rng(periods).normal(drift, 0.01, periods + 1))
    returns = np.diff(equity) / equity[:-1]
    found = performance.equity_measures(equity, 365)
    for name in ("cagr", "sharpe_ratio", "sortino_ratio", "calmar_ratio"):
        one = getattr(performance, name)(returns, 365)
        assert getattr(found, name) == pytest.approx(one, rel=1e-9, nan_ok=True), name
    for name in ("omega_ratio", "max_drawdown", "drawdown_length"):
        one = getattr(performance, name)(returns)
        assert getattr(found, name) == pytest.approx(one, rel=1e-9, abs=1e-12, nan_ok=True), name


def test_measures_of_equity_know_what_does_not_vary_and_what_is_no_equity() -> None:
    still = performance.equity_measures([5.0] * 700, 365)
    assert (still.cagr, still.max_drawdown, still.drawdown_length) == (0, 0, 0)
    assert isnan(still.sharpe_ratio)
    assert performance.equity_measures([2.0, 1.0, 0.0], 365).cagr == -1
    for wrong in ([], [1.0], [0.0, 1.0], [1.0, -1.0, 2.0], [1.0, nan]):
        with pytest.raises(ValueError, match=r"equity|return"):
            performance.equity_measures(wrong, 365)


def test_a_long_record_has_the_sharpe_ratio_of_numpy() -> None:
    returns = np.random.default_rng(1).normal(1e-4, 1e-3, 5_000)
    expected = returns.mean() / returns.std(ddof=1) * sqrt(365)
    assert performance.sharpe_ratio(returns, 365) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="row 4999"):
        performance.sharpe_ratio(np.append(returns[:-1], nan), 365)
