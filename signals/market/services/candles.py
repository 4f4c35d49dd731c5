"""Writing candles: one binary COPY, one upsert, and nothing touched that has not changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
from django.db import connection, transaction

from signals.engine.candle import OHLCV, TimeArray
from signals.engine.timeframe import Timeframe
from signals.market.models import COLUMNS, Instrument
from signals.market.selectors import COPY_ROW, POSTGRES_EPOCH_MS
from signals.market.services.chunks import rebuild_chunks
from signals.market.services.locks import lock_candles

COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = b"\xff\xff"
DAY_MS = 86_400_000
ENCODED_TOGETHER = 50_000

# One per connection and emptied at commit: a new one for each call would bloat the catalogue.
STAGING = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_candle (
    open_time timestamptz, open float8, high float8, low float8, close float8, volume float8
) ON COMMIT DELETE ROWS
"""
UPSERT = """
WITH written AS (
    INSERT INTO market_candle AS stored (instrument_id, timeframe, open_time, open, high, low, close, volume)
    SELECT %s, %s, open_time, open, high, low, close, volume FROM incoming_candle
    ON CONFLICT (instrument_id, timeframe, open_time) DO UPDATE
    SET open = EXCLUDED.open, high = EXCLUDED.high, low = EXCLUDED.low,
        close = EXCLUDED.close, volume = EXCLUDED.volume
    WHERE (stored.open, stored.high, stored.low, stored.close, stored.volume)
       <> (EXCLUDED.open, EXCLUDED.high, EXCLUDED.low, EXCLUDED.close, EXCLUDED.volume)
    RETURNING timestamptz_send(open_time) AS opened, xmax = 0 AS is_new
)
SELECT string_agg(opened, ''::bytea) FILTER (WHERE is_new), string_agg(opened, ''::bytea) FILTER (WHERE NOT is_new)
FROM written
"""


@dataclass(frozen=True, eq=False)
class StoredCandles:
    """Open times (UTC ms, oldest first) of what was new and of what replaced other numbers."""

    inserted: TimeArray
    corrected: TimeArray

    def __len__(self) -> int:
        return len(self.inserted) + len(self.corrected)

    def open_times(self) -> list[datetime]:
        """All of them as aware datetimes, oldest first."""
        changed = np.sort(np.concatenate((self.inserted, self.corrected)))
        return [datetime.fromtimestamp(moment / 1000, UTC) for moment in changed.tolist()]

    def days(self) -> list[date]:
        """The UTC days that they fall on."""
        days = np.unique(np.concatenate((self.inserted, self.corrected)) // DAY_MS)
        return [datetime.fromtimestamp(day * DAY_MS / 1000, UTC).date() for day in days.tolist()]


def store_candles(*, instrument: Instrument, timeframe: Timeframe, candles: OHLCV) -> StoredCandles:
    """Insert or correct closed candles in one transaction, chunks of changed days included."""
    with transaction.atomic():
        lock_candles(instrument=instrument, timeframe=timeframe)
        stored = _upsert(instrument, timeframe, candles)
        rebuild_chunks(instrument=instrument, timeframe=timeframe, days=stored.days())
    return stored


def encode(candles: OHLCV) -> Iterator[bytes]:
    """A COPY BINARY stream of (open_time, open, high, low, close, volume), in parts of a few megabytes."""
    yield COPY_HEADER
    for first in range(0, len(candles), ENCODED_TOGETHER):
        yield _records(candles[first : first + ENCODED_TOGETHER])
    yield COPY_TRAILER


def _records(candles: OHLCV) -> bytes:
    records = np.empty(len(candles), COPY_ROW)
    records["fields"] = len(COLUMNS)
    records["length"] = 8
    records["open_time"] = (candles.open_time - POSTGRES_EPOCH_MS) * 1000
    for name in COLUMNS[1:]:
        records[f"{name}_length"] = 8
        records[name] = getattr(candles, name)
    return records.tobytes()


def _upsert(instrument: Instrument, timeframe: Timeframe, candles: OHLCV) -> StoredCandles:
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.execute(STAGING)
        cursor.execute("DELETE FROM incoming_candle")  # left by an earlier call in the same transaction
        with cursor.copy("COPY incoming_candle FROM STDIN (FORMAT binary)") as copy:
            for part in encode(candles):
                copy.write(part)
        cursor.execute(UPSERT, (instrument.pk, timeframe.value))
        inserted, corrected = cursor.fetchone()
    return StoredCandles(_moments(inserted), _moments(corrected))


def _moments(sent: bytes | None) -> TimeArray:
    microseconds = np.frombuffer(sent or b"", ">i8").astype(np.int64)
    return np.sort(microseconds // 1000 + POSTGRES_EPOCH_MS)
