"""Trend following: several trend followers say the same, and the trend is strong.

Idea: trade when at least two of the trend and momentum strategies have lately voted one way, none the
    other, and the directional movement agrees; the louder they are and the stronger the trend, the surer.
Market condition: strong trends, ADX above 25 (the seed documents).
Source: Wilder, New Concepts in Technical Trading Systems (1978), for ADX; agreement of rules as in
    Brock, Lakonishok, LeBaron, Journal of Finance 47 (1992).
Failure mode: later than each of those it waits for, and they share one error: all of them follow price.

Votes come with the context (engine/hybrid passes the other strategies' standing votes, and models').
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from signals.engine.candle import OHLCV
from signals.engine.indicators.trend import adx, minus_di, plus_di
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

SOURCES = ("moving_average", "macd", "momentum", "volatility_breakout")


@dataclass(frozen=True, slots=True)
class ConfirmedParameters(LevelParameters):
    voices: int = parameter(2, 1, 4)
    adx_period: int = parameter(14, 5, 50)
    strength: float = parameter(25.0, 10.0, 60.0)


@dataclass(frozen=True)
class Confirmed:
    parameters: ConfirmedParameters = ConfirmedParameters()
    name: str = "confirmed"
    group: StrategyGroup = StrategyGroup.TREND_FOLLOWING

    @cached_property
    def minimum_bars(self) -> int:
        chosen = self.parameters
        return 1 + max(warm_up(adx, period=chosen.adx_period), warm_up(atr, period=chosen.atr_period))

    def evaluate(self, window: OHLCV, context: DecisionContext) -> StrategySeries:
        require_window(window, self.minimum_bars, self.name)
        chosen = self.parameters
        heard = [name for name in SOURCES if name in context.votes]
        given = ", ".join(name for name in heard if not np.isnan(context.votes[name][-1])) or "none"
        missing = f"input missing: {chosen.voices} votes of {', '.join(SOURCES)} are needed, given: {given}"
        if len(heard) < chosen.voices:
            return abstain(self.name, window, missing)
        votes = np.array([aligned(context.votes[name], len(window)) for name in heard])
        judged = (~np.isnan(votes)).sum(axis=0) >= chosen.voices
        votes[np.isnan(votes)] = 0.0
        bars = (window.high, window.low, window.close)
        strength = context.once(adx, *bars, chosen.adx_period)
        up = context.once(plus_di, *bars, chosen.adx_period) > context.once(
            minus_di, *bars, chosen.adx_period
        )
        longs, shorts = (votes > 0).sum(axis=0), (votes < 0).sum(axis=0)
        strong = strength > chosen.strength
        buying = strong & up & (longs >= chosen.voices) & (shorts == 0)
        selling = strong & ~up & (shorts >= chosen.voices) & (longs == 0)
        events = beginnings(signs(buying, selling))
        loudness = np.abs(votes.sum(axis=0))
        # 0.35 for faint voices in a trend that has just become one, towards 0.95.
        excess = np.maximum(strength - chosen.strength, 0)
        confidence = 0.35 + 0.6 * -np.expm1(-loudness / 0.8) * (1 - 0.5 * np.exp(-excess / 8))

        def describe(row: int) -> str:
            side = "up" if events[row] > 0 else "down"
            voices = ", ".join(name for name, vote in zip(heard, votes[:, row], strict=True) if vote)
            return f"{voices} agree on {side}, ADX {strength[row]:.0f}"

        series = build_series(
            self.name,
            window,
            events=events,
            confidence=confidence,
            atr=context.once(atr, *bars, chosen.atr_period),
            stop_atr=chosen.stop_atr,
            target_atr=chosen.target_atr,
            describe=describe,
        )
        return replace(series, missing="" if judged[-1] else missing, judged=judged)
