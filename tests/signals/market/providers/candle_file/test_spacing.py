"""How long bars are, and when they opened, where a file does not say it plainly."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from signals.engine.timeframe import Timeframe
from signals.market.providers.candle_file import FileRefusedError
from tests.signals.market.providers.candle_file.made import ATHENS, Bar, bars, read, table, told, truth

MINUTE = timedelta(minutes=1)


def seconds(at: datetime) -> str:
    return f"{at.timestamp():.0f}"


def sparse(share: float, seed: int, count: int = 4_000) -> list[Bar]:
    kept = np.random.default_rng(seed).random(count) < share
    return [bar for bar, keep in zip(bars(count, step=MINUTE, seed=seed), kept, strict=True) if keep]


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("said", [None, Timeframe.M1])
def test_minutes_of_a_market_that_rarely_trades_are_minutes(
    tmp_path: Path, share: float, seed: int, said: Timeframe | None
) -> None:
    found = sparse(share, seed)
    file = read(tmp_path / "x.csv", table(found, time=seconds), timeframe=said)
    assert (file.timeframe, told(file)) == (Timeframe.M1, truth(found))


def test_a_trade_every_fifth_minute_and_some_between_is_a_file_of_minutes(tmp_path: Path) -> None:
    found = [bar for row, bar in enumerate(bars(2_000, step=MINUTE)) if row % 5 == 0 or row % 97 == 2]
    file = read(tmp_path / "x.csv", table(found, time=seconds))
    assert (file.timeframe, told(file)) == (Timeframe.M1, truth(found))


def test_what_is_said_wins_where_every_open_time_is_a_multiple_of_it(tmp_path: Path) -> None:
    found = bars(50, step=5 * MINUTE)
    text = table(found, time=seconds)
    assert read(tmp_path / "x.csv", text).timeframe is Timeframe.M5
    file = read(tmp_path / "x.csv", text, timeframe=Timeframe.M1)
    assert file.timeframe is Timeframe.M1
    assert "all bars stand 300 s apart or a multiple: taken for 1m as said" in file.notes


@pytest.mark.parametrize("said", [Timeframe.M15, Timeframe.H1, Timeframe.D1])
def test_a_length_that_most_open_times_contradict_is_refused(tmp_path: Path, said: Timeframe) -> None:
    text = table(bars(50, step=5 * MINUTE), time=seconds)
    with pytest.raises(FileRefusedError, match=f"said to be {said}, but bars stand 300 s apart"):
        read(tmp_path / "x.csv", text, timeframe=said)
    with pytest.raises(FileRefusedError, match=f"said to be {said} by its name"):
        read(tmp_path / f"x_{said}.csv", text)


@pytest.mark.parametrize(
    "step", [timedelta(minutes=30), timedelta(hours=2), timedelta(days=7), timedelta(minutes=3)]
)
def test_a_length_that_is_not_kept_is_refused_with_it(tmp_path: Path, step: timedelta) -> None:
    text = table(bars(60, start=datetime(2024, 1, 1, tzinfo=UTC), step=step), time=seconds)
    with pytest.raises(FileRefusedError, match=f"{step.total_seconds():.0f} s apart.*none of 1m, 5m"):
        read(tmp_path / "x.csv", text)


def test_months_are_no_days_with_holes(tmp_path: Path) -> None:
    months = [datetime(2020 + month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in range(40)]
    found = [Bar(at, 5.0, 6.0, 4.0, 5.5, 1.0) for at in months]
    with pytest.raises(FileRefusedError, match="no two bars are neighbours"):
        read(tmp_path / "x.csv", table(found, time=seconds))
    with pytest.raises(FileRefusedError, match="no two bars are neighbours"):
        read(tmp_path / "BTC_1M.csv", table(found, time=seconds))


def test_one_stray_row_does_not_hide_the_length(tmp_path: Path) -> None:
    found = bars(100)
    stray = Bar(found[50].opened + timedelta(minutes=7, seconds=3), 5.0, 6.0, 4.0, 5.5, 1.0)
    file = read(tmp_path / "x.csv", table([*found[:51], stray, *found[51:]], time=seconds))
    assert file.timeframe is Timeframe.H1


@pytest.mark.parametrize(
    "step", [timedelta(minutes=1), timedelta(hours=1), timedelta(hours=4), timedelta(days=1)]
)
@pytest.mark.parametrize(
    ("column", "time"),
    [
        ("timestamp", lambda end: f"{(end.timestamp() * 1_000) - 1:.0f}"),
        ("timestamp", lambda end: f"{int(end.timestamp()) * 1_000_000 - 1}"),
        ("timestamp", lambda end: f"{int(end.timestamp()) * 1_000_000_000 - 1}"),
        ("timestamp", lambda end: f"{end.timestamp() - 1:.0f}"),
        ("timestamp", lambda end: f"{end - timedelta(milliseconds=1):%Y-%m-%dT%H:%M:%S.%f}"[:23] + "Z"),
        ("date", lambda end: f"{end - timedelta(seconds=1):%Y-%m-%d %H:%M:%S}"),
        ("close_time", seconds),
    ],
)
def test_times_of_closes_become_times_of_openings(
    tmp_path: Path, step: timedelta, column: str, time: Callable[[datetime], str]
) -> None:
    found = bars(step=step)
    text = table(found, time=lambda at: time(at + step), header=f"{column},open,high,low,close,volume")
    file = read(tmp_path / "x.csv", text)
    assert told(file) == truth(found)
    assert any("tells the close" in note for note in file.notes)


def test_closes_on_the_full_hour_are_believed_when_they_are_said(tmp_path: Path) -> None:
    found = bars()
    text = table(
        found, time=lambda at: seconds(at + timedelta(hours=1)), header="timestamp,open,high,low,close,volume"
    )
    assert told(read(tmp_path / "x.csv", text, closes=True)) == truth(found)


def test_an_opening_is_taken_before_a_close(tmp_path: Path) -> None:
    """CoinMarketCap's columns."""
    found = bars(30, step=timedelta(days=1))
    end = timedelta(days=1, milliseconds=-1)
    text = table(
        found,
        time=lambda at: f"{at:%Y-%m-%dT%H:%M:%S}.000Z;{at + end:%Y-%m-%dT%H:%M:%S}.999Z;2781",
        delimiter=";",
        header="timeOpen,timeClose,name,open,high,low,close,volume",
    )
    assert told(read(tmp_path / "x.csv", text)) == truth(found)


