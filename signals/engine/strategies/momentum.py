"""Momentum: a move that goes on, carried by volume.

Idea: buy when the change over some bars exceeds what the usual range would give by chance, and more is traded
    than usual; sell the mirror image. The faster and the heavier, the surer.
Market condition: volume spikes (the seed documents), here relative to the mean of the same bars.
Source: Moskowitz, Ooi, Pedersen, Time Series Momentum, Journal of Financial Economics 104 (2012); volume:
    Lee, Swaminathan, Price Momentum and Trading Volume, Journal of Finance 55 (2000).
Failure mode: buys climaxes; after a crash momentum turns against its holder (Daniel, Moskowitz 2016).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from signals.engine.candle import OHLCV
from signals.engine.indicators.contract import shifted
from signals.engine.indicators.trend import sma
from signals.engine.indicators.volatility import atr
from signals.engine.registry import warm_up
from signals.engine.strategy import (
    DecisionContext,
    LevelParameters,
    StrategyGroup,
    StrategySeries,
    beginnings,
    build_series,
    parameter,
    require_window,
    signs,
)


@dataclass(frozen=True, slots=True)
class MomentumParameters(LevelParameters):
    period: int = parameter(12, 2, 200)
    threshold: float = parameter(1.0, 0.25, 5.0)
    volume_bars: int = parameter(20, 2, 200)
    volume_spike: float = parameter(1.5, 1.0, 10.0)


@dataclass(frozen=True)
class Momentum:
    parameters: MomentumParameters = MomentumParameters()
    name: str = "momentum"
    group: StrategyGroup = StrategyGroup.MOMENTUM

    @cached_property
    def minimum_bars(self) -> int:
        chosen = self.parameters
        return max(warm_up(atr, period=chosen.atr_period), chosen.period + 1, chosen.volume_bars) + 1

    def evaluate(self, window: OHLCV, context: DecisionContext) -> StrategySeries:
        require_window(window, self.minimum_bars, self.name)
        chosen = self.parameters
        bars = (window.high, window.low, window.close)
        true_range = context.once(atr, *bars, chosen.atr_period)
        change = window.close - shifted(window.close, chosen.period)
        with np.errstate(divide="ignore", invalid="ignore"):
            speed = change / (true_range * np.sqrt(chosen.period))
            heaviness = window.volume / context.once(sma, window.volume, chosen.volume_bars)
        heavy = heaviness >= chosen.volume_spike
        events = beginnings(signs(heavy & (speed >= chosen.threshold), heavy & (speed <= -chosen.threshold)))
        # 0.35 at the bounds, towards 0.95 for a fast move in heavy trade.
        fast = -np.expm1(-np.maximum(np.abs(speed) - chosen.threshold, 0) / 0.5)
        crowd = -np.expm1(-np.maximum(heaviness - chosen.volume_spike, 0) / 1.5)
        confidence = 0.35 + 0.6 * (0.6 * fast + 0.4 * crowd)

        def describe(row: int) -> str:
            return (
                f"{change[row] / (window.close[row] - change[row]):+.1%} in {chosen.period} bars, "
                f"volume {heaviness[row]:.1f} times average"
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
