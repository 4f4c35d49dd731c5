from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from math import gcd
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from signals.engine.candle import OHLCV
from signals.engine.timeframe import Timeframe, newest_closed, resample


@pytest.mark.parametrize(
    ("name", "seconds"), [("1m", 60), ("5m", 300), ("15m", 900), ("1h", 3600), ("4h", 14400), ("1d", 86400)]
)
def test_each_name_stands_for_its_length(name: str, seconds: int) -> None:
    assert Timeframe(name).seconds == seconds
    assert Timeframe(name).milliseconds == seconds * 1000


def test_a_bar_closes_where_the_next_one_opens() -> None:
    opens = int(datetime(2025, 10, 10, 20, tzinfo=UTC).timestamp() * 1000)
    closes = int(datetime(2025, 10, 11, tzinfo=UTC).timestamp() * 1000)
    assert Timeframe.H4.close_time(opens) == closes


@pytest.mark.parametrize(
    ("name", "hour", "minute"), [("1m", 21, 47), ("15m", 21, 45), ("4h", 20, 0), ("1d", 0, 0)]
)
def test_a_moment_falls_into_the_bar_that_holds_it(name: str, hour: int, minute: int) -> None:
    moment = int(datetime(2025, 10, 10, 21, 47, 59, tzinfo=UTC).timestamp() * 1000)
    start = int(datetime(2025, 10, 10, hour, minute, tzinfo=UTC).timestamp() * 1000)
    assert Timeframe(name).floor(moment) == start
    assert Timeframe(name).floor(start) == start
    assert Timeframe(name).floor(start - 1) == start - Timeframe(name).milliseconds


def hourly(*hours: int) -> OHLCV:
    """Bars that open `hours` after an epoch midnight, told apart by their prices: open h, close h + .5."""
    opens = np.array(hours, dtype=float)
    times = np.array(hours, dtype=np.int64) * Timeframe.H1.milliseconds
    return OHLCV(times, opens, opens + 1, opens - 1, opens + 0.5, np.ones(len(hours)))


