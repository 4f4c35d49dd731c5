"""A backtest of stored candles: one strategy or the fused decision, several instruments, one account.

The same inputs give the same result. Nothing is stored.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from autopilot.engine.market import (
    NO_LIMITS,
    FractionOfEquity,
    Limits,
    Market,
    Signals,
    Sizing,
    signals_of,
)
from autopilot.engine.simulation import Simulation
from autopilot.engine.simulator import default_grid, simulate, simulate_signals
from signals.engine.candle import OHLCV, FloatArray, TimeArray
from signals.engine.cost_rates import CostRates, MarketType
from signals.engine.fill import Grid
from signals.engine.fill.terms import Rules
from signals.engine.hybrid import DecisionSeries, HybridSettings, decisions, opinions
from signals.engine.strategies import STRATEGIES
from signals.engine.strategy import DecisionContext, StrategySeries, WindowError
from signals.engine.timeframe import TIMEFRAME_WEIGHTS, Timeframe, resample
from signals.market.models import Instrument
from signals.market.selectors import load_range

HYBRID = "hybrid"
NAMES = (*STRATEGIES, HYBRID)
WARM_UP_BARS = 500

Progress = Callable[[int, int, str], None]


def unheard(done: int, total: int, message: str) -> None:
    """Progress that nobody listens to."""


class BacktestError(ValueError):
    """What was asked for cannot be simulated; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """buy_and_hold: equity of all cash in one instrument, by name; one_over_n: an equal part in each, at `times`."""

    simulation: Simulation
    instruments: Sequence[Instrument]
    timeframe: Timeframe
    cash: Decimal
    buy_and_hold: dict[str, FloatArray]
    times: TimeArray
    one_over_n: FloatArray


def run_backtest(  # noqa: PLR0913  (what can be asked for)
    *,
    strategy: str,
    instruments: Sequence[Instrument],
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    cash: Decimal = Decimal(10_000),
    sizing: Sizing | None = None,
    costs: CostRates | None = None,
    limits: Limits = NO_LIMITS,
    progress: Progress = unheard,
) -> Backtest:
    """Signals of bars that open in [start, end), traded on one account; the bars before only warm indicators up.

    costs None: each instrument's own. sizing None: an equal share of equity each. BacktestError for an unknown
    strategy, a timeframe that it does not decide on, missing candles, and what `simulate` refuses.
    """
    if strategy not in NAMES:
        raise BacktestError(f"no strategy is called {strategy}: choose one of {', '.join(NAMES)}")
    if strategy == HYBRID and timeframe is not Timeframe.H1:
        raise BacktestError("the fused decision is made on 1h candles: leave the timeframe at 1h")
    if start >= end:
        raise BacktestError(f"the end, {end:%Y-%m-%d}, must be after the start, {start:%Y-%m-%d}")
    loaded = [_loaded(each, strategy, timeframe, start, end) for each in instruments]
    markets, series = [], []
    for number, (instrument, candles) in enumerate(zip(instruments, loaded, strict=True)):
        progress(number, len(instruments) + 1, f"decides on {instrument.symbol}")
        partner = loaded[1 if number == 0 else 0] if len(loaded) > 1 else None
        first = int(np.searchsorted(candles.open_time, int(start.timestamp() * 1000)))
        series.append(_decided(strategy, candles, timeframe, end, partner, first))
        markets.append(_market(instrument, candles[first:], costs, cash))
    progress(len(instruments), len(instruments) + 1, "simulates")
    share = sizing or FractionOfEquity(Decimal(1) / len(markets))
    try:
        found = simulate(markets, series, cash=cash, sizing=share, limits=limits)
        held = {each.name: _held(each, cash) for each in markets}
    except ValueError as error:
        raise BacktestError(str(error)) from error
    progress(len(instruments) + 1, len(instruments) + 1, "done")
    alone = {name: equity for name, (_, equity) in held.items()}
    together = np.mean([_at(found.times, *each, float(cash)) for each in held.values()], axis=0)
    return Backtest(found, instruments, timeframe, cash, alone, found.times, together)


def _loaded(
    instrument: Instrument, strategy: str, timeframe: Timeframe, start: datetime, end: datetime
) -> OHLCV:
    longest = Timeframe.D1 if strategy == HYBRID else timeframe
    warm_up = timedelta(seconds=WARM_UP_BARS * longest.seconds)
    candles = load_range(instrument_id=instrument.pk, timeframe=timeframe, start=start - warm_up, end=end)
    if not len(candles) or int(candles.open_time[-1]) < int(start.timestamp() * 1000):
        raise BacktestError(
            f"{instrument.symbol} has no {timeframe.value} candles from {start:%Y-%m-%d} to {end:%Y-%m-%d}: "
            "load them with `manage.py backfill` or `import_candles`"
        )
    return candles


def _decided(
    strategy: str, candles: OHLCV, timeframe: Timeframe, end: datetime, partner: OHLCV | None, first: int
) -> Signals:
    closed_at = datetime.fromtimestamp(timeframe.close_time(int(candles.open_time[-1])) / 1000, UTC)
    context = DecisionContext(as_of=max(closed_at, end), partner=partner)
    whole = signals_of(
        _fused(candles, timeframe, context) if strategy == HYBRID else _alone(strategy, candles, context)
    )
    return Signals(
        whole.direction[first:], whole.stop_loss[first:], whole.take_profit[first:], hold_bars=whole.hold_bars
    )


def _fused(candles: OHLCV, timeframe: Timeframe, context: DecisionContext) -> DecisionSeries:
    windows = {
        longer: candles if longer is timeframe else resample(candles, longer.value, timeframe.value)
        for longer in TIMEFRAME_WEIGHTS
    }
    return decisions(windows, HybridSettings(), context)


def _alone(strategy: str, candles: OHLCV, context: DecisionContext) -> StrategySeries:
    try:
        told = opinions(candles, context)[strategy]
    except WindowError as error:
        raise BacktestError(str(error)) from error
    if told.missing and not told.direction.any():
        raise BacktestError(f"{strategy} cannot judge: {told.missing}")
    return told


def _market(instrument: Instrument, candles: OHLCV, costs: CostRates | None, cash: Decimal) -> Market:
    fine = default_grid(candles, cash)
    grid = Grid(instrument.tick_size or fine.tick, instrument.lot_step or fine.lot)
    return Market(
        name=instrument.symbol,
        candles=candles,
        quote=instrument.quote,
        grid=grid,
        rates=costs or instrument.cost_rates(),
        rules=Rules(minimum_value=instrument.minimum_notional or Decimal(0)),
        shortable=instrument.market_type != MarketType.SPOT,
    )


def _held(market: Market, cash: Decimal) -> tuple[TimeArray, FloatArray]:
    """All cash in one instrument from the second open on, with its costs."""
    rows = len(market.candles)
    entries, exits = np.zeros(rows, dtype=np.int8), np.zeros(rows, dtype=np.bool_)
    entries[0] = 1
    rates = market.rates
    if rates is None:
        raise BacktestError(f"{market.name} has no costs")
    found = simulate_signals(market.candles, entries, exits, cash=cash, rates=rates, grid=market.grid)
    return found.times, found.equity


def _at(times: TimeArray, own: TimeArray, equity: FloatArray, cash: float) -> FloatArray:
    """An instrument's equity at the account's times: the newest that was known, its cash before its first bar."""
    row = np.searchsorted(own, times, side="right") - 1
    known: FloatArray = np.where(row >= 0, equity[np.maximum(row, 0)], cash)
    return known
