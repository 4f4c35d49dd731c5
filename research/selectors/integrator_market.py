"""Instruments and candles for programs."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
from django.db import connection

from research.selectors.table_export import instants
from signals.engine.timeframe import Timeframe
from signals.market.selectors import load_range

INSTRUMENTS = """
SELECT coalesce(json_agg(json_build_object(
    'id', i.id, 'symbol', i.symbol, 'aliases', i.aliases, 'base', i.base, 'quote', i.quote,
    'exchange_id', i.exchange_id, 'exchange', e.code, 'asset_class', i.asset_class,
    'market_type', i.market_type, 'is_active', i.is_active, 'is_simulated', e.is_simulated
) ORDER BY i.symbol, i.id), '[]')::text
FROM market_instrument i JOIN market_exchange e ON e.id = i.exchange_id
"""
CANDLES = """
SELECT coalesce(json_agg(json_build_array(open_time, open, high, low, close, volume) ORDER BY open_time), '[]')::text,
       max(open_time), count(*)
FROM (
    SELECT open_time, open, high, low, close, volume FROM market_candle
    WHERE instrument_id = %(instrument)s AND timeframe = %(timeframe)s AND open_time >= %(start)s
      AND open_time < %(end)s AND open_time <= %(last)s
    ORDER BY open_time LIMIT %(limit)s
) AS bars
"""


@dataclass(frozen=True)
class CandlePage:
    """A JSON array of [open_time, open, high, low, close, volume], oldest first; `next_start` where more follow."""

    text: str
    next_start: datetime | None


def instruments_text() -> str:
    with connection.cursor() as cursor:
        cursor.execute(INSTRUMENTS)
        return str(cursor.fetchone()[0])


def candle_page(
    *, instrument_id: int, timeframe: Timeframe, start: datetime, end: datetime, limit: int, now: datetime
) -> CandlePage:
    """Closed candles that opened in [start, end), at most `limit`."""
    length = timedelta(seconds=timeframe.seconds)
    parameters = {
        "instrument": instrument_id,
        "timeframe": timeframe.value,
        "start": start,
        "end": end,
        "last": now - length,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(CANDLES, parameters)
        text, last, bars = cursor.fetchone()
    return CandlePage(text, last + length if bars == limit else None)


def candle_columns(
    *, instrument_id: int, timeframe: Timeframe, start: datetime, end: datetime, limit: int, now: datetime
) -> dict[str, npt.NDArray[np.generic]]:
    """The same as columns, for a file."""
    closed = now - timedelta(seconds=timeframe.seconds) + timedelta(milliseconds=1)
    candles = load_range(instrument_id=instrument_id, timeframe=timeframe, start=start, end=min(end, closed))
    columns: dict[str, npt.NDArray[np.generic]] = {"open_time": instants(candles.open_time[:limit])}
    for name in ("open", "high", "low", "close", "volume"):
        columns[name] = getattr(candles, name)[:limit]
    return columns
