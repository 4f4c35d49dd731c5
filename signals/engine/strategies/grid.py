"""Mean reversion: price has reached the next line of a grid.

Idea: lines stand at whole multiples of the average range around a slow mean; buy when a close has fallen to
    a new line below, sell when it has risen to a new one above, for the way back.
Market condition: ranging markets; where ADX is above its bound the grid is taken down.
Source: grid trading as exchanges offer it; its ground is the mean reversion of a range (Poterba, Summers,
    Mean Reversion in Stock Prices, Journal of Financial Economics 22, 1988).
Failure mode: a range that breaks fills line after line on the losing side before ADX rises.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from signals.engine.candle import OHLCV
from signals.engine.indicators.contract import shifted
from signals.engine.indicators.trend import adx, sma
from signals.engine.indicators.volatility import atr
from signals.engine.registry import warm_up
from signals.engine.strategy import (
    DecisionContext,
    LevelParameters,
    StrategyGroup,
    StrategySeries,
    build_series,
    parameter,
    require_window,
    signs,
)


@dataclass(frozen=True, slots=True)
class GridParameters(LevelParameters):
    period: int = parameter(50, 10, 200)
    spacing_atr: float = parameter(1.5, 0.25, 5.0)
    lines: int = parameter(3, 1, 10)
    adx_period: int = parameter(14, 5, 50)
    calm: float = parameter(25.0, 10.0, 60.0)
    target_atr: float = parameter(2.0, 0.25, 20.0)


@dataclass(frozen=True)
class GridTrading:
    parameters: GridParameters = GridParameters()
    name: str = "grid"
    group: StrategyGroup = StrategyGroup.MEAN_REVERSION

    @cached_property
    def minimum_bars(self) -> int:
        chosen = self.parameters
        smoothings = max(warm_up(adx, period=chosen.adx_period), warm_up(atr, period=chosen.atr_period))
        return max(smoothings, chosen.period) + 1

    def evaluate(self, window: OHLCV, context: DecisionContext) -> StrategySeries:
        require_window(window, self.minimum_bars, self.name)
        chosen = self.parameters
        bars = (window.high, window.low, window.close)
        true_range = context.once(atr, *bars, chosen.atr_period)
        trend = context.once(adx, *bars, chosen.adx_period)
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = (window.close - sma(window.close, chosen.period)) / (chosen.spacing_atr * true_range)
        line = np.trunc(distance)
        before = shifted(line, 1)
        inside = (trend < chosen.calm) & (np.abs(line) <= chosen.lines)
        events = signs(inside & (line < 0) & (line < before), inside & (line > 0) & (line > before))
        # 0.3 at the first line where a trend begins, towards 0.95 far out in a flat market.
        flatness = 1 - 0.6 * np.clip(trend / chosen.calm, 0, 1) ** 2
        confidence = 0.3 + 0.65 * -np.expm1(-np.abs(distance) / 1.2) * flatness

        def describe(row: int) -> str:
            side = "below" if events[row] > 0 else "above"
            return (
                f"close reached line {abs(line[row]):.0f} of the grid {side} its {chosen.period}-bar average, "
                f"ADX {trend[row]:.0f}"
            )

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
