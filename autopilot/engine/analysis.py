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

VOLATILITY_BARS = 100


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """place: of the regime in REGIMES, -1 unknown. row: MARKET_FEATURES of the last bar. deviation: of log returns.

    speaking: strategies with an event at the last bar that may be traded. unable: who could not judge, and why.
    """

    place: int
    row: FloatArray
    deviation: float | None
    series: Mapping[str, StrategySeries]
    speaking: tuple[str, ...]
    unable: tuple[str, ...]

    @property
    def regime(self) -> Regime | None:
        return None if self.place == UNKNOWN else REGIMES[self.place]

    @property
    def conditions(self) -> dict[str, float]:
        """What was measured, by name; what is not known is left out."""
        known = zip(MARKET_FEATURES, self.row.tolist(), strict=True)
        return {name: round(value, 6) for name, value in known if np.isfinite(value) and name != "regime"}

    def signal(self, strategy: str) -> StrategySignal | None:
        return self.series[strategy].signal()


def analyse(window: OHLCV, context: DecisionContext, *, can_short: bool) -> Analysis:
    """WindowError when no strategy can judge this window; ValueError for prices at or below zero."""
    series = opinions(window, context)
    speaking, unable = [], []
    for name, each in series.items():
        direction = int(each.direction[-1])
        if each.missing:
            unable.append(f"{name}: {each.missing}")
        elif direction and each.judges()[-1] and (can_short or direction > 0):
            speaking.append(name)
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
    )
