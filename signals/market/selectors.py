"""Candles out of the database and straight into numpy columns.

Rows of long ranges come by binary COPY, whose fixed-width records numpy reads in place, those of a window as arrays;
closed days come as chunks.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import LiteralString

import numpy as np
import numpy.typing as npt
import psycopg
from django.db import connection

from signals.engine.candle import OHLCV
from signals.engine.moment import milliseconds
from signals.engine.timeframe import Timeframe
from signals.market.models import CHUNK_ROW, COLUMNS

Bars = npt.NDArray[np.void]

POSTGRES_EPOCH_MS = 946_684_800_000  # 2000-01-01, from which Postgres counts microseconds
COPY_HEADER_BYTES, COPY_TRAILER_BYTES = 19, 2
# A COPY BINARY record of open_time and the five numbers: a field count, then each field after its length.
COPY_ROW = np.dtype(
    [("fields", ">i2"), ("length", ">i4"), ("open_time", ">i8")]
    + [part for name in COLUMNS[1:] for part in ((f"{name}_length", ">i4"), (name, ">f8"))]
)
# A binary array of one dimension: its header, then each element after its length.
ARRAY_HEADER_BYTES = 20
ARRAY_OF_TIMES, ARRAY_OF_NUMBERS = (np.dtype([("length", ">i4"), ("value", kind)]) for kind in (">i8", ">f8"))
NEWEST_BARS: LiteralString = """
    SELECT array_agg(open_time), array_agg(open), array_agg(high), array_agg(low), array_agg(close), array_agg(volume)
    FROM (
        SELECT open_time, open, high, low, close, volume FROM market_candle
        WHERE instrument_id = %s AND timeframe = %s AND open_time <= %s ORDER BY open_time DESC LIMIT %s
    ) AS newest
"""
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, eq=False)
class _Walked:
    """Series of [start, end) with a window before them, each loaded once: neighbouring windows are parts of it."""

    start: datetime
    end: datetime
    series: dict[tuple[int, Timeframe, int], OHLCV]

    def window(self, *, instrument_id: int, timeframe: Timeframe, bars: int, as_of: datetime) -> OHLCV:
        key = (instrument_id, timeframe, bars)
        if key not in self.series:
            self.series[key] = self._load(instrument_id, timeframe, bars)
        candles = self.series[key]
        newest = milliseconds(as_of) - timeframe.milliseconds
        count = int(np.searchsorted(candles.open_time, newest, side="right"))
        return candles[max(count - bars, 0) : count]

    def _load(self, instrument_id: int, timeframe: Timeframe, bars: int) -> OHLCV:
        before = _newest(instrument_id, timeframe, bars, self.start)
        first = self.start - timedelta(seconds=timeframe.seconds)
        after = load_range(
            instrument_id=instrument_id,
            timeframe=timeframe,
            # A bar that opened at `first` had closed at the start.
            start=first + timedelta(milliseconds=1),
            end=self.end,
        )
        return OHLCV(*(np.concatenate((getattr(before, name), getattr(after, name))) for name in COLUMNS))


_walked: ContextVar[_Walked | None] = ContextVar("walked", default=None)


@contextmanager
def walking_over(start: datetime, end: datetime) -> Iterator[None]:
    """Inside, windows of closes in [start, end) are taken from memory: for whoever asks at each of them."""
    token = _walked.set(_Walked(start, end, {}))
    try:
        yield
    finally:
        _walked.reset(token)


@dataclass(frozen=True)
class CachedWindow:
    """Stored candles and how long ago the newest one closed; `age` is None when there is none."""

    candles: OHLCV
    age: timedelta | None


def load_window(*, instrument_id: int, timeframe: Timeframe, bars: int, as_of: datetime) -> OHLCV:
    """The newest `bars` candles that had closed at `as_of`, fewer where fewer are stored."""
    walked = _walked.get()
    if walked and walked.start <= as_of < walked.end:
        return walked.window(instrument_id=instrument_id, timeframe=timeframe, bars=bars, as_of=as_of)
    return _newest(instrument_id, timeframe, bars, as_of)


def _newest(instrument_id: int, timeframe: Timeframe, bars: int, as_of: datetime) -> OHLCV:
    last_open = as_of - timedelta(seconds=timeframe.seconds)
    newest = _arrays(NEWEST_BARS, (instrument_id, timeframe.value, last_open, bars))
    return _as_ohlcv(newest[np.argsort(newest["open_time"], kind="stable")])


def cached_window(*, instrument_id: int, timeframe: Timeframe, bars: int, as_of: datetime) -> CachedWindow:
    """What is stored, with its age: when every provider fails, the caller decides whether it is fresh enough."""
    candles = load_window(instrument_id=instrument_id, timeframe=timeframe, bars=bars, as_of=as_of)
    if len(candles) == 0:
        return CachedWindow(candles, None)
    closed_at = datetime.fromtimestamp(timeframe.close_time(int(candles.open_time[-1])) / 1000, UTC)
    return CachedWindow(candles, as_of - closed_at)


def load_range(*, instrument_id: int, timeframe: Timeframe, start: datetime, end: datetime) -> OHLCV:
    """Candles that open in [start, end): chunks where a day has one, rows for everything else."""
    chunks = _chunks(instrument_id, timeframe, start, end)
    from_chunks = np.frombuffer(b"".join(data for _, data in chunks), CHUNK_ROW)
    spans = list(_without_chunk(start, end, [day for day, _ in chunks]))
    from_rows = _rows(instrument_id, timeframe, spans)
    bars = np.concatenate((from_chunks, from_rows)) if len(from_rows) else from_chunks
    if len(from_rows):
        bars = bars[np.argsort(bars["open_time"], kind="stable")]
    first, last = np.searchsorted(bars["open_time"], (milliseconds(start), milliseconds(end)))
    return _as_ohlcv(bars[first:last])


def newest_open_time(
    *, instrument_id: int, timeframe: Timeframe, before: datetime | None = None
) -> datetime | None:
    """When the newest stored candle opened, of those that opened earlier than `before`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(open_time) FROM market_candle WHERE instrument_id = %s AND timeframe = %s AND open_time < %s",
            (instrument_id, timeframe.value, before or "infinity"),
        )
        newest: datetime | None = cursor.fetchone()[0]
        return newest