WEEKDAYS = [bar for bar in bars(60, step=timedelta(days=1)) if bar.opened.weekday() < 5]


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Athens", "Asia/Tokyo", "Australia/Sydney"])
@pytest.mark.parametrize("named", [False, True])
def test_days_of_an_exchanges_midnight_are_stored_under_their_date(
    tmp_path: Path, zone: str, named: bool
) -> None:
    """With their offset in the cell, or with --timezone; over the change of the clock in March."""
    days = [bar for bar in bars(90, step=timedelta(days=1)) if bar.opened.weekday() < 5]
    local = ZoneInfo(zone)
    text = table(days, time=lambda at: str(at.replace(tzinfo=local)) if named else f"{at:%Y-%m-%d}")
    file = read(tmp_path / "x.csv", text, timezone=None if named else local)
    assert (file.timeframe, told(file)) == (Timeframe.D1, truth(days))
    assert "days begin at a local midnight: each is stored under its date" in file.notes


def test_local_days_of_a_market_that_never_closes_are_no_days_of_utc(tmp_path: Path) -> None:
    text = table(bars(30, step=timedelta(days=1)), time=lambda at: f"{at:%Y-%m-%d}")
    with pytest.raises(FileRefusedError, match=r"open at 2024-01-09 05:00Z, which is no start of a 1d bar"):
        read(tmp_path / "x.csv", text, timezone=ZoneInfo("America/New_York"))


@pytest.mark.parametrize("step", [timedelta(minutes=15), timedelta(hours=1)])
@pytest.mark.parametrize(
    ("zone", "night"),
    [
        ("Europe/Athens", datetime(2024, 10, 26, 12, tzinfo=UTC)),
        ("America/New_York", datetime(2024, 11, 2, 12, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2024, 4, 6, 3, tzinfo=UTC)),
        ("Europe/Athens", datetime(2024, 3, 30, 12, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("newest_first", [False, True])
def test_a_night_in_which_the_clock_is_moved_keeps_every_bar(
    tmp_path: Path, step: timedelta, zone: str, night: datetime, newest_first: bool
) -> None:
    if zone == "Australia/Lord_Howe" and step == timedelta(hours=1):
        pytest.skip("half an hour comes twice there: hours of UTC stand at half past")
    found = bars(96, start=night, step=step)
    local = ZoneInfo(zone)
    ordered = found[::-1] if newest_first else found
    text = table(ordered, time=lambda at: f"{at.astimezone(local):%Y-%m-%d %H:%M}")
    file = read(tmp_path / "x.csv", text, timezone=local)
    assert told(file) == truth(found)


def test_an_hour_that_is_told_once_but_came_twice_is_called_doubtful(tmp_path: Path) -> None:
    found = bars(24, start=datetime(2024, 10, 26, 12, tzinfo=UTC))
    once = [bar for bar in found if bar.opened != datetime(2024, 10, 27, 1, tzinfo=UTC)]
    text = table(once, time=lambda at: f"{at.astimezone(ATHENS):%Y-%m-%d %H:%M}")
    file = read(tmp_path / "x.csv", text, timezone=ATHENS)
    assert told(file) == truth(once)
    assert "1 bars of an hour that comes twice in Europe/Athens, told once: taken for the first" in file.notes


def test_an_hour_that_no_clock_showed_is_refused(tmp_path: Path) -> None:
    text = table(
        bars(24, start=datetime(2024, 3, 30, 12, tzinfo=UTC)), time=lambda at: f"{at:%Y-%m-%d %H:%M}"
    )
    file = read(tmp_path / "x.csv", text, timezone=ATHENS)
    assert file.unreadable == [(17, "time: '2024-03-31 03:00' does not exist in Europe/Athens")]
    assert len(file.candles) == 23
