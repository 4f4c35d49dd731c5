"""Mean reversion: price comes back into its bands.

Idea: buy when a close returns above the lower band after one below it, sell when it returns below the upper
    one; the further out it was, and the less of a trend there is, the surer.
Market condition: ranging markets; where ADX is above its bound nothing is said.
Source: John Bollinger, Bollinger on Bollinger Bands (2001), chapter 16 (tags of the bands, reversals).
Failure mode: in a young trend, before ADX shows it, price walks along the band and returns only to go on.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from signals.engine.candle import OHLCV
from signals.engine.indicators.contract import shifted
from signals.engine.indicators.trend import adx
from signals.engine.indicators.volatility import atr, bollinger_bands
from signals.engine.registry import warm_up
from signals.engine.strategy import (
    DecisionContext,
    LevelParameters,
    StrategyGroup,
    StrategySeries,
    build_series,
    parameter,
    recent_extreme,
    require_window,
    signs,
)


@dataclass(frozen=True, slots=True)
class BollingerMeanReversionParameters(LevelParameters):
    period: int = parameter(20, 5, 200)
    deviations: float = parameter(2.0, 0.5, 4.0)
    adx_period: int = parameter(14, 5, 50)
    calm: float = parameter(30.0, 10.0, 60.0)
    stretch_bars: int = parameter(4, 1, 50)
    target_atr: float = parameter(2.5, 0.25, 20.0)


@dataclass(frozen=True)
class BollingerMeanReversion:
    parameters: BollingerMeanReversionParameters = BollingerMeanReversionParameters()
    name: str = "bollinger_mean_reversion"
    group: StrategyGroup = StrategyGroup.MEAN_REVERSION

    @cached_property
    def minimum_bars(self) -> int:
        chosen = self.parameters
        smoothings = max(warm_up(adx, period=chosen.adx_period), warm_up(atr, period=chosen.atr_period))
        return max(smoothings, chosen.period + chosen.stretch_bars) + 1

    def evaluate(self, window: OHLCV, context: DecisionContext) -> StrategySeries:
        require_window(window, self.minimum_bars, self.name)
        chosen = self.parameters
        bars = (window.high, window.low, window.close)
        true_range = context.once(atr, *bars, chosen.atr_period)
        trend = context.once(adx, *bars, chosen.adx_period)
        bands = context.once(bollinger_bands, window.close, chosen.period, chosen.deviations)
        with np.errstate(divide="ignore", invalid="ignore"):
            place = (window.close - bands.middle) / (bands.upper - bands.middle)  # 1 at the upper band
        before = shifted(place, 1)
        events = signs((before < -1) & (place >= -1), (before > 1) & (place <= 1))
        events = np.where(trend < chosen.calm, events, 0).astype(np.int8)
        lowest = recent_extreme(place, chosen.stretch_bars, np.fmin)
        highest = recent_extreme(place, chosen.stretch_bars, np.fmax)
        depth = np.where(events > 0, -lowest, highest) - 1
        # 0.3 for a bare touch where a trend begins, towards 0.95 far outside the bands of a flat market.
        flatness = 1 - 0.5 * np.clip(trend / chosen.calm, 0, 1) ** 2
        confidence = 0.3 + 0.65 * -np.expm1(-np.maximum(depth, 0) / 0.15) * flatness

        def describe(row: int) -> str:
            side, furthest = ("lower", lowest[row]) if events[row] > 0 else ("upper", highest[row])
            return (
                f"close is back inside the {side} Bollinger band after {abs(furthest):.2f} of its width, "
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
