"""A request of the pages as the one backtest of `autopilot.services.backtest`: nothing but translation."""

from collections.abc import Mapping
from decimal import Decimal

from autopilot.engine.simulator import Signals, Simulation
from autopilot.services import backtest
from autopilot.services.backtest import Progress, Stretch
from research.services.backtest_request import BacktestRequest
from signals.engine.session import AssetClass
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument

__all__ = [
    "Progress",
    "Stretch",
    "load_stretches",
    "name_of",
    "signals_of_stretches",
    "simulated",
]


def load_stretches(request: BacktestRequest) -> list[Stretch]:
    """In the order of the request; ValueError where an instrument has no candles in the asked time."""
    rows = Instrument.objects.select_related("exchange").in_bulk(request.instruments)
    return backtest.load_stretches(
        instruments=[rows[pk] for pk in request.instruments],
        decider=request.decider(),
        timeframe=Timeframe(request.timeframe),
        start=request.first,
        end=request.last,
    )


def signals_of_stretches(
    request: BacktestRequest, stretches: list[Stretch], progress: Progress
) -> dict[str, Signals]:
    """Decisions on each instrument by its name, of traded bars only."""
    told = backtest.decide_on(request.decider(), stretches, Timeframe(request.timeframe), progress)
    return {name_of(stretch.instrument): each for stretch, each in zip(stretches, told, strict=True)}


def simulated(
    request: BacktestRequest, stretches: list[Stretch], signals: Mapping[str, Signals]
) -> Simulation:
    """One account over all instruments, pessimistic and optimistic."""
    names, cash = [name_of(each.instrument) for each in stretches], Decimal(request.cash)
    markets = [
        backtest.market_of(stretch, name, request.costs(), cash, shorts_on_spot=request.shorts_on_spot)
        for stretch, name in zip(stretches, names, strict=True)
    ]
    asset_class = AssetClass(stretches[0].instrument.asset_class)
    return backtest.simulated(markets, [signals[name] for name in names], cash, request.sized(asset_class))


def name_of(instrument: Instrument) -> str:
    return f"{instrument.exchange.code}:{instrument.symbol}"
