"""The measures of a backtest: every number by `signals.engine.performance`, each with n, most with an interval."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from signals.engine.candle import OHLCV, FloatArray, TimeArray
from signals.engine.performance import (
    bootstrap_intervals,
    cagr,
    calmar_ratio,
    drawdown_length,
    expectancy,
    max_drawdown,
    profit_factor,
    sharpe_ratio,
    sortino_ratio,
    volatility,
    win_rate,
)

DAY_MS = 86_400_000
FEWEST_FOR_INTERVAL = 20

Taken = Callable[[FloatArray], float]
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Measure:
    """value, low and high: None where there is none. form: percent, number or R."""

    name: str
    value: float | None
    n: int
    unit: str
    form: str = "number"
    low: float | None = None
    high: float | None = None


def daily(times: TimeArray, equity: FloatArray) -> tuple[TimeArray, FloatArray]:
    """Days (UTC ms) and the worth at the end of each, of bars that opened at `times`."""
    days = times // DAY_MS
    last = np.flatnonzero(np.diff(days, append=days[-1] + 1)) if len(days) else np.zeros(0, dtype=np.intp)
    return days[last] * DAY_MS, equity[last]


def returns_of(equity: FloatArray, start: float) -> FloatArray:
    """Simple returns of an account that began with `start`."""
    before = np.concatenate(([start], equity[:-1]))
    changes: FloatArray = equity / before - 1
    return changes


def account_measures(
    returns: FloatArray, days_per_year: float, *, with_intervals: bool = True
) -> list[Measure]:
    """Of daily returns."""
    of: dict[str, tuple[Taken, str]] = {
        "Return a year": (lambda each: cagr(each, days_per_year), "percent"),
        "Sharpe ratio": (lambda each: sharpe_ratio(each, days_per_year), "number"),
        "Sortino ratio": (lambda each: sortino_ratio(each, days_per_year), "number"),
        "Volatility a year": (lambda each: volatility(each, days_per_year), "percent"),
        "Deepest drawdown": (max_drawdown, "percent"),
    }
    total = finite(float(np.prod(1 + returns) - 1))
    return [
        Measure("Total return", total, len(returns), "days", "percent"),
        *_measured(returns, of, "days", with_intervals=with_intervals),
        Measure("Calmar ratio", finite(calmar_ratio(returns, days_per_year)), len(returns), "days"),
        Measure("Longest drawdown, days", float(drawdown_length(returns)), len(returns), "days"),
    ]


def trade_measures(profits: FloatArray, r_multiples: FloatArray) -> list[Measure]:
    """Of closed trades in the order in which they ended; R is NaN for a trade without a stop."""
    known = r_multiples[np.isfinite(r_multiples)]
    money: dict[str, tuple[Taken, str]] = {
        "Win rate": (win_rate, "percent"),
        "Profit factor": (profit_factor, "number"),
    }
    return [
        *_measured(profits, money, "trades"),
        *_measured(known, {"Expectancy": (expectancy, "R")}, "trades"),
    ]


def monthly(days: TimeArray, equity: FloatArray, start: float) -> tuple[list[int], list[list[float | None]]]:
    """Years, and for each its twelve monthly returns; None where there is no day of that month."""
    months = days.astype("datetime64[ms]").astype("datetime64[M]").astype(int)
    ends = np.flatnonzero(np.diff(months, append=months[-1] + 1)) if len(months) else np.zeros(0, dtype=int)
    changes = returns_of(equity[ends], start)
    years: dict[int, list[float | None]] = {}
    for month, change in zip(months[ends], changes, strict=True):
        year, place = divmod(int(month), 12)
        years.setdefault(1970 + year, [None] * 12)[place] = finite(float(change))
    return list(years), list(years.values())


def held(markets: list[OHLCV], times: TimeArray, cash: float, cost: float) -> FloatArray:
    """Worth of 1/N bought at each market's first open, once, and held; `cost` is the ratio paid to get in."""
    worth = np.zeros(len(times))
    for candles in markets:
        place = np.searchsorted(candles.open_time, times, side="right") - 1
        growth = np.where(place < 0, 1.0, candles.close[np.maximum(place, 0)] / candles.open[0] * (1 - cost))
        worth += cash / len(markets) * growth
    return worth


def finite(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _measured(
    values: npt.NDArray[Any], of: dict[str, tuple[Taken, str]], unit: str, *, with_intervals: bool = True
) -> list[Measure]:
    """Each measure of the values by its name, with its form; intervals of all of them from the same resampling."""
    bounds: list[Bounds] = [(None, None)] * len(of)
    if with_intervals:
        bounds = _intervals(values, [each for each, _ in of.values()])
    return [
        Measure(name, finite(measure(values)), len(values), unit, form, low, high)
        for (name, (measure, form)), (low, high) in zip(of.items(), bounds, strict=True)
    ]


def _intervals(values: npt.NDArray[Any], measures: list[Taken]) -> list[Bounds]:
    if len(values) < FEWEST_FOR_INTERVAL:
        return [(None, None)] * len(measures)
    found = bootstrap_intervals(values, measures, samples=500)
    return [(finite(each.low), finite(each.high)) for each in found]
