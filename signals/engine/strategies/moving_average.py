"""Trend following: the short average overtakes the long one.

Idea: buy when the fast exponential average crosses above the slow one, sell when it crosses below;
    the wider they part per bar, measured in ATR, and the more the slow one leans the same way, the surer.
Market condition: trending markets. Source: Brock, Lakonishok, LeBaron, Simple Technical Trading Rules
    and the Stochastic Properties of Stock Returns, Journal of Finance 47 (1992).
Failure mode: late by construction, and whipsawed when price swings around a flat average.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from signals.engine.candle import OHLCV
from signals.engine.indicators.contract import shifted
from signals.engine.indicators.trend import ema
from signals.engine.indicators.volatility import atr
from signals.engine.plain import plain_price
from signals.engine.registry import warm_up
from signals.engine.strategy import (
    DecisionContext,
    LevelParameters,
    Parameters,
    StrategyGroup,
    StrategySeries,
    build_series,
    crossings,
    parameter,
    require_window,
)


@dataclass(frozen=True, slots=True)
class MovingAverageParameters(LevelParameters):
    fast: int = parameter(10, 2, 200)
    slow: int = parameter(30, 3, 400)

    def __post_init__(self) -> None:
        Parameters.__post_init__(self)
        if self.fast >= self.slow:
            raise ValueError(f"fast ({self.fast}) must be below slow ({self.slow})")


@dataclass(frozen=True)
class MovingAverage:
    parameters: MovingAverageParameters = MovingAverageParameters()
    name: str = "moving_average"
    group: StrategyGroup = StrategyGroup.TREND_FOLLOWING

    @cached_property
    def minimum_bars(self) -> int:
        """The smoothings have forgotten their seeds, one bar before too."""
        chosen = self.parameters
        return 1 + max(warm_up(ema, period=chosen.slow), warm_up(atr, period=chosen.atr_period))

    def evaluate(self, window: OHLCV, context: DecisionContext) -> StrategySeries:
        require_window(window, self.minimum_bars, self.name)
        chosen = self.parameters
        fast, slow = ema(window.close, chosen.fast), ema(window.close, chosen.slow)
        true_range = context.once(atr, window.high, window.low, window.close, chosen.atr_period)
        gap = fast - slow
        events = crossings(gap)
        with np.errstate(divide="ignore", invalid="ignore"):
            parting = np.abs(gap - shifted(gap, 1)) / true_range
            lean = events * (slow - shifted(slow, 1)) / true_range
            # 0.3 for averages that graze, towards 0.95 when they part fast and the slow one leans along.
            confidence = 0.3 + 0.65 * -np.expm1(-parting / 0.1) * (0.75 + 0.25 * np.tanh(10 * lean))

        def describe(row: int) -> str:
            side = "above" if events[row] > 0 else "below"
            near, far = plain_price(fast[row]), plain_price(slow[row])
            return f"EMA {chosen.fast} ({near}) crossed {side} EMA {chosen.slow} ({far})"

        return build_series(
            self.name,
            window,
            events=events,
            confidence=confidence,
            atr=true_range,
            stop_atr=chosen.stop_atr,
            target_atr=chosen.target_atr,
            describe=describe,
        )
