"""Trend following: a channel of many bars is left, as the Turtles traded it.

Idea: buy a close above the highest high of the 55 bars before it, sell a close below their lowest low; the further
    beyond, in average true ranges, the surer. Market condition: long trends.
Source: Richard Donchian's channel rule (1960); Curtis Faith, The Original Turtle Trading Rules (2003), System 2.
Failure mode: in a market without a trend most breakouts fail; the rule lives on the few that run.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from signals.engine.candle import OHLCV
from signals.engine.indicators.contract import shifted
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
class TurtleParameters(LevelParameters):
    channel_bars: int = parameter(55, 10, 200)


@dataclass(frozen=True)
class Turtle:
    parameters: TurtleParameters = TurtleParameters()
    name: str = "turtle"
    group: StrategyGroup = StrategyGroup.TREND_FOLLOWING

    @cached_property
    def minimum_bars(self) -> int:
        chosen = self.parameters
        return max(warm_up(atr, period=chosen.atr_period), chosen.channel_bars + 2)

    def evaluate(self, window: OHLCV, context: DecisionContext) -> StrategySeries:
        require_window(window, self.minimum_bars, self.name)
        chosen = self.parameters
        true_range = context.once(atr, window.high, window.low, window.close, chosen.atr_period)
        channel = context.once(donchian, window.high, window.low, chosen.channel_bars)
        # The channel of the bars before: the bar that breaks out must not be part of it.
        top, bottom = shifted(channel.upper, 1), shifted(channel.lower, 1)
        above, below = window.close > top, window.close < bottom
        # Only the first close beyond is an event; those that follow say nothing new.
        rising = above & ~(shifted(window.close, 1) > shifted(top, 1))
        falling = below & ~(shifted(window.close, 1) < shifted(bottom, 1))
        events = signs(rising, falling)
        with np.errstate(divide="ignore", invalid="ignore"):
            beyond = np.where(events > 0, window.close - top, bottom - window.close) / true_range
        confidence = 0.35 + 0.6 * -np.expm1(-np.maximum(beyond, 0) / 0.7)

        def describe(row: int) -> str:
            side, level = ("above", top[row]) if events[row] > 0 else ("below", bottom[row])
            return f"close {side} the {chosen.channel_bars} bars before ({plain_price(level)})"

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
