"""Sentiment based: an instrument has parted from the one that it usually moves with.

Idea: the log ratio of the two closes returns to its mean; buy this side when it is some deviations below, sell
    when above. Only this instrument's leg is proposed; the partner's is for whoever trades both.
Market condition: external signals available, here the partner's candles (`context.partner`), and a common
    course: the returns of both must correlate. Without a partner the strategy says so.
Source: Gatev, Goetzmann, Rouwenhorst, Pairs Trading, Review of Financial Studies 19 (2006): 2 deviations.
Failure mode: the pair has parted for good (news on one of them), and one leg alone carries the market's risk.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.indicators.contract import rolling
from signals.engine.indicators.volatility import atr
from signals.engine.registry import warm_up
from signals.engine.strategy import (
    DecisionContext,
    LevelParameters,
    StrategyGroup,
    StrategySeries,
    abstain,
    beginnings,
    build_series,
    parameter,
    require_window,
    signs,
)


@dataclass(frozen=True, slots=True)
class PairsTradingParameters(LevelParameters):
    period: int = parameter(100, 20, 200)
    bound: float = parameter(2.0, 0.5, 5.0)
    correlation: float = parameter(0.5, 0.0, 0.99)


@dataclass(frozen=True)
class PairsTrading:
    parameters: PairsTradingParameters = PairsTradingParameters()
    name: str = "pairs_trading"
    group: StrategyGroup = StrategyGroup.SENTIMENT_BASED

    @cached_property
    def minimum_bars(self) -> int:
        chosen = self.parameters
        return max(warm_up(atr, period=chosen.atr_period), chosen.period + 1) + 1

    def evaluate(self, window: OHLCV, context: DecisionContext) -> StrategySeries:
        require_window(window, self.minimum_bars, self.name)
        chosen = self.parameters
        if context.partner is None or len(context.partner) == 0:
            return abstain(self.name, window, "input missing: no candles of a paired instrument")
        partner = _closes_beside(window, context.partner)
        bars = (window.high, window.low, window.close)
        true_range = context.once(atr, *bars, chosen.atr_period)
        spread = np.log(window.close) - np.log(partner)
        recent = rolling(spread, chosen.period)
        usual = recent.mean(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (spread - usual) / recent.std(axis=1, mean=usual[:, np.newaxis])
        parted = np.abs(z) >= chosen.bound
        together = np.zeros(len(window), dtype=np.bool_)
        together[parted] = _correlation(window.close, partner, chosen.period, parted) >= chosen.correlation
        events = beginnings(signs(together & (z < 0), together & (z > 0)))
        # 0.35 at the bound, towards 0.95 the further they have parted.
        confidence = 0.35 + 0.6 * -np.expm1(-np.maximum(np.abs(z) - chosen.bound, 0) / 0.5)

        def describe(row: int) -> str:
            side = "cheap" if events[row] > 0 else "dear"
            return f"{side} against its pair: {abs(z[row]):.1f} standard deviations from their normal ratio"

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
        needed = chosen.period + 1
        judged = np.isfinite(rolling(partner, needed).sum(axis=1))
        lacking = f"input missing: the paired instrument lacks some of the last {needed} candles"
        return replace(series, missing="" if judged[-1] else lacking, judged=judged)


def _closes_beside(window: OHLCV, partner: OHLCV) -> FloatArray:
    """The partner's close of each of the window's bars, NaN where it has none."""
    place = np.searchsorted(partner.open_time, window.open_time)
    place = np.minimum(place, len(partner) - 1)
    found = (partner.open_time[place] == window.open_time) & (partner.close[place] > 0)
    return np.where(found, partner.close[place], np.nan)


def _correlation(
    ours: FloatArray, theirs: FloatArray, period: int, rows: npt.NDArray[np.bool_]
) -> FloatArray:
    """Of the last `period` bars' log returns at `rows`; NaN where one of the two stands still."""
    a, b = (rolling(np.diff(np.log(closes), prepend=np.nan), period)[rows] for closes in (ours, theirs))
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