def _chunks(
    instrument_id: int, timeframe: Timeframe, start: datetime, end: datetime
) -> list[tuple[date, bytes]]:
    """Through a cursor of psycopg's own: Django's fetches text, in which a block is twice as long."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        return cursor.execute(
            """SELECT day, data FROM market_candlechunk
            WHERE instrument_id = %s AND timeframe = %s AND day BETWEEN %s AND %s ORDER BY day""",
            (instrument_id, timeframe.value, start.astimezone(UTC).date(), end.astimezone(UTC).date()),
            binary=True,
        ).fetchall()


def _without_chunk(
    start: datetime, end: datetime, days: Sequence[date]
) -> Iterator[tuple[datetime, datetime]]:
    """The parts of [start, end) that fall on none of `days`, as (from, to)."""
    reached = start
    for day in days:
        opening = datetime.combine(day, time.min, UTC)
        if opening > reached:
            yield reached, opening
        reached = opening + ONE_DAY
    if reached < end:
        yield reached, end


def _rows(instrument_id: int, timeframe: Timeframe, spans: list[tuple[datetime, datetime]]) -> Bars:
    """In any order: numpy sorts a year of minutes in a moment, Postgres would spill it to disk."""
    if not spans:
        return np.empty(0, CHUNK_ROW)
    return _copy(
        """SELECT open_time, open, high, low, close, volume
        FROM unnest(%s::timestamptz[], %s::timestamptz[]) AS span (opens, ends)
        JOIN market_candle ON instrument_id = %s AND timeframe = %s AND open_time >= opens AND open_time < ends""",
        ([opens for opens, _ in spans], [ends for _, ends in spans], instrument_id, timeframe.value),
    )


def _arrays(query: LiteralString, parameters: tuple[object, ...]) -> Bars:
    """One row of an array for each of COLUMNS as CHUNK_ROW: one message, where COPY sends one a bar."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(query, parameters, binary=True)
        told = cursor.pgresult
        columns = [told.get_value(0, place) if told else None for place in range(len(COLUMNS))]
    count = (len(columns[0] or b"") - ARRAY_HEADER_BYTES) // ARRAY_OF_TIMES.itemsize
    bars = np.empty(max(count, 0), CHUNK_ROW)
    if not len(bars):
        return bars
    for name, column in zip(COLUMNS, columns, strict=True):
        element = ARRAY_OF_TIMES if name == COLUMNS[0] else ARRAY_OF_NUMBERS
        bars[name] = np.frombuffer(column or b"", element, offset=ARRAY_HEADER_BYTES)["value"]
    bars[COLUMNS[0]] = bars[COLUMNS[0]] // 1000 + POSTGRES_EPOCH_MS
    return bars


def _copy(query: str, parameters: tuple[object, ...]) -> Bars:
    """The query's bars as an array of CHUNK_ROW."""
    command = f"COPY ({query}) TO STDOUT (FORMAT binary)"
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(command, parameters) as copy,
    ):
        received = b"".join(copy)
    count = (len(received) - COPY_HEADER_BYTES - COPY_TRAILER_BYTES) // COPY_ROW.itemsize
    records = np.frombuffer(received, COPY_ROW, count=count, offset=COPY_HEADER_BYTES)
    bars = np.empty(count, CHUNK_ROW)
    bars["open_time"] = records["open_time"] // 1000 + POSTGRES_EPOCH_MS
    for name in COLUMNS[1:]:
        bars[name] = records[name]
    return bars


def _as_ohlcv(bars: Bars) -> OHLCV:
    return OHLCV(*(bars[name] for name in COLUMNS))
