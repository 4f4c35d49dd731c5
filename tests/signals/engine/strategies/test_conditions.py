"""Each condition of a strategy, by what it lets through and what only a looser one would."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import lsq_linear

from signals.engine.candle import OHLCV
from signals.engine.hybrid import DEFAULTS
from signals.engine.hybrid.hearing import hear
from signals.engine.indicators.trend import adx
from signals.engine.indicators.volatility import atr
from signals.engine.strategies import STRATEGIES
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import Timeframe
from signals.engine.volatility import fit_har
from tests.signals.engine.gate import Scene, context

AS_OF = datetime(2025, 1, 1, tzinfo=UTC)
Rows = np.ndarray


def scene_of(bars: OHLCV) -> Scene:
    rng = np.random.default_rng(8)
    votes = {name: rng.uniform(-1, 1, len(bars)) * (rng.random(len(bars)) < 0.4) for name in STRATEGIES}
    votes["pairs_trading"] = np.clip(np.cumsum(rng.normal(0, 0.1, len(bars))) % 2 - 1, -0.999, 0.999)
    return Scene(bars, votes)


def ranges(bars: OHLCV) -> Rows:
    return atr(bars.high, bars.low, bars.close, 14)


def trend_strength(scene: Scene) -> Rows:
    return adx(scene.ohlcv.high, scene.ohlcv.low, scene.ohlcv.close, 14)


def activity(scene: Scene) -> Rows:
    relative = pd.Series(ranges(scene.ohlcv) / scene.ohlcv.close)
    return (relative / relative.rolling(100).mean()).to_numpy()


def grid_line(scene: Scene) -> Rows:
    close = pd.Series(scene.ohlcv.close)
    distance = (close - close.rolling(50).mean()) / (1.5 * ranges(scene.ohlcv))
    return np.abs(np.trunc(distance.to_numpy()))


def speed(scene: Scene) -> Rows:
    close = pd.Series(scene.ohlcv.close)
    return np.abs((close - close.shift(12)).to_numpy() / (ranges(scene.ohlcv) * np.sqrt(12)))


def heaviness(scene: Scene) -> Rows:
    volume = pd.Series(scene.ohlcv.volume)
    return (volume / volume.rolling(20).mean()).to_numpy()


def width(scene: Scene) -> Rows:
    before = pd.Series(ranges(scene.ohlcv)).shift(1).to_numpy()
    return (scene.ohlcv.high - scene.ohlcv.low) / before


def correlation(scene: Scene) -> Rows:
    partner = context(scene).partner
    assert partner is not None
    ours, theirs = (pd.Series(np.log(each.close)).diff() for each in (scene.ohlcv, partner))
    return ours.rolling(100).corr(theirs).to_numpy()


@dataclass(frozen=True)
class Condition:
    strategy: str
    parameter: str
    loose: float
    figure: Callable[[Scene], Rows]
    holds: Callable[[Rows], Rows]
    every_event: bool = True  # whether a looser bound only ever adds events
    bound: float | None = None  # in place of the parameter's default


CONDITIONS = [
    Condition("bollinger_mean_reversion", "calm", 60.0, trend_strength, lambda it: it < 30),
    Condition("grid", "calm", 60.0, trend_strength, lambda it: it < 25),
    Condition("grid", "lines", 3, grid_line, lambda it: it <= 1, bound=1),
    Condition("market_making", "calm", 2.0, activity, lambda it: it < 0.9, every_event=False),
    Condition("momentum", "threshold", 0.25, speed, lambda it: it >= 1, every_event=False),
    Condition("momentum", "volume_spike", 1.0, heaviness, lambda it: it >= 1.5, every_event=False),
    Condition("confirmed", "strength", 10.0, trend_strength, lambda it: it > 25, every_event=False),
    Condition("dca", "calm", 3.0, activity, lambda it: it < 1.05),
    Condition(
        "pairs_trading", "correlation", 0.0, correlation, lambda it: it >= 0.99, every_event=False, bound=0.99
    ),
    Condition("volatility_breakout", "expansion", 1.0, width, lambda it: it >= 1.3),
    Condition("volatility_breakout", "volume_spike", 0.5, heaviness, lambda it: it >= 1.2),
]


@pytest.fixture(scope="module")
def market(walk: Callable[..., OHLCV]) -> Scene:
    """A walk whose volatility changes, and a partner that follows at times."""
    bars = walk(12_000, seed=3)
    size = np.exp(0.5 * np.sin(np.arange(12_000) / 130))
    log_close = np.log(100) + np.cumsum(np.diff(np.log(bars.close), prepend=np.log(100)) * size)
    close = np.exp(log_close)
    opened = np.concatenate(([100.0], close[:-1]))
    reach = 1 + 0.004 * size * np.random.default_rng(4).random((2, 12_000))
    high, low = np.maximum(opened, close) * reach[0], np.minimum(opened, close) / reach[1]
    return scene_of(OHLCV(bars.open_time, opened, high, low, close, bars.volume))


@pytest.mark.parametrize("each", CONDITIONS, ids=lambda it: f"{it.strategy} {it.parameter}")
def test_an_event_needs_its_condition_and_a_looser_one_lets_more_through(
    each: Condition, market: Scene
) -> None:
    strategy: Any = STRATEGIES[each.strategy]
    looser = replace(strategy, parameters=replace(strategy.parameters, **{each.parameter: each.loose}))
    if each.bound is not None:
        strategy = replace(strategy, parameters=replace(strategy.parameters, **{each.parameter: each.bound}))
    strict = strategy.evaluate(market.ohlcv, context(market)).direction
    loose = looser.evaluate(market.ohlcv, context(market)).direction
    figure = each.figure(market)
    holds = each.holds(figure) & np.isfinite(figure)

    assert (strict != 0).sum() > 10
    assert holds[strict != 0].all()
    assert (~holds[loose != 0]).sum() > 5
    if each.every_event:
        np.testing.assert_array_equal(strict, np.where(holds, loose, 0))


@pytest.mark.parametrize("timeframe", [Timeframe.H4, Timeframe.D1])
def test_a_partner_speaks_of_base_bars_only(timeframe: Timeframe, market: Scene) -> None:
    """Even where it has bars of just these times, and has parted from this market."""
    given = context(market)
    spaced = OHLCV(
        market.ohlcv.open_time * (timeframe.milliseconds // Timeframe.H1.milliseconds),
        *(getattr(market.ohlcv, name) for name in ("open", "high", "low", "close", "volume")),
    )
    assert given.partner is not None
    partner = replace_times(given.partner, spaced.open_time)
    alone = STRATEGIES["pairs_trading"].evaluate(spaced, DecisionContext(as_of=AS_OF, partner=partner))
    assert alone.direction.any()

    heard = hear(timeframe, spaced, DecisionContext(as_of=AS_OF, partner=partner), DEFAULTS)

    assert heard.series["pairs_trading"].missing == "input missing: no candles of a paired instrument"
    assert not heard.series["pairs_trading"].direction.any()


def replace_times(bars: OHLCV, open_time: np.ndarray) -> OHLCV:
    return OHLCV(open_time, bars.open, bars.high, bars.low, bars.close, bars.volume)


def test_har_weighs_calm_hours_as_much_as_wild_ones() -> None:
    """Least squares of everything over the month's variance, by a solver of its own."""
    returns = np.random.default_rng(6).normal(0, 1, 2_160) * np.exp(np.sin(np.arange(2_160) / 90)) * 0.01
    squares = pd.Series(returns**2)
    spans = pd.concat([squares.rolling(bars).mean().shift(1) for bars in (24, 168, 480)], axis=1).iloc[480:]
    weight = 1 / spans[2].to_numpy()
    rows = np.column_stack((np.ones(len(spans)), spans)) * weight[:, np.newaxis]
    size = rows.max(axis=0)

    expected = lsq_linear(rows / size, squares[480:].to_numpy() * weight, (0, np.inf), tol=1e-14).x / size

    found = fit_har(returns)
    assert found is not None
    got = np.array([found.constant, found.daily, found.weekly, found.monthly])
    np.testing.assert_allclose(got * size, expected * size, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-10, 1e-6, 1e5])
def test_reasons_write_prices_without_an_exponent(scale: float, market: Scene) -> None:
    bars = market.ohlcv[-2_500:]
    columns = (getattr(bars, name) * scale for name in ("open", "high", "low", "close"))
    scaled = Scene(
        OHLCV(bars.open_time, *columns, bars.volume), {n: v[-2_500:] for n, v in market.votes.items()}
    )
    told: Mapping[str, Any] = {
        name: each.evaluate(scaled.ohlcv, context(scaled)) for name, each in STRATEGIES.items()
    }

    reasons = [each.reason(int(row)) for each in told.values() for row in np.flatnonzero(each.direction)]

    assert len(reasons) > 200
    assert not [reason for reason in reasons if re.search(r"\de[+-]\d", reason)]
