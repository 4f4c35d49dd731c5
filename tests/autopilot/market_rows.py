"""A made-up market with enough candles for an autopilot to judge, and autopilots on it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from autopilot.engine.cycle import Mode
from autopilot.models import Account, Instance
from autopilot.services.instances import start_instance
from signals.engine.candle import OHLCV
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle, Instrument
from tests.autopilot.accounts import make_account, make_traded

END = datetime(2026, 5, 4, 12, tzinfo=UTC)  # close of the last candle
HOUR = timedelta(hours=1)
BARS = 700


def walk(seed: int = 3, bars: int = BARS, end: datetime = END) -> OHLCV:
    """A random walk of hours that ends with a bar that closes at `end`."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.008, bars)))
    opened = np.concatenate(([100.0], close[:-1]))
    reach = np.abs(rng.normal(0, 0.004, (2, bars))) * close
    high, low = np.maximum(opened, close) + reach[0], np.minimum(opened, close) - reach[1]
    first = int((end - bars * HOUR).timestamp() * 1000)
    times = first + 3_600_000 * np.arange(bars)
    volume = rng.lognormal(3, 0.5, bars)
    columns = (np.round(each, 2) for each in (opened, high, low, close))
    return OHLCV(times, *columns, np.round(volume, 3))


def store(instrument: Instrument, candles: OHLCV) -> None:
    Candle.objects.bulk_create(
        Candle(
            instrument=instrument,
            timeframe="1h",
            open_time=datetime.fromtimestamp(int(candles.open_time[row]) / 1000, UTC),
            open=candles.open[row],
            high=candles.high[row],
            low=candles.low[row],
            close=candles.close[row],
            volume=candles.volume[row],
        )
        for row in range(len(candles))
    )


def speaking_end(candles: OHLCV, wanted: int) -> int:
    """The last row but a few at which the rules' group has a strategy that says `wanted` (1 or -1)."""
    from autopilot.engine.analysis import analyse  # noqa: PLC0415
    from autopilot.engine.choosing import by_rules  # noqa: PLC0415
    from autopilot.engine.records import no_records  # noqa: PLC0415

    for row in range(len(candles) - 5, 500, -1):
        window = candles[row - 499 : row + 1]
        analysis = analyse(window, DecisionContext(as_of=END, memo={}), can_short=True)
        choice = by_rules(analysis, no_records(), "")
        if choice.strategy and int(analysis.series[choice.strategy].direction[-1]) == wanted:
            return row
    raise AssertionError("nobody spoke in this walk")


def market(wanted: int = 1, **values: Any) -> tuple[Instrument, OHLCV, datetime]:
    """An instrument on whose newest candle the rules speak, the candles that follow, and the moment of its close."""
    candles = walk()
    row = speaking_end(candles, wanted)
    instrument = make_traded(**values)
    store(instrument, candles[: row + 1])
    closed_at = datetime.fromtimestamp(int(candles.open_time[row]) / 1000, UTC) + HOUR
    return instrument, candles[row + 1 :], closed_at


def make_autopilot(instrument: Instrument, now: datetime, **values: Any) -> Instance:
    """One by rules that publishes whatever is said and orders it."""
    account: Account = values.pop("account", None) or make_account(
        cash=Decimal(100_000), max_exposure=Decimal(1)
    )
    given: dict[str, Any] = {
        "timeframe": Timeframe.H1,
        "mode": Mode.PATTERN,
        "min_confidence_threshold": 0.0,
        "stop_costs": 0.0,
        "auto_execute": True,
        "confirmed": True,
    }
    instance, _ = start_instance(
        **{"instrument": instrument, "account": account, "by": "test", "now": now, **given, **values}
    )
    return instance
