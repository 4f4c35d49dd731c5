"""Mean reversion: price makes a new extreme that its momentum does not confirm.

Idea: buy when a lower low comes with a higher RSI, sell when a higher high comes with a lower one; the more
    stretched the RSI was at the turn, and the less price has run since, the surer.
Market condition: overbought or oversold markets, in which a move tires.
Source: Constance Brown, Technical Analysis for the Trading Professional (1999); patterns/divergence.py.
Failure mode: strong trends diverge several times before they end; a turn is known some bars late.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from signals.engine.candle import OHLCV
from signals.engine.indicators.contract import shifted
from signals.engine.indicators.momentum import rsi
from signals.engine.indicators.volatility import atr
from signals.engine.patterns.divergence import divergence
from signals.engine.registry import warm_up
from signals.engine.strategy import (
    DecisionContext,
    LevelParameters,
    StrategyGroup,
    StrategySeries,
    build_series,
    parameter,
    require_window,
)


@dataclass(frozen=True, slots=True)
class DivergenceReversalParameters(LevelParameters):
    period: int = parameter(14, 2, 100)
    pivot_bars: int = parameter(3, 1, 10)
    longest: int = parameter(60, 5, 200)


@dataclass(frozen=True)
class DivergenceReversal:
    parameters: DivergenceReversalParameters = DivergenceReversalParameters()
    name: str = "divergence"
    group: StrategyGroup = StrategyGroup.MEAN_REVERSION

    @cached_property
    def minimum_bars(self) -> int:
        """The RSI has forgotten its seed at the earlier of two turns."""
        chosen = self.parameters
        turns = chosen.longest + 2 * chosen.pivot_bars
        return max(warm_up(rsi, period=chosen.period) + turns, warm_up(atr, period=chosen.atr_period)) + 1

    def evaluate(self, window: OHLCV, context: DecisionContext) -> StrategySeries:
        require_window(window, self.minimum_bars, self.name)
        chosen = self.parameters
        bars = (window.high, window.low, window.close)
        true_range = context.once(atr, *bars, chosen.atr_period)
        index = context.once(rsi, window.close, chosen.period)
        found = divergence(window.high, window.low, index, chosen.pivot_bars, chosen.longest)
        events = found.regular
        at_turn = shifted(index, chosen.pivot_bars)
        stretch = np.maximum(events * (50 - at_turn), 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            run = np.abs(window.close - shifted(window.close, chosen.pivot_bars)) / true_range
        # 0.3 for a turn in the middle of the RSI, towards 0.95 for a stretched one that price has not left yet.
        confidence = 0.3 + 0.65 * -np.expm1(-stretch / 12) * (0.7 + 0.3 * np.exp(-run))

        def describe(row: int) -> str:
            extreme, other = ("lower low", "higher") if events[row] > 0 else ("higher high", "lower")
            return (
                f"{extreme} with a {other} RSI ({at_turn[row]:.0f} at the turn): the move is losing strength"
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
