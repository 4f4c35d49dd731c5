"""The market at one close, as an autopilot sees it: regime, conditions, and what each strategy says."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.features import MARKET_FEATURES, market_features
from signals.engine.hybrid import opinions
from signals.engine.indicators.volatility import realised
from signals.engine.regime import REGIMES, UNKNOWN, Regime
from signals.engine.strategy import DecisionContext, StrategySeries, StrategySignal
from signals.engine.trend import FROZEN, decide

VOLATILITY_BARS = 100


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """place: of the regime in REGIMES, -1 unknown. row: MARKET_FEATURES of the last bar. deviation: of log returns.

    speaking: strategies with an event at the last bar that may be traded. unable: who could not judge, and why.
    ruled: the trend rule's trade of this close; it speaks as its strategy, and is left by its managed plan.
    """

    place: int
    row: FloatArray
    deviation: float | None
    series: Mapping[str, StrategySeries]
    speaking: tuple[str, ...]
    unable: tuple[str, ...]
    ruled: StrategySignal | None = None

    @property
    def regime(self) -> Regime | None:
        return None if self.place == UNKNOWN else REGIMES[self.place]

    @property
    def conditions(self) -> dict[str, float]:
        """What was measured, by name; what is not known is left out."""
        known = zip(MARKET_FEATURES, self.row.tolist(), strict=True)
        return {name: round(value, 6) for name, value in known if np.isfinite(value) and name != "regime"}

    def signal(self, strategy: str) -> StrategySignal | None:
        if self.ruled is not None and strategy == self.ruled.strategy:
            return self.ruled
        return self.series[strategy].signal()


def analyse(
    window: OHLCV, context: DecisionContext, *, can_short: bool, with_trend_rule: bool = False
) -> Analysis:
    """WindowError when no strategy can judge this window; ValueError for prices at or below zero.

    with_trend_rule: these are bars of a market for which it is registered, so it may be chosen like any strategy.
    """
    ruled = None
    if with_trend_rule and len(window) >= FROZEN.minimum_bars:
        ruled = decide(window)
    series = opinions(window, context)
    speaking, unable = [], []
    for name, each in series.items():
        direction = int(each.direction[-1])
        if each.missing:
            unable.append(f"{name}: {each.missing}")
        elif direction and each.judges()[-1] and (can_short or direction > 0):
            speaking.append(name)
    if ruled is not None and ruled.strategy not in speaking:
        speaking.append(ruled.strategy)
    deviation = (
        float(context.once(realised, window.close, VOLATILITY_BARS)[-1])
        if len(window) > VOLATILITY_BARS
        else np.nan
    )
    row = market_features(window, context)[-1]
    place = row[MARKET_FEATURES.index("regime")]
    return Analysis(
        place=int(place) if np.isfinite(place) else UNKNOWN,
        row=row,
        deviation=deviation if np.isfinite(deviation) and deviation > 0 else None,
        series=series,
        speaking=tuple(speaking),
        unable=tuple(unable),
        ruled=ruled,
    )
