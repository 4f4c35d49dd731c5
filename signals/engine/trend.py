"""The trend rule: a 4h close at the highest of the last bars is bought, and a stop follows it until it is hit.

Time-series momentum and Donchian channels in their plainest form (Moskowitz, Ooi & Pedersen 2012; Zarattini, Pagani
& Barbon 2025, "Catching Crypto Trends"). Long only, one position a market, entered at the next open or not at all.
`FROZEN` is the centre of a plateau of settings, chosen for being the centre; it has not changed since `FROZEN_ON`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.costs import SPOT_COSTS, CostRates
from signals.engine.direction import Direction
from signals.engine.exit_plan import ATR_PERIOD, ExitPlan, managed
from signals.engine.indicators.contract import ta_lib, wilder_memory
from signals.engine.indicators.volatility import atr
from signals.engine.outcome import Outcomes, follow_plans
from signals.engine.strategy import (
    DirectionArray,
    Parameters,
    StrategySignal,
    WindowError,
    parameter,
    require_window,
)
from signals.engine.timeframe import Timeframe

TIMEFRAME = Timeframe.H4
STRATEGY = "volatility_breakout"
RULE = "trend_rule"  # its name where strategies are chosen
ENTRY_BARS = 1  # the order of a close lapses with the bar that follows it


@dataclass(frozen=True, slots=True)
class TrendSettings(Parameters):
    """lookback: bars whose closes must not be higher, this one included. trail_atr: of first stop and trail."""

    lookback: int = parameter(120, 2, 1_000)
    trail_atr: float = parameter(4.0, 0.25, 20.0)
    longest_hold_bars: int = parameter(120, 1, 1_000)

    @property
    def minimum_bars(self) -> int:
        """Bars from which a decision no longer depends on where the candles begin."""
        return max(self.lookback, wilder_memory(ATR_PERIOD) + 1)


FROZEN = TrendSettings()
FROZEN_ON = datetime(2026, 11, 28, tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class TrendSeries:
    """The rule at every close: direction 1 where it buys, else 0; there the prices are NaN. No row knows a later one.

    stop_loss: the first stop. take_profit is NaN throughout. ranges: average true range of each bar.
    highest_before: the highest close of the look-back before this bar, NaN in the warm-up. trail_atr and
    longest_hold_bars are those of every row's plan.
    """

    direction: DirectionArray
    entry_price: FloatArray
    stop_loss: FloatArray
    take_profit: FloatArray
    ranges: FloatArray
    highest_before: FloatArray
    trail_atr: float
    longest_hold_bars: int

    def __len__(self) -> int:
        return len(self.direction)

    @property
    def rows(self) -> npt.NDArray[np.intp]:
        return np.flatnonzero(self.direction)


def breakouts(candles: OHLCV, settings: TrendSettings = FROZEN) -> TrendSeries:
    """Entries of every closed bar, whether or not a position is held already.

    A market that does not move (no range) and a stop at or below zero are no entry.
    """
    close, rows = candles.close, len(candles)
    ranges = atr(candles.high, candles.low, close, ATR_PERIOD)
    before = np.full(rows, np.nan)
    if rows >= settings.lookback:
        past = settings.lookback - 1
        highest = ta_lib.MAX(close, timeperiod=past) if past > 1 else close
        before[past:] = highest[past - 1 : -1]
    stop = close - settings.trail_atr * ranges
    with np.errstate(invalid="ignore"):
        enters = (close >= before) & (ranges > 0) & (stop > 0)
    return TrendSeries(
        direction=enters.astype(np.int8),
        entry_price=close,
        stop_loss=np.where(enters, stop, np.nan),
        take_profit=np.full(rows, np.nan),
        ranges=ranges,
        highest_before=before,
        trail_atr=settings.trail_atr,
        longest_hold_bars=settings.longest_hold_bars,
    )


def decide(window: OHLCV, settings: TrendSettings = FROZEN) -> StrategySignal | None:
    """The trade of the newest close, or None. WindowError where the candles are too few or have prices below zero."""
    require_window(window, settings.minimum_bars, STRATEGY)
    series = breakouts(window, settings)
    if series.direction[-1] == 0:
        return None
    close, reach = float(window.close[-1]), float(series.ranges[-1])
    plan = plan_of(float(series.stop_loss[-1]), settings)
    above = (close - float(series.highest_before[-1])) / reach
    days = settings.lookback * TIMEFRAME.seconds / 86_400
    return StrategySignal(
        strategy=STRATEGY,
        direction=Direction.LONG,
        confidence=strength(above),
        entry_price=close,
        stop_loss=plan.stop,
        take_profit=None,
        reasons=(
            f"the {TIMEFRAME} close is the highest of {settings.lookback} ({days:g} days)",
            f"it stands {above:.2f} average ranges above the highest before",
        ),
        plan=plan,
    )


def strength(ranges_above: float) -> float:
    """A ranking of breakouts in [0.5, 1), by how many average ranges the close stands above the highest before.

    It orders; that a stronger breakout earns more has not been shown, so it is no probability.
    """
    return float(1 - 0.5 * np.exp(-max(ranges_above, 0.0)))


def plan_of(stop: float, settings: TrendSettings = FROZEN) -> ExitPlan:
    return managed(stop=stop, trail_atr=settings.trail_atr, longest_hold_bars=settings.longest_hold_bars)


@dataclass(frozen=True, slots=True, eq=False)
class TrendTrades:
    """Trades that were taken, one at a time, and have ended. rows: of the closes on which they were decided."""

    rows: npt.NDArray[np.int64]
    outcomes: Outcomes
    risk_ratio: FloatArray

    def __len__(self) -> int:
        return len(self.rows)


def trades(
    candles: OHLCV, settings: TrendSettings = FROZEN, *, rates: CostRates = SPOT_COSTS, since: int = 0
) -> TrendTrades:
    """What the rule did on `candles` from row `since` on; while a trade is held no other is entered."""
    series = breakouts(candles, settings)
    rows = series.rows[series.rows >= since]
    return taken(candles, rows, series, settings, rates=rates)


def taken(
    candles: OHLCV,
    rows: npt.NDArray[np.intp],
    series: TrendSeries,
    settings: TrendSettings = FROZEN,
    *,
    directions: npt.ArrayLike | None = None,
    rates: CostRates = SPOT_COSTS,
) -> TrendTrades:
    """Entries at `rows`, each with the rule's exits, of which one at a time is taken.

    directions: 1 for all if left out. The stop of a short entry stands as far above the close.
    Rows without a range are no entries.
    """
    reach = settings.trail_atr * series.ranges[rows]
    sign = np.ones(len(rows)) if directions is None else np.asarray(directions, dtype=np.float64)
    stop = candles.close[rows] - sign * reach
    possible = (reach > 0) & (stop > 0)
    rows, sign, stop, reach = rows[possible], sign[possible], stop[possible], reach[possible]
    outcomes = follow_plans(
        candles,
        rows=rows,
        directions=sign.astype(np.int64),
        entry_prices=candles.close[rows],
        plans=[plan_of(float(each), settings) for each in stop],
        rates=rates,
        ranges=series.ranges,
    )
    kept = np.array(list(_one_at_a_time(candles, rows, outcomes)), dtype=np.intp)
    return TrendTrades(
        rows=rows[kept].astype(np.int64),
        outcomes=outcomes.chosen(kept),
        risk_ratio=(reach / candles.close[rows])[kept],
    )


def _one_at_a_time(candles: OHLCV, rows: npt.NDArray[np.intp], outcomes: Outcomes) -> Iterator[int]:
    """The bar that ends a trade may begin the next at its close; what has not ended bars all that follow."""
    free_from = 0
    exits = np.searchsorted(candles.open_time, outcomes.exited_at)
    for each, row in enumerate(rows):
        if row < free_from:
            continue
        if not outcomes.ended[each]:
            return
        yield each
        free_from = int(exits[each])


__all__ = [
    "ENTRY_BARS",
    "FROZEN",
    "FROZEN_ON",
    "RULE",
    "STRATEGY",
    "TIMEFRAME",
    "TrendSeries",
    "TrendSettings",
    "TrendTrades",
    "WindowError",
    "breakouts",
    "decide",
    "plan_of",
    "strength",
    "taken",
    "trades",
]
