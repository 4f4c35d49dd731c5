"""Sentiment based: the mood of those who write has become clear.

Idea: buy when the sentiment reading rises to its bound, sell when it falls to the lower one; the stronger the
    mood, the surer. One reading without history is taken as news of the last bar.
Market condition: external signals available. Without a reading the strategy says so; it never guesses.
Source: Tetlock, Giving Content to Investor Sentiment, Journal of Finance 62 (2007); for crypto, Kraaijeveld,
    De Smedt, The predictive power of public Twitter sentiment, JIFMIM 65 (2020).
Failure mode: sentiment follows price more often than it leads it; crowds are loudest at the end.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from signals.engine.candle import OHLCV
from signals.engine.indicators.volatility import atr
from signals.engine.registry import warm_up
from signals.engine.strategy import (
    DecisionContext,
    LevelParameters,
    StrategyGroup,
    StrategySeries,
    abstain,
    aligned,
    beginnings,
    build_series,
    parameter,
    require_window,
    signs,
)


@dataclass(frozen=True, slots=True)
class SentimentParameters(LevelParameters):
    bound: float = parameter(0.3, 0.05, 0.95)


@dataclass(frozen=True)
class Sentiment:
    parameters: SentimentParameters = SentimentParameters()
    name: str = "sentiment"
    group: StrategyGroup = StrategyGroup.SENTIMENT_BASED

    @cached_property
    def minimum_bars(self) -> int:
        return 1 + warm_up(atr, period=self.parameters.atr_period)

    def evaluate(self, window: OHLCV, context: DecisionContext) -> StrategySeries:
        require_window(window, self.minimum_bars, self.name)
        chosen = self.parameters
        if context.sentiment is None:
            return abstain(self.name, window, "input missing: no sentiment reading")
        bars = (window.high, window.low, window.close)
        true_range = context.once(atr, *bars, chosen.atr_period)
        mood = aligned(context.sentiment, len(window))
        events = beginnings(signs(mood >= chosen.bound, mood <= -chosen.bound))
        # 0.35 at the bound, 0.95 for the strongest mood there is.
        confidence = 0.35 + 0.6 * (np.abs(mood) - chosen.bound) / (1 - chosen.bound)

        def describe(row: int) -> str:
            side = "bullish" if events[row] > 0 else "bearish"
            return f"sentiment has become {side}: {mood[row]:+.2f}"

        series = build_series(
            self.name,
            window,
            events=events,
            confidence=confidence,
            atr=true_range,
            stop_atr=chosen.stop_atr,
            target_atr=chosen.target_atr,
            describe=describe,
        )
        missing = "input missing: no sentiment reading for the last bar" if np.isnan(mood[-1]) else ""
        return replace(series, missing=missing, judged=~np.isnan(mood))
