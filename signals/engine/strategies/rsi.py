"""Mean reversion: price returns after it was stretched too far.

Idea: buy when the RSI climbs back above its lower bound, sell when it falls back below the upper one;
    waiting for the return avoids buying into a fall that goes on. Market condition: ranging markets.
Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978), section VI (14, 30, 70).
Failure mode: in a strong trend the RSI returns many times while price goes on against the trade.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.indicators.contract import shifted
from signals.engine.indicators.momentum import rsi
from signals.engine.indicators.volatility import atr
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
class RsiParameters(LevelParameters):
    period: int = parameter(14, 2, 100)
    lower: float = parameter(30.0, 5.0, 45.0)
    upper: float = parameter(70.0, 55.0, 95.0)
    stretch_bars: int = parameter(8, 1, 50)


@dataclass(frozen=True)
class Rsi:
    parameters: RsiParameters = RsiParameters()
    name: str = "rsi"
    group: StrategyGroup = StrategyGroup.MEAN_REVERSION

    @cached_property
    def minimum_bars(self) -> int:
        """Wilder's smoothings have forgotten their seeds, wherever the stretch is looked for."""
        chosen = self.parameters
        index_bars = warm_up(rsi, period=chosen.period) + chosen.stretch_bars
        return max(index_bars, warm_up(atr, period=chosen.atr_period))

    def evaluate(self, window: OHLCV, context: DecisionContext) -> StrategySeries:
        require_window(window, self.minimum_bars, self.name)
        chosen = self.parameters
        index = context.once(rsi, window.close, chosen.period)
        before = shifted(index, 1)
        # TA-Lib says 0 for a market that has not moved at all; that is no weakness to recover from.
        rising = (before > 0) & (before <= chosen.lower) & (index > chosen.lower)
        falling = (before >= chosen.upper) & (index < chosen.upper)
        events = signs(rising, falling)
        trough = recent_extreme(index, chosen.stretch_bars, np.fmin)
        peak = recent_extreme(index, chosen.stretch_bars, np.fmax)
        depth = np.where(events > 0, chosen.lower - trough, peak - chosen.upper)

        def describe(row: int) -> str:
            if events[row] > 0:
                return (
                    f"RSI {index[row]:.0f} is back above {chosen.lower:g} after {trough[row]:.0f}: oversold"
                )
            return f"RSI {index[row]:.0f} is back below {chosen.upper:g} after {peak[row]:.0f}: overbought"

        return build_series(
            self.name,
            window,
            events=events,
            confidence=_confidence(depth),
            atr=context.once(atr, window.high, window.low, window.close, chosen.atr_period),
            stop_atr=chosen.stop_atr,
            target_atr=chosen.target_atr,
            describe=describe,
        )


def _confidence(depth: FloatArray) -> FloatArray:
    """0.35 for a touch of the bound, towards 0.95 the deeper (RSI points) it went beyond."""
    return 0.35 + 0.6 * -np.expm1(-np.maximum(depth, 0) / 8)
