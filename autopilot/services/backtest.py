"""A backtest of stored candles: a strategy, the trend rule or the fused decision, several instruments, one account.

The command asks `run_backtest`; research's pages and sweeps, which count and keep what they try, take its steps one by
one. The same inputs give the same result. Nothing is stored.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from autopilot.engine.model_choice import ModelDecider, model_signals
from autopilot.engine.simulation import Simulation
from autopilot.engine.simulator import default_grid, simulate, simulate_signals
from signals.engine.candle import OHLCV, FloatArray, TimeArray
from signals.engine.cost_rates import CostRates, MarketType
from signals.engine.fill import Grid
from signals.engine.fill.terms import Rules
from signals.engine.hybrid import HybridSettings, decisions, opinions
from signals.engine.strategies import LISTENERS, STRATEGIES
from signals.engine.strategy import DecisionContext, Strategy, StrategySeries, WindowError
from signals.engine.timeframe import BASE_TIMEFRAME, Timeframe, resample
from signals.engine.trend import FROZEN, RULE, TIMEFRAME, TrendSettings, breakouts
from signals.market.models import Instrument
from signals.market.selectors import load_range
from signals.services.moods import moods_at_closes

HYBRID = "hybrid"
NAMES = (*STRATEGIES, RULE, HYBRID)
WARM_UP_BARS = 500
FEWEST_BARS = 2

Decider = Strategy | TrendSettings | HybridSettings | ModelDecider

Progress = Callable[[int, int, str], None]


def unheard(done: int, total: int, message: str) -> None:
    """Progress that nobody listens to."""


class BacktestError(ValueError):
    """What was asked for cannot be simulated; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """An instrument's candles with those before `first`, which only warm its indicators up."""

    instrument: Instrument
    candles: OHLCV
    first: int

    @property
    def traded(self) -> OHLCV:
        return self.candles[self.first :]


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
    if strategy == HYBRID and timeframe is not BASE_TIMEFRAME:
        raise BacktestError("the fused decision is made on 1h candles: leave the timeframe at 1h")
    if strategy == RULE and timeframe is not TIMEFRAME:
        raise BacktestError(
            f"the trend rule is decided on {TIMEFRAME} candles: ask with --timeframe {TIMEFRAME}"
        )
    if start >= end:
        raise BacktestError(f"the end, {end:%Y-%m-%d}, must be after the start, {start:%Y-%m-%d}")
    own: dict[str, Decider] = {HYBRID: HybridSettings(), RULE: FROZEN}
    decider = own.get(strategy) or STRATEGIES[strategy]
    stretches = load_stretches(
        instruments=instruments, decider=decider, timeframe=timeframe, start=start, end=end
    )
    steps = len(stretches) + 1
    names = [each.instrument.symbol for each in stretches]
    series = decide_on(decider, stretches, timeframe, progress)
    progress(steps - 1, steps, "simulates")
    markets = [market_of(each, name, costs, cash) for each, name in zip(stretches, names, strict=True)]
    found = simulated(markets, series, cash, sizing or FractionOfEquity(Decimal(1) / len(markets)), limits)
    held = {each.name: _held(each, cash) for each in markets}
    progress(steps, steps, "done")
    alone = {name: equity for name, (_, equity) in held.items()}
    together = np.mean([_at(found.times, *each, float(cash)) for each in held.values()], axis=0)
    return Backtest(found, instruments, timeframe, cash, alone, found.times, together)


def load_stretches(
    *,
    instruments: Sequence[Instrument],
    decider: Decider,
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
) -> list[Stretch]:
    """In the order given; BacktestError where an instrument has no two candles in [start, end)."""
    longest = Timeframe.D1 if isinstance(decider, HybridSettings) else timeframe
    warm_up = timedelta(seconds=WARM_UP_BARS * longest.seconds)
    found = []
    for each in instruments:
        candles = load_range(instrument_id=each.pk, timeframe=timeframe, start=start - warm_up, end=end)
        first = int(np.searchsorted(candles.open_time, int(start.timestamp() * 1000)))
        if len(candles) - first < FEWEST_BARS:
            raise BacktestError(
                f"{each.symbol} has no {timeframe.value} candles from {start:%Y-%m-%d} to {end:%Y-%m-%d}: "
                "load them with `manage.py backfill` or `import_candles`"
            )
        found.append(Stretch(each, candles, first))
    return found


