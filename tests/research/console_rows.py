"""A system with a past, for pages that show results: simulated candles, signals, and outcomes by the real service."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from django.utils import timezone

from signals.engine.candle import OHLCV
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.market.services.candles import store_candles
from signals.models import Heartbeat, Signal
from signals.services.outcomes import record_outcomes
from tests.factories import make_instrument, make_series, merge_bars
from tests.notifications.rows import make_signal

STRATEGIES = ("rsi", "macd", "momentum", "bollinger_mean_reversion")
STOP, TARGET = 0.02, 0.04


def last_hour() -> datetime:
    return timezone.now().replace(minute=0, second=0, microsecond=0)


def store_history(instrument: Instrument, *, bars: int, seed: int, price: float = 100.0) -> OHLCV:
    """Hourly candles of a random walk up to now, and the 4h and 1d candles made of them."""
    walk = make_series(bars=bars, start=last_hour() - timedelta(hours=bars), seed=seed, volatility=0.006)
    hourly = OHLCV(
        walk.open_time, *(np.round(part * price / 100, 4) for part in (walk.open, walk.high, walk.low, walk.close)),
        volume=np.round(walk.volume, 2),
    )  # fmt: skip
    store_candles(instrument=instrument, timeframe=Timeframe.H1, candles=hourly)
    for timeframe in (Timeframe.H4, Timeframe.D1):
        store_candles(instrument=instrument, timeframe=timeframe, candles=merge_bars(hourly, timeframe))
    return hourly


def signal_at(instrument: Instrument, candles: OHLCV, row: int, *, number: int) -> Signal:
    """Published at the close of that candle; every second one is short."""
    close, closed_at = float(candles.close[row]), instant(int(candles.open_time[row])) + timedelta(hours=1)
    sign = 1 if number % 2 else -1
    return make_signal(
        instrument=instrument,
        published_at=closed_at,
        candle_open_time=closed_at - timedelta(hours=1),
        strategy=STRATEGIES[number % len(STRATEGIES)],
        direction="long" if sign > 0 else "short",
        confidence=0.6 + number % 7 / 25,
        entry_price=close,
        stop_loss=round(close * (1 - sign * STOP), 4),
        take_profit=round(close * (1 + sign * TARGET), 4),
    )


def past(*, symbols: dict[str, float], bars: int = 600, every: int = 30) -> list[Instrument]:
    """Instruments by symbol and price, with a signal every so many bars and the outcomes of those that ended."""
    instruments, planned = [], []
    for seed, (symbol, price) in enumerate(symbols.items(), start=11):
        instrument = make_instrument(symbol=symbol, base=symbol.split("/")[0], tick_size=Decimal("0.01"))
        candles = store_history(instrument, bars=bars, seed=seed, price=price)
        rows = [*range(50 + 7 * seed, bars - 1, every), bars - 2]
        planned += [(row, instrument, candles, number) for number, row in enumerate(rows, start=seed)]
        instruments.append(instrument)
    for row, instrument, candles, number in sorted(planned, key=lambda each: each[0]):
        signal_at(instrument, candles, row, number=number)
    record_outcomes(exchange_code="binance", as_of=last_hour(), now=timezone.now())
    return instruments


def alive() -> None:
    for name in ("web", "worker", "beat", "sender"):
        Heartbeat.objects.update_or_create(
            name=name, defaults={"beat_at": timezone.now(), "expected_every_seconds": 3600}
        )


def instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
