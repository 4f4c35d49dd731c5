"""Trend following: momentum has turned.

Idea: buy when the MACD line crosses above its signal line, sell when it crosses below; the steeper the
    crossing, measured in ATR, and the more it goes with the trend (line beyond zero), the surer.
Market condition: trending markets (ADX above 25 in the seed documents).
Source: Gerald Appel, Technical Analysis: Power Tools for Active Investors (2005), chapters 8-9 (12, 26, 9).
Failure mode: in a range the two lines cross back and forth and each crossing loses.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from signals.engine.candle import OHLCV
from signals.engine.indicators.contract import shifted
from signals.engine.indicators.trend import macd
from signals.engine.indicators.volatility import atr
from signals.engine.plain import plain_price
from signals.engine.registry import warm_up
from signals.engine.strategy import (
    DecisionContext,
    LevelParameters,
    StrategyGroup,
    StrategySeries,
    build_series,
    crossings,
    parameter,
    require_window,
)


@dataclass(frozen=True, slots=True)
class MacdParameters(LevelParameters):
    fast: int = parameter(12, 2, 100)
    slow: int = parameter(26, 3, 200)
    signal: int = parameter(9, 2, 100)


@dataclass(frozen=True)
class Macd:
    parameters: MacdParameters = MacdParameters()
    name: str = "macd"
    group: StrategyGroup = StrategyGroup.TREND_FOLLOWING

    @cached_property
    def minimum_bars(self) -> int:
        """The smoothings have forgotten their seeds, one bar before too."""
        chosen = self.parameters
        lines = warm_up(macd, fast=chosen.fast, slow=chosen.slow, signal=chosen.signal)
        return 1 + max(lines, warm_up(atr, period=chosen.atr_period))

    def evaluate(self, window: OHLCV, context: DecisionContext) -> StrategySeries:
        require_window(window, self.minimum_bars, self.name)
        chosen = self.parameters
        lines = context.once(macd, window.close, chosen.fast, chosen.slow, chosen.signal)
        true_range = context.once(atr, window.high, window.low, window.close, chosen.atr_period)
        events = crossings(lines.histogram)
        with np.errstate(divide="ignore", invalid="ignore"):
            steepness = np.abs(lines.histogram - shifted(lines.histogram, 1)) / true_range
            trend = events * lines.macd / true_range
            # 0.3 for a grazing crossing far against the trend, towards 0.95 for a steep one with it.
            confidence = 0.3 + 0.65 * -np.expm1(-steepness / 0.06) * (0.75 + 0.25 * np.tanh(trend))

        def describe(row: int) -> str:
            side = "above" if events[row] > 0 else "below"
            zero = "above" if lines.macd[row] > 0 else "below"
            line, signal = plain_price(lines.macd[row]), plain_price(lines.signal[row])
            return f"MACD {line} crossed {side} its signal {signal}, {zero} zero"

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
