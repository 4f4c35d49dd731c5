from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from django.db import IntegrityError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signals.engine.candle import OHLCV
from signals.engine.timeframe import Timeframe
from signals.market.models import COLUMNS, Candle, CandleChunk, Instrument
from signals.market.selectors import cached_window, load_range, load_window, newest_open_time, walking_over
from signals.market.services.candles import encode, store_candles
from signals.market.services.chunks import build_chunks
from tests.factories import make_instrument, make_series

START = datetime(2025, 10, 9, tzinfo=UTC)
H1 = Timeframe.H1


def rows_of(candles: OHLCV) -> list[tuple[Any, ...]]:
    columns = [getattr(candles, name).tolist() for name in COLUMNS[1:]]
    times = [datetime.fromtimestamp(ms / 1000, UTC) for ms in candles.open_time.tolist()]
    return list(zip(times, *columns, strict=True))


def stored_rows(instrument: Instrument) -> list[tuple[Any, ...]]:
    """What is in the table, read by Django and not by our own decoder."""
    return list(Candle.objects.filter(instrument=instrument).order_by("open_time").values_list(*COLUMNS))


def changed(candles: OHLCV, row: int) -> OHLCV:
    close = candles.close.copy()
    close[row] = (candles.high[row] + candles.low[row]) / 2
    return replace(candles, close=close)


def test_stored_candles_are_read_by_django_as_they_were(bitcoin: Instrument) -> None:
    candles = make_series(bars=50, start=START)
    stored = store_candles(instrument=bitcoin, timeframe=H1, candles=candles)
    assert stored_rows(bitcoin) == rows_of(candles)
    assert stored.inserted.tolist() == candles.open_time.tolist()
    assert len(stored.corrected) == 0


def test_the_binary_stream_is_what_psycopg_itself_writes(bitcoin: Instrument) -> None:
    candles = make_series(bars=3, start=START)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE by_psycopg (t timestamptz, o float8, h float8, l float8, c float8, v float8)"
        )
        with cursor.copy("COPY by_psycopg FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["timestamptz", *["float8"] * 5])
            for row in rows_of(candles):
                copy.write_row(row)
        with cursor.copy("COPY by_psycopg TO STDOUT (FORMAT binary)") as copy:
            assert b"".join(copy) == b"".join(encode(candles))


def test_storing_again_changes_nothing(bitcoin: Instrument) -> None:
    candles = make_series(bars=20, start=START)
    store_candles(instrument=bitcoin, timeframe=H1, candles=candles)
    assert len(store_candles(instrument=bitcoin, timeframe=H1, candles=candles)) == 0


def test_a_corrected_bar_is_replaced_and_told_apart_from_a_new_one(bitcoin: Instrument) -> None:
    candles = make_series(bars=20, start=START)
    store_candles(instrument=bitcoin, timeframe=H1, candles=candles[:19])
    stored = store_candles(instrument=bitcoin, timeframe=H1, candles=changed(candles, 5))
    assert stored.corrected.tolist() == [candles.open_time[5]]
    assert stored.inserted.tolist() == [candles.open_time[19]]
    assert stored.open_times() == [START + timedelta(hours=5), START + timedelta(hours=19)]
    assert stored_rows(bitcoin) == rows_of(changed(candles, 5))


def test_timeframes_and_instruments_do_not_touch_each_other(bitcoin: Instrument) -> None:
    candles = make_series(bars=4, start=START)
    store_candles(instrument=bitcoin, timeframe=H1, candles=candles)
    store_candles(instrument=bitcoin, timeframe=Timeframe.H4, candles=candles[:1])
    assert Candle.objects.filter(instrument=bitcoin, timeframe="1h").count() == 4
    assert Candle.objects.filter(instrument=bitcoin, timeframe="4h").count() == 1


def test_the_database_refuses_a_bar_that_no_inspection_saw(bitcoin: Instrument) -> None:
    impossible = OHLCV([0], [10.0], [9.0], [8.0], [8.5], [1.0])
    with pytest.raises(IntegrityError, match="enclose"):
        store_candles(instrument=bitcoin, timeframe=H1, candles=impossible)


def test_candles_of_a_deleted_instrument_are_refused(bitcoin: Instrument) -> None:
    Instrument.objects.filter(pk=bitcoin.pk).delete()
    with pytest.raises(Instrument.DoesNotExist):
        store_candles(instrument=bitcoin, timeframe=H1, candles=make_series(bars=3, start=START))
    assert not Candle.objects.exists()


def test_a_chunk_is_built_for_days_that_are_over_and_for_no_other(bitcoin: Instrument) -> None:
    store_candles(instrument=bitcoin, timeframe=H1, candles=make_series(bars=60, start=START))
    assert build_chunks(instrument=bitcoin, timeframe=H1, as_of=START + timedelta(hours=60)) == 2
    chunks = CandleChunk.objects.order_by("day").values_list("day", "bars")
    assert list(chunks) == [(START.date(), 24), (START.date() + timedelta(days=1), 24)]
    assert build_chunks(instrument=bitcoin, timeframe=H1, as_of=START + timedelta(hours=60)) == 0


@pytest.mark.parametrize("late", ["correction", "insertion"])
def test_the_chunk_of_a_changed_day_is_rebuilt(bitcoin: Instrument, late: str) -> None:
    candles = make_series(bars=48, start=START)
    first = changed(candles, 30) if late == "correction" else candles[:30]
    store_candles(instrument=bitcoin, timeframe=H1, candles=first)
    build_chunks(instrument=bitcoin, timeframe=H1, as_of=START + timedelta(hours=48))
    store_candles(instrument=bitcoin, timeframe=H1, candles=candles)
    read = load_range(instrument_id=bitcoin.pk, timeframe=H1, start=START, end=START + timedelta(hours=48))
    assert rows_of(read) == rows_of(candles)
    assert CandleChunk.objects.get(day=START.date() + timedelta(days=1)).bars == 24


def test_a_chunk_wins_over_reading_its_rows(bitcoin: Instrument) -> None:
    """Otherwise the other tests would pass without any chunk being read."""
    store_candles(instrument=bitcoin, timeframe=H1, candles=make_series(bars=24, start=START))
    build_chunks(instrument=bitcoin, timeframe=H1, as_of=START + timedelta(days=1))
    Candle.objects.all().delete()
    assert (
        len(load_range(instrument_id=bitcoin.pk, timeframe=H1, start=START, end=START + timedelta(days=1)))
        == 24
    )


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kept=st.sets(st.integers(0, 119), min_size=1),
    chunk_hours=st.integers(0, 120),
    span=st.tuples(st.integers(-30, 130), st.integers(-30, 130)).map(sorted),
    seed=st.integers(0, 2**16),
)
def test_a_range_is_what_was_stored_whatever_is_chunk_and_whatever_row(
    bitcoin: Instrument, kept: set[int], chunk_hours: int, span: list[int], seed: int
) -> None:
    Candle.objects.all().delete()
    CandleChunk.objects.all().delete()
    series = make_series(bars=120, start=START + timedelta(hours=5), seed=seed)
    mask = np.isin(np.arange(120), list(kept))
    candles = OHLCV(*(getattr(series, name)[mask] for name in COLUMNS))
    store_candles(instrument=bitcoin, timeframe=H1, candles=candles)
    build_chunks(instrument=bitcoin, timeframe=H1, as_of=START + timedelta(hours=chunk_hours))
    start, end = (START + timedelta(hours=hour) for hour in span)
    read = load_range(instrument_id=bitcoin.pk, timeframe=H1, start=start, end=end)
    assert rows_of(read) == [row for row in rows_of(candles) if start <= row[0] < end]


