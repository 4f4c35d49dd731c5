"""`simulate`: what strategies or fused decisions would have done on several instruments with one account."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from autopilot.engine.market import (
    NO_LIMITS,
    Fixed,
    FractionOfEquity,
    Limits,
    Market,
    RiskPerTrade,
    Series,
    Signals,
    Sizing,
    VolatilityTarget,
    check_sizing,
    signals_of,
)
from autopilot.engine.market_decision import (
    D_ADDS,
    D_BARRED,
    D_EXIT,
    D_GOOD,
    D_HOLD,
    D_KIND,
    D_OPPOSITE,
    D_PRICE,
    D_SIDE,
    D_STOP,
    D_TARGET,
    D_TRAIL,
    DECISION_WIDTH,
    SIZE_FIXED,
    SIZE_FRACTION,
    SIZE_RISK,
    SIZE_VOLATILITY,
)
from autopilot.engine.market_path import M_RANGE, M_TRAIL, run_markets
from autopilot.engine.signal_simulation import check_prices, default_grid
from autopilot.engine.simulation import Simulation
from autopilot.engine.tables import Scale, fills_table, orders_table, trades_table
from signals.engine.candle import OHLCV, FloatArray
from signals.engine.costs import SPOT_COSTS, CostRates
from signals.engine.exit_plan import ATR_PERIOD
from signals.engine.fill import MARKET, UNKNOWN_VOLUME, Grid
from signals.engine.fill.book import REFUSED
from signals.engine.fill.layout import B_ATR, B_FUNDING, B_TIME, B_VOLUME, BAR_WIDTH
from signals.engine.fill.money import in_units
from signals.engine.fill.terms import terms_row
from signals.engine.indicators.volatility import atr

IntArray = npt.NDArray[np.int64]

BILLION = 10**9
NO_FINER = np.zeros((0, BAR_WIDTH), dtype=np.int64)


def simulate(
    markets: Sequence[Market],
    signals: Sequence[Series] | Mapping[str, Series],
    *,
    cash: Decimal,
    sizing: Sizing,
    costs: CostRates = SPOT_COSTS,
    limits: Limits = NO_LIMITS,
) -> Simulation:
    """Trade each market by its series (in the markets' order, or by name) on one account.

    Series of strategies and fused decisions are market entries that last outcome.HORIZON_BARS at most; `Signals` say
    more. Sizes are reckoned from the equity and the close of the decision and cut at the fill to what the account
    pays for. The result takes the worst path that a bar allows, its `optimistic` the best; finer candles
    decide where a market has them. Equity stands at every open of any market.

    ValueError for markets of several quote currencies or names that come twice, series of other lengths,
    levels on the wrong side of their price, a risk per trade without a stop, and numbers beyond int64.
    """
    check_sizing(sizing)
    series = _by_market(markets, signals)
    start = in_units(cash)
    if start < 1:
        raise ValueError(f"cash is {cash}; it must be at least 1e-8")
    grids = [market.grid or default_grid(market.candles, cash) for market in markets]
    scales = [Scale.of(grid) for grid in grids]
    for market, scale in zip(markets, scales, strict=True):
        if len(market.candles):
            check_prices(market.candles, scale)
    prepared = _Prepared(markets, series, grids, scales, sizing)
    worst, best = (prepared.run(start, costs, limits, optimistic=hopeful) for hopeful in (False, True))
    return replace(worst, optimistic=best)


def _by_market(markets: Sequence[Market], signals: Sequence[Series] | Mapping[str, Series]) -> list[Signals]:
    names = [market.name for market in markets]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"markets need names of their own, and one at least: {names}")
    quotes = {market.quote for market in markets}
    if len(quotes) > 1:
        raise ValueError(f"one account counts in one currency, not in {', '.join(sorted(quotes))}")
    if isinstance(signals, Mapping):
        if set(signals) != set(names):
            raise ValueError(f"signals are given for {sorted(signals)}, markets are {sorted(names)}")
        ordered = [signals[name] for name in names]
    else:
        ordered = list(signals)
    if len(ordered) != len(markets):
        raise ValueError(f"{len(markets)} markets need as many series, not {len(ordered)}")
    found = [signals_of(each) for each in ordered]
    for market, each in zip(markets, found, strict=True):
        columns = (
            each.direction,
            each.stop_loss,
            each.take_profit,
            each.price,
            each.exits,
            each.trail,
            each.trail_atr,
            each.ranges,
        )
        lengths = {len(column) for column in columns if column is not None}
        if lengths != {len(market.candles)}:
            raise ValueError(
                f"{market.name}: series of {sorted(lengths)} rows, {len(market.candles)} candles"
            )
    return found


class _Prepared:
    """All columns in whole numbers, for both runs."""

    def __init__(
        self,
        markets: Sequence[Market],
        series: Sequence[Signals],
        grids: Sequence[Grid],
        scales: Sequence[Scale],
        sizing: Sizing,
    ) -> None:
        self.markets, self.grids, self.scales, self.sizing = markets, grids, scales, sizing
        lengths = [len(market.candles) for market in markets]
        self.first = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        self.bars = np.concatenate([bars_of(m, m.candles, g) for m, g in zip(markets, grids, strict=True)])
        self.timeline = np.unique(self.bars[:, B_TIME])
        self.decisions = np.concatenate(
            [_decisions(*each, sizing) for each in zip(markets, series, scales, strict=True)]
        )
        self.managed = np.concatenate([_managed(*each) for each in zip(markets, series, scales, strict=True)])
        self.volatility = np.concatenate([_volatility(market.candles, sizing) for market in markets])
        self.finer, self.fine_range = self._finer()

    def run(self, cash: int, costs: CostRates, limits: Limits, *, optimistic: bool) -> Simulation:
        terms = np.stack(
            [
                terms_row(grid, market.rates or costs, market.rules, optimistic=optimistic)
                for market, grid in zip(self.markets, self.grids, strict=True)
            ]
        )
        equity = np.empty(len(self.timeline))
        kind, amount, lots = self._sizes()
        exposure = float(limits.exposure) if limits.exposure else 0.0
        status, events, asked, funding = run_markets(
            self.timeline,
            self.bars,
            self.first,
            self.decisions,
            self.managed,
            self.volatility,
            lots,
            self.finer,
            self.fine_range,
            terms,
            np.array([kind, amount, limits.positions or 0, exposure, limits.covered], dtype=np.float64),
            cash,
            equity,
        )
        if status < 0:
            raise ValueError(REFUSED[status])
        marks = np.array(
            [
                np.rint(market.candles.close[-1] * scale.ticks_per_price) if len(market.candles) else 0.0
                for market, scale in zip(self.markets, self.scales, strict=True)
            ]
        )
        return Simulation(
            instruments=tuple(market.name for market in self.markets),
            times=self.timeline,
            equity=equity,
            trades=trades_table(events, self.scales, marks, funding),
            orders=orders_table(asked, events, self.scales),
            fills=fills_table(events, self.scales),
        )

    def _sizes(self) -> tuple[int, float, IntArray]:
        none = np.zeros(len(self.markets), dtype=np.int64)
        match self.sizing:
            case Fixed(quantity):
                return SIZE_FIXED, 0.0, np.array([grid.lots(quantity) for grid in self.grids])
            case FractionOfEquity(fraction):
                return SIZE_FRACTION, float(fraction), none
            case RiskPerTrade(fraction):
                return SIZE_RISK, float(fraction), none
            case VolatilityTarget(target):
                return SIZE_VOLATILITY, float(target), none

    def _finer(self) -> tuple[IntArray, IntArray]:
        """Finer bars of all markets, and for each bar the rows of them that lie in it."""
        ranges = np.zeros((len(self.bars), 2), dtype=np.int64)
        blocks, offset = [NO_FINER], 0
        for number, market in enumerate(self.markets):
            if market.finer is None or not len(market.finer):
                continue
            blocks.append(
                bars_of(replace(market, funding=None, funding_at=None), market.finer, self.grids[number])
            )
            rows = slice(self.first[number], self.first[number + 1])
            opens, fine = self.bars[rows, B_TIME], market.finer.open_time
            length = int(np.diff(opens).min()) if len(opens) > 1 else 0
            ranges[rows, 0] = offset + np.searchsorted(fine, opens)
            ranges[rows, 1] = offset + np.searchsorted(fine, opens + length)
            offset += len(fine)
        return np.concatenate(blocks), ranges


def bars_of(market: Market, candles: OHLCV, grid: Grid) -> IntArray:
    """Rows of BAR_WIDTH: whole ticks and lots, the ATR known before each bar, and the funding that it owes."""
    scale = Scale.of(grid)
    rows = np.zeros((len(candles), BAR_WIDTH), dtype=np.int64)
    rows[:, B_TIME] = candles.open_time
    for column, name in enumerate(("open", "high", "low", "close"), start=1):
        rows[:, column] = np.rint(getattr(candles, name) * scale.ticks_per_price)
    volume = np.floor(candles.volume / float(grid.lot))
    rows[:, B_VOLUME] = np.where(volume < 2.0**60, volume, UNKNOWN_VOLUME)
    reach = atr(candles.high, candles.low, candles.close, ATR_PERIOD) * scale.ticks_per_price
    rows[1:, B_ATR] = np.where(np.isfinite(reach[:-1]), np.rint(reach[:-1]), 0)
    if market.funding is not None and market.funding_at is not None:
        due = np.searchsorted(candles.open_time, market.funding_at)
        inside = (due < len(candles)) & np.isfinite(market.funding)
        np.add.at(rows[:, B_FUNDING], due[inside], np.rint(market.funding[inside] * BILLION).astype(np.int64))
    return rows


def _decisions(market: Market, signals: Signals, scale: Scale, sizing: Sizing) -> IntArray:
    rows = np.zeros((len(market.candles), DECISION_WIDTH), dtype=np.int64)
    rows[:, D_SIDE] = signals.direction
    rows[:, D_BARRED] = (rows[:, D_SIDE] < 0) & (not market.shortable)
    spoken = rows[:, D_SIDE] != 0
    rows[:, D_KIND], rows[:, D_GOOD], rows[:, D_HOLD] = signals.kind, signals.good_bars, signals.hold_bars
    rows[:, D_ADDS], rows[:, D_OPPOSITE] = signals.adds, signals.opposite
    for column, prices in (
        (D_STOP, signals.stop_loss),
        (D_TARGET, signals.take_profit),
        (D_TRAIL, signals.trail),
    ):
        rows[:, column] = _ticks(prices, scale, spoken)
    if signals.kind != MARKET:
        rows[:, D_PRICE] = _ticks(signals.price, scale, spoken)
    if signals.exits is not None:
        rows[:, D_EXIT] = signals.exits
    _check_levels(market, rows, spoken, signals.kind, sizing)
    return rows


def _managed(market: Market, signals: Signals, scale: Scale) -> FloatArray:
    """Of every bar: the average ranges at which the stop of its entry follows, and its own range in ticks."""
    candles = market.candles
    rows = np.zeros((len(candles), 2))
    if signals.trail_atr is None:
        return rows
    trailed = (signals.direction != 0) & np.isfinite(signals.trail_atr)
    missing = trailed & ~(np.isfinite(signals.stop_loss) & (signals.trail_atr > 0))
    other = trailed & np.isfinite(signals.take_profit)
    if signals.trail is not None:
        other |= trailed & np.isfinite(signals.trail)
    if missing.any() or other.any() or (signals.adds and trailed.any()):
        row = int(np.argmax(missing | other)) if (missing | other).any() else int(np.argmax(trailed))
        raise ValueError(
            f"{market.name} row {row}: a managed exit needs a stop and average ranges above zero, "
            "and goes with no target, no other trail and no entries that add"
        )
    rows[:, M_TRAIL] = np.where(trailed, signals.trail_atr, 0.0)
    known = signals.ranges
    ranges = atr(candles.high, candles.low, candles.close, ATR_PERIOD) if known is None else known
    rows[:, M_RANGE] = ranges * scale.ticks_per_price
    return rows


def _ticks(prices: FloatArray | None, scale: Scale, spoken: npt.NDArray[np.bool_]) -> IntArray | int:
    if prices is None:
        return 0
    given = spoken & np.isfinite(prices)
    return np.where(given, np.rint(np.where(given, prices, 0.0) * scale.ticks_per_price), 0).astype(np.int64)


def _check_levels(
    market: Market, rows: IntArray, spoken: npt.NDArray[np.bool_], kind: int, sizing: Sizing
) -> None:
    side, stop, target, price = (rows[:, column] for column in (D_SIDE, D_STOP, D_TARGET, D_PRICE))
    wrong = (stop > 0) & (target > 0) & (side * (target - stop) <= 0)
    if kind != MARKET:
        wrong |= (price == 0) | ((stop > 0) & (side * (price - stop) <= 0))
        wrong |= (target > 0) & (side * (target - price) <= 0)
    if isinstance(sizing, RiskPerTrade):
        wrong |= stop == 0
    if (wrong & spoken).any():
        row = int(np.argmax(wrong & spoken))
        raise ValueError(
            f"{market.name} row {row}: stop, price and target do not stand in order, or are missing"
        )


def _volatility(candles: OHLCV, sizing: Sizing) -> FloatArray:
    """A year's deviation of the last `bars` log returns at each close; nan before so many are known."""
    found = np.full(len(candles), np.nan)
    if not isinstance(sizing, VolatilityTarget) or len(candles) <= sizing.bars:
        return found
    moves = np.diff(np.log(candles.close))
    windows = np.lib.stride_tricks.sliding_window_view(moves, sizing.bars)
    found[sizing.bars :] = windows.std(axis=1, ddof=1) * np.sqrt(sizing.periods_per_year)
    return found