def starts(bars: OHLCV) -> list[int]:
    """Open times in hours."""
    return (bars.open_time // Timeframe.H1.milliseconds).tolist()


def rows(bars: OHLCV) -> list[tuple[float, ...]]:
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_a_bucket_is_first_open_highest_lowest_last_close_and_summed_volume() -> None:
    bars = resample(hourly(4, 5, 6, 7), "4h")
    assert starts(bars) == [4]
    assert rows(bars) == [(4.0, 8.0, 3.0, 7.5, 4.0)]


@pytest.mark.parametrize(
    ("hours", "emitted"),
    [
        (range(12), [0, 4, 8]),
        (range(11), [0, 4]),  # the last slot of the last bucket has not been seen
        (range(1, 12), [4, 8]),  # the first bar does not stand at the start
        ([0, 1, 3, 4, 5, 6, 7], [0, 4]),  # a gap inside is allowed
        ([0, 1, 2, 4, 5], [0]),  # the last slot is missing, but a later bar shows that it is over
        ([0, 1, 2, 9, 10], [0]),  # even when the next bucket is empty
        ([0, 1, 2, 3, 5, 6, 7], [0]),  # a gap at the start of a later bucket
        ([5], []),  # of one bar nobody knows the length
        ([], []),
    ],
)
def test_which_buckets_are_complete(hours: Sequence[int], emitted: list[int]) -> None:
    assert starts(resample(hourly(*hours), "4h")) == emitted


def test_a_day_begins_at_midnight_utc() -> None:
    bars = resample(hourly(*range(30, 110)), "1d")
    assert starts(bars) == [48, 72]
    assert rows(bars)[0] == (48.0, 72.0, 47.0, 71.5, 24.0)


def test_times_before_the_epoch_fall_into_the_bucket_that_holds_them() -> None:
    assert starts(resample(hourly(*range(-5, 4)), "4h")) == [-4, 0]


def test_bars_of_the_target_length_come_back_as_they_are() -> None:
    bars = hourly(3, 4, 5, 7)
    assert rows(resample(bars, "1h")) == rows(bars)


@pytest.mark.parametrize("target", ["1h", "15m", "1m"])
def test_a_target_shorter_than_the_bars_is_refused(target: str) -> None:
    with pytest.raises(
        ValueError, match=f"{target} is no multiple of the given bars, which stand 240 minutes"
    ):
        resample(hourly(0, 4, 8, 12), target)


def test_a_target_that_is_no_multiple_or_no_timeframe_is_refused() -> None:
    with pytest.raises(ValueError, match="no multiple"):
        resample(hourly(0, 3, 6, 9), "4h")
    with pytest.raises(ValueError, match="'90m' is not a valid Timeframe"):
        resample(hourly(0, 1, 2, 3), "90m")


def test_a_gap_does_not_change_the_length_that_is_inferred() -> None:
    # The smallest distance here is two hours, and yet these are hourly bars: 12:00 has not ended at 14:00.
    assert starts(resample(hourly(8, 10, 12, 15), "4h")) == [8, 12]
    assert starts(resample(hourly(5, 7, 10, 12, 14), "4h")) == []


@settings(max_examples=200, deadline=None)
@given(
    present=st.lists(st.integers(-40, 60), unique=True, min_size=2).map(sorted),
    target=st.sampled_from([Timeframe.H4, Timeframe.D1]),
)
def test_equal_to_a_plain_loop_on_any_set_of_hours(present: list[int], target: Timeframe) -> None:
    distances = [b - a for a, b in pairwise(present)]
    step, size = gcd(*distances), target.seconds // 3600
    assume(size % step == 0)
    expected = []
    for start in range(-48, 72, size):
        inside = [hour for hour in present if start <= hour < start + size]
        if inside and inside[0] == start and present[-1] >= start + size - step:
            high, low = max(inside) + 1.0, min(inside) - 1.0
            expected.append((float(start), high, low, inside[-1] + 0.5, float(len(inside))))
    assert rows(resample(hourly(*present), target)) == expected


@pytest.mark.parametrize("pair", ["BTCUSDT", "SOLUSDT", "DOTUSDT"])
@pytest.mark.parametrize("target", [Timeframe.H4, Timeframe.D1])
def test_hours_add_up_to_the_exchange_s_longer_bars_but_for_the_outage(
    pair: str, target: Timeframe, recorded: Callable[[str, Timeframe], OHLCV]
) -> None:
    ours, theirs = resample(recorded(pair, Timeframe.H1), target), recorded(pair, target)
    theirs = theirs[int(np.searchsorted(theirs.open_time, ours.open_time[0])) :]
    np.testing.assert_array_equal(ours.open_time, theirs.open_time)
    differ = np.zeros(len(ours), dtype=bool)
    for name in ("open", "high", "low", "close"):
        differ |= getattr(ours, name) != getattr(theirs, name)
    differ |= ~np.isclose(ours.volume, theirs.volume, rtol=1e-9)
    # 2023-03-24 12:00: a flat bar without trades that the exchange's own bars ignore.
    outage = int(datetime(2023, 3, 24, 12, tzinfo=UTC).timestamp() * 1000)
    assert set(ours.open_time[differ].tolist()) <= {target.floor(outage)}
    assert len(ours) > 1_400


@pytest.mark.parametrize("pair", ["BTCUSDT", "ADAUSDT", "XRPUSDT"])
@pytest.mark.parametrize("target", [Timeframe.H4, Timeframe.D1])
def test_hours_with_eleven_missing_add_up_to_the_exchange_s_longer_bars(
    pair: str, target: Timeframe, recorded: Callable[[str, Timeframe], OHLCV], shared_data: Path
) -> None:
    table = pq.read_table(shared_data / "ohlcv" / "binance_spot_nfi2021" / f"{pair}_1h.parquet")
    names = ("timestamp", "open", "high", "low", "close", "volume")
    ours, theirs = (
        resample(OHLCV(*(table[name].to_numpy() for name in names)), target),
        recorded(pair, target),
    )
    same = np.searchsorted(theirs.open_time, ours.open_time)
    np.testing.assert_array_equal(ours.open_time, theirs.open_time[same])
    differ = np.zeros(len(ours), dtype=bool)
    for name in ("open", "high", "low", "close"):
        differ |= getattr(ours, name) != getattr(theirs, name)[same]
    # The outage of 2020-12-21, whose only hour opens late, and the hour that the sources report differently.
    known = {datetime(2020, 12, 21, 12, tzinfo=UTC), datetime(2021, 1, 11, 8, tzinfo=UTC)}
    assert set(ours.open_time[differ].tolist()) <= {int(moment.timestamp() * 1000) for moment in known}
    assert len(ours) == {Timeframe.H4: 1_371, Timeframe.D1: 228}[target]


def test_a_base_bar_s_close_knows_the_longer_bars_that_had_closed_by_then() -> None:
    base, longer = hourly(*range(1, 14)).open_time, hourly(0, 4, 12).open_time
    newest = newest_closed(longer, Timeframe.H4, base, Timeframe.H1)
    assert newest.tolist() == [-1, -1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1]
