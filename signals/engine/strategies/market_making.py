"""Market making: quote both sides of what is fair, and be hit.

Idea: in a calm market the volume-weighted mean is fair; a close some ranges below it would have filled a bid
    there, one above it an ask. The further off, and the calmer, the surer of the way back.
Market condition: low volatility, stable markets: the average range is below its own usual size.
Source: Avellaneda, Stoikov, High-frequency trading in a limit order book, Quantitative Finance 8 (2008), for
    quotes around a reference in units of volatility; on closed bars there is no order book to see.
Failure mode: adverse selection: whoever hits the quote may know that the calm is over.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from signals.engine.candle import OHLCV
from signals.engine.indicators.volatility import atr
from signals.engine.indicators.volume import vwap
from signals.engine.plain import plain_price
from signals.engine.regime import relative_volatility
from signals.engine.registry import warm_up
from signals.engine.strategy import (
    DecisionContext,
    LevelParameters,
    StrategyGroup,
    StrategySeries,
    beginnings,
    build_series,
    parameter,
    require_window,
    signs,
)


@dataclass(frozen=True, slots=True)
class MarketMakingParameters(LevelParameters):
    period: int = parameter(20, 5, 200)
    half_spread_atr: float = parameter(1.25, 0.25, 5.0)
    calm: float = parameter(0.9, 0.3, 2.0)
    stop_atr: float = parameter(1.5, 0.25, 10.0)
    target_atr: float = parameter(1.5, 0.25, 20.0)


@dataclass(frozen=True)
class MarketMaking:
    parameters: MarketMakingParameters = MarketMakingParameters()
    name: str = "market_making"
    group: StrategyGroup = StrategyGroup.MARKET_MAKING

    @cached_property
    def minimum_bars(self) -> int:
        chosen = self.parameters
        return max(warm_up(relative_volatility, period=chosen.atr_period), chosen.period) + 1

    def evaluate(self, window: OHLCV, context: DecisionContext) -> StrategySeries:
        require_window(window, self.minimum_bars, self.name)
        chosen = self.parameters
        bars = (window.high, window.low, window.close)
        true_range = context.once(atr, *bars, chosen.atr_period)
        activity = context.once(relative_volatility, *bars, chosen.atr_period)
        fair = vwap(*bars, window.volume, chosen.period)
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = (window.close - fair) / true_range
        calm, quote = activity < chosen.calm, chosen.half_spread_atr
        events = beginnings(signs(calm & (distance <= -quote), calm & (distance >= quote)))
        # 0.35 at the quote of a hardly calm market, towards 0.95 far from it in a very calm one.
        off = -np.expm1(-np.maximum(np.abs(distance) - quote, 0) / 0.4)
        stillness = np.clip((chosen.calm - activity) / (0.4 * chosen.calm), 0, 1)
        confidence = 0.35 + 0.6 * (0.65 * off + 0.35 * stillness)

        def describe(row: int) -> str:
            side = "below" if events[row] > 0 else "above"
            return (
                f"close {abs(distance[row]):.1f} ATR {side} its volume-weighted mean, VWAP "
                f"{plain_price(fair[row])}, "
                f"volatility {activity[row]:.0%} of normal"
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
