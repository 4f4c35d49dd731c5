"""Rows for tests, one function each; every value may be given, none need be."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

import numpy as np
from django.db import connection

from signals.engine.candle import OHLCV
from signals.engine.timeframe import Timeframe
from signals.market.models import Exchange, Instrument

_numbers = count(1)


def make_instrument(**values: Any) -> Instrument:
    number = next(_numbers)
    exchange, _ = Exchange.objects.get_or_create(
        code="binance", defaults={"name": "Binance", "is_simulated": True}
    )
    return Instrument.objects.create(
        **{"exchange": exchange, "symbol": f"T{number}/USDT", "base": f"T{number}", "quote": "USDT"} | values
    )


def make_series(*, bars: int, start: datetime, seed: int = 1, volatility: float = 0.01) -> OHLCV:
    """An hourly random walk; enough for strategies to speak now and then."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, volatility, bars)))
    open_ = np.concatenate(([100.0], close[:-1]))
    spread = rng.uniform(0, volatility / 2, (2, bars))
    return OHLCV(
        open_time=int(start.timestamp() * 1000) + np.arange(bars, dtype=np.int64) * Timeframe.H1.milliseconds,
        open=open_,
        high=np.maximum(open_, close) * (1 + spread[0]),
        low=np.minimum(open_, close) * (1 - spread[1]),
        close=close,
        volume=rng.uniform(1, 100, bars),
    )


def merge_bars(hourly: OHLCV, timeframe: Timeframe) -> OHLCV:
    """Longer bars by a plain loop over buckets; incomplete ones at either end are left out."""
    per_bucket = timeframe.milliseconds // Timeframe.H1.milliseconds
    columns: list[list[float]] = [[] for _ in range(6)]
    for first in range(len(hourly)):
        rows = slice(first, first + per_bucket)
        if hourly.open_time[first] % timeframe.milliseconds or first + per_bucket > len(hourly):
            continue
        bar = (
            hourly.open_time[first],
            hourly.open[first],
            hourly.high[rows].max(),
            hourly.low[rows].min(),
            hourly.close[rows][-1],
            hourly.volume[rows].sum(),
        )
        for column, value in zip(columns, bar, strict=True):
            column.append(value)
    return OHLCV(*(np.array(column) for column in columns))


def tail(candles: OHLCV, bars: int) -> OHLCV:
    return OHLCV(*(getattr(candles, name)[-bars:] for name in OHLCV.__dataclass_fields__))


def store(instrument: Instrument, timeframe: Timeframe, candles: OHLCV) -> None:
    """By COPY and past the product's upsert: rows of thousands of candles in milliseconds, no chunks of days."""
    table = "market_candle (instrument_id, timeframe, open_time, open, high, low, close, volume)"
    columns = (getattr(candles, name).tolist() for name in OHLCV.__dataclass_fields__)
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
        for opened, *prices in zip(*columns, strict=True):
            moment = datetime.fromtimestamp(opened / 1000, UTC)
            copy.write_row((instrument.pk, timeframe.value, moment, *prices))