def decide_on(
    decider: Decider, stretches: Sequence[Stretch], timeframe: Timeframe, progress: Progress
) -> list[Signals]:
    """What was decided on each stretch, of traded bars only."""
    found = []
    for number, stretch in enumerate(stretches):
        progress(number, len(stretches) + 1, f"decides on {stretch.instrument.symbol}")
        others = [each for each in stretches if each is not stretch]
        found.append(decided(decider, stretch, timeframe, others[0].candles if others else None))
    return found


def decided(decider: Decider, stretch: Stretch, timeframe: Timeframe, partner: OHLCV | None) -> Signals:
    closes = timeframe.close_time(int(stretch.candles.open_time[-1]))
    context = DecisionContext(
        as_of=datetime.fromtimestamp(closes / 1000, UTC),
        # Stored when it was seen, so a backtest hears it from the day on which it was first read.
        sentiment=moods_at_closes(
            instrument_id=stretch.instrument.pk, closes=stretch.candles.open_time + timeframe.milliseconds
        ),
        partner=partner,
    )
    if isinstance(decider, HybridSettings):
        windows = {
            longer: stretch.candles
            if longer is timeframe
            else resample(stretch.candles, longer.value, timeframe.value)
            for longer in decider.timeframe_weights
        }
        whole = signals_of(decisions(windows, decider, context))
    elif isinstance(decider, TrendSettings):
        whole = signals_of(breakouts(stretch.candles, decider))
    elif isinstance(decider, ModelDecider):
        can_short = stretch.instrument.market_type != MarketType.SPOT
        whole = model_signals(decider, stretch.candles, context, can_short=can_short)
    else:
        whole = signals_of(_alone(decider, stretch, context))
    rows = slice(stretch.first, None)
    return replace(
        whole,
        direction=whole.direction[rows],
        stop_loss=whole.stop_loss[rows],
        take_profit=whole.take_profit[rows],
        trail_atr=None if whole.trail_atr is None else whole.trail_atr[rows],
        ranges=None if whole.ranges is None else whole.ranges[rows],
    )


def _alone(decider: Strategy, stretch: Stretch, context: DecisionContext) -> StrategySeries:
    symbol = stretch.instrument.symbol
    try:
        if decider.name in LISTENERS:
            if decider.parameters != STRATEGIES[decider.name].parameters:
                raise BacktestError(f"{decider.name} listens to the others: it is tested as it is")
            told = opinions(stretch.candles, context)[decider.name]
        else:
            told = decider.evaluate(stretch.candles, context)
    except WindowError as error:
        raise BacktestError(f"{symbol}: {error}") from error
    if told.missing and not told.direction.any():
        raise BacktestError(f"{decider.name} cannot judge {symbol}: {told.missing}")
    return told


def market_of(
    stretch: Stretch, name: str, costs: CostRates | None, cash: Decimal, *, shorts_on_spot: bool = False
) -> Market:
    """On the instrument's own steps, as fine as `simulate_signals` makes them where the exchange told none."""
    instrument, candles = stretch.instrument, stretch.traded
    fine = default_grid(candles, cash)
    grid = Grid(instrument.tick_size or fine.tick, instrument.lot_step or fine.lot)
    return Market(
        name=name,
        candles=candles,
        quote=instrument.quote,
        grid=grid,
        rates=costs or instrument.cost_rates(),
        rules=Rules(minimum_value=instrument.minimum_notional or Decimal(0)),
        shortable=shorts_on_spot or instrument.market_type != MarketType.SPOT,
    )


def simulated(
    markets: Sequence[Market],
    series: Sequence[Signals],
    cash: Decimal,
    sizing: Sizing,
    limits: Limits = NO_LIMITS,
) -> Simulation:
    """One account over all markets by the one fill code, pessimistic and optimistic."""
    try:
        return simulate(markets, series, cash=cash, sizing=sizing, limits=limits)
    except ValueError as error:
        raise BacktestError(str(error)) from error


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
