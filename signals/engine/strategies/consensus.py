"""Sentiment based: most of those who have an opinion share it.

Idea: a majority of different rules is right more often than one of them, as long as their errors differ.
Market condition: any in which several rules have spoken lately; external votes (models) count alike.
Source: Clemen, Combining forecasts, International Journal of Forecasting 5 (1989): the plain mean of many
    is hard to beat.
Failure mode: the rules read the same prices, so a majority is less independent than it looks.

Votes come with the context (engine/hybrid passes the other strategies' standing votes, and models').
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

MADE_OF_VOTES = ("confirmed", "consensus")  # they would count the same voices twice


@dataclass(frozen=True, slots=True)
class ConsensusParameters(LevelParameters):
    voices: int = parameter(3, 2, 10)
    agreement: float = parameter(0.5, 0.1, 1.0)
    loudness: float = parameter(0.2, 0.0, 0.9)


@dataclass(frozen=True)
class Consensus:
    parameters: ConsensusParameters = ConsensusParameters()
    name: str = "consensus"
    group: StrategyGroup = StrategyGroup.SENTIMENT_BASED

    @cached_property
    def minimum_bars(self) -> int:
        return 1 + warm_up(atr, period=self.parameters.atr_period)

    def evaluate(self, window: OHLCV, context: DecisionContext) -> StrategySeries:
        require_window(window, self.minimum_bars, self.name)
        chosen = self.parameters
        heard = [name for name in context.votes if name not in MADE_OF_VOTES]
        given = sum(not np.isnan(context.votes[name][-1]) for name in heard)
        missing = f"input missing: {chosen.voices} votes are needed, given: {given}"
        if len(heard) < chosen.voices:
            return abstain(self.name, window, missing)
        votes = np.array([aligned(context.votes[name], len(window)) for name in heard])
        judged = (~np.isnan(votes)).sum(axis=0) >= chosen.voices
        votes[np.isnan(votes)] = 0.0
        voices = np.maximum((votes != 0).sum(axis=0), 1)
        balance = np.sign(votes).sum(axis=0) / voices
        mean = votes.sum(axis=0) / voices
        agreed = (voices >= chosen.voices) & (np.abs(balance) >= chosen.agreement)
        long, short = agreed & (mean >= chosen.loudness), agreed & (mean <= -chosen.loudness)
        events = beginnings(signs(long & (balance > 0), short & (balance < 0)))
        # 0.35 for a bare majority of faint voices, towards 0.95 for many who all say it loudly.
        confidence = 0.35 + 0.6 * np.tanh(1.5 * np.abs(mean) * np.abs(balance) * np.sqrt(voices / 3))

        def describe(row: int) -> str:
            side = "up" if events[row] > 0 else "down"
            agreeing = int((votes[:, row] * events[row] > 0).sum())
            return f"{agreeing} of {voices[row]} votes say {side}, average {mean[row]:+.2f}"

        series = build_series(
            self.name,
            window,
            events=events,
            confidence=confidence,
            atr=context.once(atr, window.high, window.low, window.close, chosen.atr_period),
            stop_atr=chosen.stop_atr,
            target_atr=chosen.target_atr,
            describe=describe,
        )
        return replace(series, missing="" if judged[-1] else missing, judged=judged)
