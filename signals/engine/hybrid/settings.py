"""Every choice in how the votes are blended and the levels drawn, with its bounds."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cached_property
from math import isfinite
from types import MappingProxyType

import numpy as np

from signals.engine.candle import FloatArray
from signals.engine.horizon import VALIDITY_BARS
from signals.engine.regime import Regime
from signals.engine.sentiment import VETO
from signals.engine.strategy import StrategyGroup, bounds, parameter
from signals.engine.timeframe import BASE_TIMEFRAME, TIMEFRAME_WEIGHTS, Timeframe

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TRENDING = frozenset((Regime.TRENDING_UP, Regime.TRENDING_DOWN))
CALM = frozenset((Regime.RANGING, Regime.QUIET))
SUITED: Mapping[StrategyGroup, frozenset[Regime]] = MappingProxyType(
    {
        StrategyGroup.TREND_FOLLOWING: TRENDING | {Regime.BREAKOUT},
        StrategyGroup.MEAN_REVERSION: CALM,
        StrategyGroup.MOMENTUM: TRENDING | {Regime.BREAKOUT, Regime.VOLATILE},
        StrategyGroup.MARKET_MAKING: CALM,
        StrategyGroup.SENTIMENT_BASED: frozenset(Regime),
    }
)


@dataclass(frozen=True)
class HybridSettings:
    """ValueError for a value outside its bounds, and for weights that are not of BASE_TIMEFRAME and longer ones.

    timeframe_weights: of each timeframe's score. suited: regimes for which each group of strategies is made.
    memory_bars: how long an event is heard. half_life_bars: after how many bars it counts half.
    out_of_place: what an event counts in a regime for which its group is not made.
    minimum_score: below it nothing is published. score_scale: |score| at which confidence is 1 - 1/e.
    oldest_periods: how many periods ago a timeframe's last bar may have closed.
    window_bars: how far back an impossible price spoils a decision.
    still_bars, still_limit: a market is halted when so many of so many last base bars did not move.
    validity_bars: base bars until a signal expires, which a volatility forecast speaks of.
    atr_period, stop_atr, stop_deviations, target_per_stop, level_bound: see the text of the package.
    stop_costs: a stop must be so many times as far as a round trip costs; stop_ticks: and so many ticks.
    reasons_shown: at most so many in a signal.
    sentiment_veto: a mood so strong against a signal ends it. sentiment_shrink: what a full one takes of confidence.
    """

    timeframe_weights: Mapping[Timeframe, float] = field(default_factory=lambda: TIMEFRAME_WEIGHTS)
    suited: Mapping[StrategyGroup, frozenset[Regime]] = field(default_factory=lambda: SUITED)
    memory_bars: int = parameter(6, 1, 48)
    half_life_bars: float = parameter(3.0, 0.25, 100.0)
    out_of_place: float = parameter(0.5, 0.0, 1.0)
    minimum_score: float = parameter(0.15, 0.0, 1.0)
    score_scale: float = parameter(0.24, 0.01, 10.0)
    oldest_periods: int = parameter(2, 1, 10)
    window_bars: int = parameter(500, 1, 100_000)
    still_bars: int = parameter(24, 1, 500)
    still_limit: int = parameter(6, 1, 500)
    validity_bars: int = parameter(VALIDITY_BARS, 1, 100)
    atr_period: int = parameter(14, 2, 100)
    stop_atr: float = parameter(2.0, 0.25, 20.0)
    stop_deviations: float = parameter(1.6, 0.1, 20.0)
    target_per_stop: float = parameter(1.5, 0.1, 20.0)
    level_bound: float = parameter(2.0, 1.0, 10.0)
    stop_costs: float = parameter(3.0, 0.0, 100.0)
    stop_ticks: int = parameter(5, 1, 1_000)
    reasons_shown: int = parameter(3, 2, 10)
    sentiment_veto: float = parameter(VETO, 0.05, 1.0)
    sentiment_shrink: float = parameter(0.5, 0.0, 1.0)

    def __post_init__(self) -> None:
        for each in fields(self):
            if "bounds" not in each.metadata:
                continue
            low, high = bounds(each)
            value = getattr(self, each.name)
            if not low <= value <= high:
                raise ValueError(f"{each.name} is {value}; it must be between {low} and {high}")
        if self.still_limit > self.still_bars:
            raise ValueError(
                f"still_limit ({self.still_limit}) must not exceed still_bars ({self.still_bars})"
            )
        self._check_mappings()

    def _check_mappings(self) -> None:
        weights = self.timeframe_weights
        if BASE_TIMEFRAME not in weights or min(map(Timeframe, weights), key=_length) != BASE_TIMEFRAME:
            raise ValueError(f"timeframe_weights must be of {BASE_TIMEFRAME} and longer ones, not {weights}")
        if not all(isfinite(weight) and weight >= 0 for weight in weights.values()):
            raise ValueError(f"timeframe_weights must not be negative: {dict(weights)}")
        if set(self.suited) != set(StrategyGroup):
            raise ValueError("suited must name every group of strategies")

    @cached_property
    def decay(self) -> FloatArray:
        """What is left of an event by its age in bars; `memory_bars` of them."""
        left: FloatArray = 0.5 ** (np.arange(self.memory_bars) / self.half_life_bars)
        return left


def _length(timeframe: Timeframe) -> int:
    return timeframe.milliseconds


DEFAULTS = HybridSettings()
STOP_ATR = DEFAULTS.stop_atr
STOP_DEVIATIONS = DEFAULTS.stop_deviations