def test_a_window_holds_the_newest_bars_that_had_closed(bitcoin: Instrument) -> None:
    candles = make_series(bars=30, start=START)
    store_candles(instrument=bitcoin, timeframe=H1, candles=candles)
    just_closed = START + timedelta(hours=20)
    window = load_window(instrument_id=bitcoin.pk, timeframe=H1, bars=5, as_of=just_closed)
    assert rows_of(window) == rows_of(candles)[15:20]
    before = load_window(
        instrument_id=bitcoin.pk, timeframe=H1, bars=5, as_of=just_closed - timedelta(milliseconds=1)
    )
    assert rows_of(before) == rows_of(candles)[14:19]


def test_a_window_over_nothing_is_empty_and_has_no_age(bitcoin: Instrument) -> None:
    cached = cached_window(instrument_id=bitcoin.pk, timeframe=H1, bars=5, as_of=START)
    assert len(cached.candles) == 0
    assert cached.age is None
    assert newest_open_time(instrument_id=bitcoin.pk, timeframe=H1) is None


def test_a_cached_window_tells_how_long_ago_its_last_bar_closed(bitcoin: Instrument) -> None:
    store_candles(instrument=bitcoin, timeframe=H1, candles=make_series(bars=3, start=START))
    cached = cached_window(instrument_id=bitcoin.pk, timeframe=H1, bars=5, as_of=START + timedelta(hours=10))
    assert cached.age == timedelta(hours=7)
    assert newest_open_time(instrument_id=bitcoin.pk, timeframe=H1) == START + timedelta(hours=2)


@pytest.mark.django_db(transaction=True)
def test_two_writers_of_one_day_leave_a_chunk_with_the_bars_of_both(process_env: dict[str, str]) -> None:
    """A second writer that does not wait would build the chunk without the first one's bar."""
    instrument = make_instrument()
    candles = make_series(bars=24, start=START)
    store_candles(instrument=instrument, timeframe=H1, candles=candles[:10])
    build_chunks(instrument=instrument, timeframe=H1, as_of=START + timedelta(days=1))
    with psycopg.connect(process_env["DATABASE_URL"]) as other:
        other.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"candles {instrument.pk} {H1}"]
        )
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        with pytest.raises(Exception, match="lock timeout"):
            store_candles(instrument=instrument, timeframe=H1, candles=candles)
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
    store_candles(instrument=instrument, timeframe=H1, candles=candles)
    read = load_range(instrument_id=instrument.pk, timeframe=H1, start=START, end=START + timedelta(days=1))
    assert rows_of(read) == rows_of(candles)


def test_windows_on_a_walk_are_those_that_are_asked_for_one_by_one(bitcoin: Instrument) -> None:
    """Over holes, from a start before which too little is stored, and past the end of the walk."""
    series = make_series(bars=120, start=START, seed=5)
    kept = np.setdiff1d(np.arange(120), [40, 41, 55, 90])
    holes = OHLCV(*(getattr(series, name)[kept] for name in COLUMNS))
    store_candles(instrument=bitcoin, timeframe=H1, candles=holes)

    def windows(first: int) -> list[list[tuple[Any, ...]]]:
        closes = [
            START + timedelta(hours=hour, minutes=minute) for hour in range(first, 125) for minute in (0, 7)
        ]
        return [
            rows_of(load_window(instrument_id=bitcoin.pk, timeframe=H1, bars=30, as_of=close))
            for close in closes
        ]

    for first in (0, 20, 60):
        plain = windows(first)
        with walking_over(START + timedelta(hours=first), START + timedelta(hours=110)):
            assert windows(first) == plain
