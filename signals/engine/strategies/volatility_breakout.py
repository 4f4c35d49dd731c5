"""Momentum: price leaves its range by an unusually wide bar.

Idea: buy a close above the highest high of the bars before it, when the bar is wider than usual and more is
    traded; sell the mirror image. The wider and the heavier, the surer.
Market condition: breakouts and volume spikes. Source: Richard Donchian's channel rule (1960); Toby Crabel,
    Day Trading with Short Term Price Patterns and Opening Range Breakout (1990), for range expansion.
Failure mode: false breakouts: most ranges are left more than once before they are left for good.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from signals.engine.candle import OHLCV
from signals.engine.indicators.contract import shifted
from signals.engine.indicators.trend import sma
from signals.engine.indicators.volatility import atr, donchian
from signals.engine.plain import plain_price
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
class VolatilityBreakoutParameters(LevelParameters):
    channel_bars: int = parameter(20, 5, 200)
    expansion: float = parameter(1.3, 1.0, 5.0)
    volume_bars: int = parameter(20, 2, 200)
    volume_spike: float = parameter(1.2, 0.5, 10.0)


@dataclass(frozen=True)
class VolatilityBreakout:
    parameters: VolatilityBreakoutParameters = VolatilityBreakoutParameters()
    name: str = "volatility_breakout"
    group: StrategyGroup = StrategyGroup.MOMENTUM

    @cached_property
    def minimum_bars(self) -> int:
        chosen = self.parameters
        return max(warm_up(atr, period=chosen.atr_period), chosen.channel_bars, chosen.volume_bars) + 1

    def evaluate(self, window: OHLCV, context: DecisionContext) -> StrategySeries:
        require_window(window, self.minimum_bars, self.name)
        chosen = self.parameters
        bars = (window.high, window.low, window.close)
        true_range = context.once(atr, *bars, chosen.atr_period)
        channel = context.once(donchian, window.high, window.low, chosen.channel_bars)
        top, bottom = shifted(channel.upper, 1), shifted(channel.lower, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            width = (window.high - window.low) / shifted(true_range, 1)
            heaviness = window.volume / context.once(sma, window.volume, chosen.volume_bars)
        lively = (width >= chosen.expansion) & (heaviness >= chosen.volume_spike)
        events = signs(lively & (window.close > top), lively & (window.close < bottom))
        # 0.35 at the bounds, towards 0.95 for a very wide bar in heavy trade.
        wide = -np.expm1(-np.maximum(width - chosen.expansion, 0) / 0.8)
        crowd = -np.expm1(-np.maximum(heaviness - chosen.volume_spike, 0) / 1.5)
        confidence = 0.35 + 0.6 * (0.6 * wide + 0.4 * crowd)

        def describe(row: int) -> str:
            side, level = ("above", top[row]) if events[row] > 0 else ("below", bottom[row])
            return (
                f"close {side} the {chosen.channel_bars} bars before ({plain_price(level)}), "
                f"bar range {width[row]:.1f} ATR, volume {heaviness[row]:.1f} times average"
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
