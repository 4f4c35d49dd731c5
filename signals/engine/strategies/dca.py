"""Market making: buy another part each time a calm market is a step cheaper.

Idea: dollar-cost averaging with the dips as its calendar: each whole step of some average ranges below the
    recent high is bought once on the way down. The steps are measured by the range at the high, so that they stay
    where they are while the market calms down. It never sells short. The deeper and the calmer, the surer.
Market condition: low volatility, stable markets; a fall in which volatility rises is not bought.
Source: Constantinides, A Note on the Suboptimality of Dollar-Cost Averaging, Journal of Financial and
    Quantitative Analysis 14 (1979), and Marshall (2006) on value averaging, of which this is the timing half.
Failure mode: a slow decline is bought all the way down; averaging in is no edge, only patience.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.indicators.volatility import atr, donchian
from signals.engine.plain import plain_price
from signals.engine.regime import relative_volatility
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
class DollarCostAveragingParameters(LevelParameters):
    high_bars: int = parameter(50, 5, 200)
    step_atr: float = parameter(3.0, 0.5, 10.0)
    calm: float = parameter(1.05, 0.3, 3.0)
    stop_atr: float = parameter(3.0, 0.25, 10.0)


@dataclass(frozen=True)
class DollarCostAveraging:
    parameters: DollarCostAveragingParameters = DollarCostAveragingParameters()
    name: str = "dca"
    group: StrategyGroup = StrategyGroup.MARKET_MAKING

    @cached_property
    def minimum_bars(self) -> int:
        chosen = self.parameters
        return (
            max(
                warm_up(relative_volatility, period=chosen.atr_period),
                warm_up(atr, period=chosen.atr_period) + chosen.high_bars,
            )
            + 2
        )

    def evaluate(self, window: OHLCV, context: DecisionContext) -> StrategySeries:
        require_window(window, self.minimum_bars, self.name)
        chosen = self.parameters
        bars = (window.high, window.low, window.close)
        true_range = context.once(atr, *bars, chosen.atr_period)
        activity = context.once(relative_volatility, *bars, chosen.atr_period)
        highest = context.once(donchian, window.close, window.close, chosen.high_bars).upper
        depth, bought = _steps_down(window.close, chosen.step_atr * true_range, chosen.high_bars)
        step = np.floor(depth)
        deeper = (step >= 1) & (step > bought)
        events = (deeper & (activity < chosen.calm)).astype(np.int8)
        # 0.3 for a shallow dip in a lively market, towards 0.95 for a deep one in a calm market.
        stillness = np.clip((chosen.calm - activity) / (0.5 * chosen.calm), 0, 1)
        confidence = 0.3 + 0.65 * -np.expm1(-depth / 2) * (0.6 + 0.4 * stillness)

        def describe(row: int) -> str:
            return (
                f"step {step[row]:.0f} below the {chosen.high_bars}-bar high {plain_price(highest[row])}, "
                f"volatility {activity[row]:.0%} of normal: buy another part"
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


@njit(cache=True)
def _steps_down(close: FloatArray, width: FloatArray, high_bars: int) -> tuple[FloatArray, FloatArray]:
    """How many steps each close is below the highest of the last `high_bars`, and how many whole ones it was since.

    A step is `width` at that high; NaN where there is none.
    """
    depth, reached = np.full(len(close), np.nan), np.full(len(close), np.nan)
    for row in range(high_bars - 1, len(close)):
        top = row - high_bars + 1
        for at in range(top, row + 1):
            if close[at] > close[top]:
                top = at
        if not width[top] > 0:
            continue
        lowest = close[top]
        for at in range(top, row):
            lowest = min(lowest, close[at])
        depth[row] = (close[top] - close[row]) / width[top]
        reached[row] = np.floor((close[top] - lowest) / width[top])
    return depth, reached
