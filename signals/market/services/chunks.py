"""Closed UTC days as blocks of `CHUNK_ROW`: Postgres concatenates its own binary form of each bar."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import connection, transaction

from signals.engine.timeframe import Timeframe
from signals.market.models import CandleChunk, Instrument
from signals.market.services.locks import lock_candles

BUILD = """
INSERT INTO market_candlechunk (instrument_id, timeframe, day, bars, data)
SELECT instrument_id, timeframe, (open_time AT TIME ZONE 'UTC')::date AS candle_day, count(*), string_agg(
    int8send((extract(epoch FROM open_time) * 1000)::bigint) || float8send(open) || float8send(high)
    || float8send(low) || float8send(close) || float8send(volume), ''::bytea ORDER BY open_time)
FROM market_candle candle
WHERE instrument_id = %(instrument)s AND timeframe = %(timeframe)s AND {condition}
GROUP BY instrument_id, timeframe, candle_day
ON CONFLICT (instrument_id, timeframe, day) DO UPDATE SET bars = EXCLUDED.bars, data = EXCLUDED.data
"""
CLOSED_AND_WITHOUT_CHUNK = """open_time < %(today)s AND NOT EXISTS (
    SELECT FROM market_candlechunk chunk
    WHERE chunk.instrument_id = %(instrument)s AND chunk.timeframe = %(timeframe)s
      AND chunk.day = (candle.open_time AT TIME ZONE 'UTC')::date)"""
AMONG_DAYS = """open_time >= %(first)s AND open_time < %(until)s
    AND (open_time AT TIME ZONE 'UTC')::date = ANY(%(days)s)"""


def build_chunks(*, instrument: Instrument, timeframe: Timeframe, as_of: datetime) -> int:
    """Chunks of all days that are over at `as_of` and have none yet; how many were built."""
    today = datetime.combine(as_of.astimezone(UTC).date(), time.min, UTC)
    with transaction.atomic():
        lock_candles(instrument=instrument, timeframe=timeframe)
        return _build(instrument, timeframe, CLOSED_AND_WITHOUT_CHUNK, today=today)


def rebuild_chunks(*, instrument: Instrument, timeframe: Timeframe, days: Sequence[date]) -> int:
    """Make the chunks of these days true again, where there are any, in the transaction that changed the candles."""
    chunks = CandleChunk.objects.filter(instrument=instrument, timeframe=timeframe.value, day__in=days)
    chunked = list(chunks.order_by("day").values_list("day", flat=True))
    if not chunked:
        return 0
    first = datetime.combine(chunked[0], time.min, UTC)
    until = datetime.combine(chunked[-1], time.min, UTC) + timedelta(days=1)
    return _build(instrument, timeframe, AMONG_DAYS, days=chunked, first=first, until=until)


def _build(instrument: Instrument, timeframe: Timeframe, condition: str, **bounds: Any) -> int:
    parameters = {"instrument": instrument.pk, "timeframe": timeframe.value, **bounds}
    with connection.cursor() as cursor:
        cursor.execute(BUILD.format(condition=condition), parameters)
        return int(cursor.rowcount)
