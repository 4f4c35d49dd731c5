"""One backtest from its candles to its tables; nothing here is stored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from autopilot.engine.simulator import Market, Signals, Simulation, simulate
from research.services.backtest_request import FUSED, BacktestRequest
from signals.engine.candle import OHLCV
from signals.engine.cost_rates import MarketType
from signals.engine.hybrid import HybridSettings, decisions, opinions
from signals.engine.outcome import HORIZON_BARS
from signals.engine.session import AssetClass
from signals.engine.strategies import LISTENERS, STRATEGIES
from signals.engine.strategy import DecisionContext, Strategy, WindowError
from signals.engine.timeframe import BASE_TIMEFRAME, Timeframe, resample
from signals.market.models import Instrument
from signals.market.selectors import load_range

WARM_UP_BARS = 500
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """An instrument's candles with those before `first`, which only warm its indicators up."""

    instrument: Instrument
    candles: OHLCV
    first: int

    @property
    def traded(self) -> OHLCV:
        return self.candles[self.first :]


def load_stretches(request: BacktestRequest) -> list[Stretch]:
    """In the order of the request; ValueError where an instrument has no candles in the asked time."""
    timeframe = Timeframe(request.timeframe)
    longest = Timeframe.D1 if request.strategy == FUSED else timeframe
    warm_up = timedelta(seconds=longest.seconds * WARM_UP_BARS)
    rows = Instrument.objects.select_related("exchange").in_bulk(request.instruments)
    found = []
    for pk in request.instruments:
        candles = load_range(
            instrument_id=pk, timeframe=timeframe, start=request.first - warm_up, end=request.last
        )
        first = int(np.searchsorted(candles.open_time, int(request.first.timestamp() * 1000)))
        if len(candles) - first < 2:
            raise ValueError(f"{rows[pk].symbol} has no {timeframe.value} candles between the two dates")
        found.append(Stretch(rows[pk], candles, first))
    return found


def signals_of_stretches(
    request: BacktestRequest, stretches: list[Stretch], progress: Progress
) -> dict[str, Signals]:
    """Decisions on each instrument by its name, of traded bars only."""
    found, decider = {}, request.decider()
    for number, stretch in enumerate(stretches):
        progress(number, len(stretches) + 1, f"decides on {stretch.instrument.symbol}")
        others = [each for each in stretches if each is not stretch]
        partner = others[0].candles if others else None
        found[name_of(stretch.instrument)] = decided(decider, stretch, partner)
    return found


def decided(decider: Strategy | HybridSettings, stretch: Stretch, partner: OHLCV | None) -> Signals:
    closes = stretch.candles.open_time[-1] + BASE_TIMEFRAME.milliseconds
    context = DecisionContext(as_of=datetime.fromtimestamp(int(closes) / 1000, UTC), partner=partner)
    if isinstance(decider, HybridSettings):
        windows = {
            timeframe: stretch.candles
            if timeframe is BASE_TIMEFRAME
            else resample(stretch.candles, timeframe.value, BASE_TIMEFRAME.value)
            for timeframe in decider.timeframe_weights
        }
        series = decisions(windows, decider, context)
        columns = (series.direction, series.stop_loss, series.take_profit)
    else:
        if decider.name in LISTENERS:
            if decider.parameters != STRATEGIES[decider.name].parameters:
                raise ValueError(f"{decider.name} listens to the others: it is tested as it is")
            alone = opinions(stretch.candles, context)[decider.name]
        else:
            try:
                alone = decider.evaluate(stretch.candles, context)
            except WindowError as error:
                raise ValueError(f"{stretch.instrument.symbol}: {error}") from error
        if alone.missing and not alone.direction.any():
            raise ValueError(f"{decider.name} cannot judge {stretch.instrument.symbol}: {alone.missing}")
        columns = (alone.direction, alone.stop_loss, alone.take_profit)
    direction, stop, target = (np.asarray(column[stretch.first :], dtype=np.float64) for column in columns)
    return Signals(direction.astype(np.int8), stop, target, hold_bars=HORIZON_BARS)


def simulated(
    request: BacktestRequest, stretches: list[Stretch], signals: Mapping[str, Signals]
) -> Simulation:
    """One account over all instruments, by the one fill code, pessimistic and optimistic."""
    markets = [
        Market(
            name=name_of(stretch.instrument),
            candles=stretch.traded,
            quote=stretch.instrument.quote,
            shortable=request.shorts_on_spot or stretch.instrument.market_type != MarketType.SPOT,
        )
        for stretch in stretches
    ]
    asset_class = AssetClass(stretches[0].instrument.asset_class)
    return simulate(
        markets,
        dict(signals),
        cash=Decimal(request.cash),
        sizing=request.sized(asset_class),
        costs=request.costs(),
    )


def without_costs(request: BacktestRequest) -> BacktestRequest:
    return replace(request, maker_bps="0", taker_bps="0", slippage_bps="0")


def name_of(instrument: Instrument) -> str:
    return f"{instrument.exchange.code}:{instrument.symbol}"
