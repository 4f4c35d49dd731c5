"""One series, written in every way that is known here, is one series when it is read."""

import gzip
import io
import zipfile
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest

from signals.engine.timeframe import Timeframe
from signals.market.providers.candle_file import DateOrder, Decimal, FileRefusedError
from signals.market.providers.candle_file.clock_words import split, split_alike
from tests.signals.market.providers.candle_file.made import ATHENS, bars, read, table, told, truth

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
TIMES = {
    "seconds": lambda at: f"{at.timestamp():.0f}",
    "seconds with a fraction": lambda at: f"{at.timestamp():.1f}",
    "milliseconds": lambda at: f"{at.timestamp() * 1e3:.0f}",
    "microseconds": lambda at: f"{at.timestamp() * 1e6:.0f}",
    "nanoseconds": lambda at: f"{at.timestamp():.0f}000000000",
    "a float's exponent": lambda at: f"{at.timestamp() * 1e3:.12e}",
    "iso": lambda at: at.isoformat(),
    "iso, Z": lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}",
    "iso, blank": lambda at: f"{at:%Y-%m-%d %H:%M:%S}",
    "iso, minutes": lambda at: f"{at:%Y-%m-%d %H:%M}",
    "iso, ms": lambda at: f"{at:%Y-%m-%d %H:%M:%S}.000",
    "iso, ns": lambda at: f"{at:%Y-%m-%dT%H:%M:%S}.000000000Z",
    "iso, UTC": lambda at: f"{at:%Y-%m-%d %H:%M:%S} UTC",
    "offset": lambda at: f"{at.astimezone(ATHENS):%Y-%m-%d %H:%M:%S}+02:00",
    "offset without colon": lambda at: f"{at.astimezone(ATHENS):%Y-%m-%dT%H:%M:%S}+0200",
    "offset, GMT": lambda at: f"{at.astimezone(ATHENS):%d.%m.%Y %H:%M:%S}.000 GMT+0200",
    "metatrader": lambda at: f"{at:%Y.%m.%d %H:%M}",
    "slashes, year first": lambda at: f"{at:%Y/%m/%d %H:%M}",
    "dots, day first": lambda at: f"{at:%d.%m.%Y %H:%M}",
    "slashes, day first": lambda at: f"{at:%d/%m/%Y %H:%M}",
    "slashes, month first": lambda at: f"{at:%m/%d/%Y %H:%M}",
    "dashes, month first": lambda at: f"{at:%m-%d-%Y %H:%M:%S}",
    "American, PM": lambda at: f"{at:%m/%d/%Y %I:%M %p}",
    "American, two digits of a year": lambda at: f"{at:%m/%d/%y %H:%M}",
    "cryptodatadownload": lambda at: f"{at:%Y-%m-%d %I-%p}",
    "compact": lambda at: f"{at:%Y%m%d %H%M%S}",
    "compact, one word": lambda at: f"{at:%Y%m%d%H%M%S}",
    "compact, Z": lambda at: f"{at:%Y%m%dT%H%M%SZ}",
    "compact, minutes": lambda at: f"{at:%Y%m%d%H%M}",
    "month by name": lambda at: f"{at.day:02}-{MONTHS[at.month - 1]}-{at.year} {at:%H:%M}",
    "weekday": lambda at: f"{at:%a} {at:%Y-%m-%d %H:%M}",
}
NUMBERS = {
    "plain": ("{:.2f}".format, ",", False),
    "shortest": (str, ",", False),
    "exponent": (lambda value: f"{value:.12e}", ";", False),
    "American thousands": ("{:,.2f}".format, ",", True),
    "dollars": (lambda value: f"${value:,.2f}", ",", True),
    "tabs": ("{:.2f}".format, "\t", False),
    "decimal comma": (lambda value: f"{value:.2f}".replace(".", ","), ";", False),
    "German thousands": (lambda value: f"{value:_.2f}".replace(".", ",").replace("_", "."), ";", False),
    "German thousands, quoted": (
        lambda value: f"{value:_.2f}".replace(".", ",").replace("_", "."),
        ",",
        True,
    ),
    "French thousands": (lambda value: f"{value:_.2f}".replace(".", ",").replace("_", "\u202f"), ";", False),
    "Swiss thousands": (lambda value: f"{value:_.2f}".replace("_", "'"), ";", False),
}


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("newest_first", [False, True])
def test_every_way_to_write_a_time_is_read(tmp_path: Path, time: str, newest_first: bool) -> None:
    found = bars()
    text = table(found[::-1] if newest_first else found, time=TIMES[time])
    file = read(tmp_path / "x.csv", text)
    assert told(file) == truth(found)
    assert (file.timeframe, file.unreadable) == (Timeframe.H1, [])
    assert file.lines.tolist() == (list(range(241, 1, -1)) if newest_first else list(range(2, 242)))


@pytest.mark.parametrize(("number", "time"), [*product(NUMBERS, ["iso", "dots, day first", "milliseconds"])])
def test_every_way_to_write_a_number_is_read(tmp_path: Path, number: str, time: str) -> None:
    write, delimiter, quote = NUMBERS[number]
    found = bars()
    text = table(found, time=TIMES[time], number=write, delimiter=delimiter, quote=quote)
    file = read(tmp_path / "x.csv", text)
    assert told(file) == truth(found)
    assert (file.odd_cells, file.unreadable) == ({}, [])


def zipped(text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.csv", text)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("encode", "name"),
    [
        (lambda text: text.encode("utf-8-sig"), "x.csv"),
        (lambda text: text.encode("utf-16"), "x.csv"),
        (lambda text: text.encode("utf-16-le"), "x.csv"),
        (lambda text: text.encode("utf-16-be"), "x.csv"),
        (lambda text: text.replace("\n", "\r\n").encode(), "x.csv"),
        (lambda text: text.replace("\n", "\r").encode(), "x.csv"),
        (lambda text: text.replace("\n", ",\n").encode(), "x.csv"),
        (lambda text: text.replace("\n", "\n\n").encode(), "x.csv"),
        (lambda text: f"Börse Zürich\n{text}".encode("cp1252"), "x.csv"),
        (lambda text: f"sep=,\n{text}".encode(), "x.csv"),
        (lambda text: gzip.compress(text.encode()), "x.csv.gz"),
        (zipped, "x.zip"),
        (lambda text: text.rstrip("\n").encode(), "x.txt"),
    ],
)
def test_every_envelope_is_opened(tmp_path: Path, encode: object, name: str) -> None:
    found = bars()
    data = encode(table(found, time=TIMES["iso"]))  # type: ignore[operator]
    assert told(read(tmp_path / name, data)) == truth(found)


@pytest.mark.parametrize(
    ("header", "time"),
    [
        ("Date,Time,Open,High,Low,Close,Volume", lambda at: f"{at:%Y.%m.%d},{at:%H:%M}"),
        ("<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>", lambda at: f"{at:%Y%m%d},{at:%H%M%S}"),
        ("Date,Time,Open,High,Low,Close,Volume", lambda at: f"{at:%Y%m%d},{at.hour * 100}"),
        ("Time,Date,Open,High,Low,Close,Volume", lambda at: f"{at:%H:%M:%S},{at:%Y-%m-%d}"),
        ("date,hour,open,high,low,close,volume", lambda at: f"{at:%m/%d/%Y},{at:%I:%M %p}"),
        (",open,high,low,close,volume", lambda at: f"{at:%Y-%m-%d %H:%M}"),
        ("Unnamed: 0,open,high,low,close,volume", lambda at: f"{at:%Y-%m-%d %H:%M}"),
        ("open,high,low,close,volume", lambda at: f"{at:%Y-%m-%d %H:%M}"),
        (",timestamp,open,high,low,close,volume", lambda at: f"{at.hour},{at.timestamp():.0f}"),
        ("time,open,high,low,close,volume", lambda at: f"{at.hour},{at.timestamp():.0f}"),
        ("t,o,h,l,c,v", lambda at: f"{at.timestamp():.0f}"),
        ("time,Open Price,High Price,Low Price,Last,Vol.", lambda at: at.isoformat()),
    ],
)
def test_columns_are_found_whatever_they_are_called(tmp_path: Path, header: str, time: object) -> None:
    found = bars()
    text = table(found, time=time, header=header)  # type: ignore[arg-type]
    assert told(read(tmp_path / "x.csv", text)) == truth(found)


def test_a_day_that_may_be_two_is_asked_for_and_what_is_said_wins(tmp_path: Path) -> None:
    found = bars(24, start=datetime(2024, 3, 4, tzinfo=UTC))
    text = table(found, time=TIMES["slashes, month first"])
    with pytest.raises(
        FileRefusedError, match=r"line 2: time: '03/04/2024' may be two days: give --date-order"
    ):
        read(tmp_path / "x.csv", text)
    assert told(read(tmp_path / "x.csv", text, date_order=DateOrder.MONTH_FIRST)) == truth(found)
    april = bars(24, start=datetime(2024, 4, 3, tzinfo=UTC))
    assert told(read(tmp_path / "x.csv", text, date_order=DateOrder.DAY_FIRST)) == truth(april)


def test_a_number_that_may_be_two_is_asked_for_and_what_is_said_wins(tmp_path: Path) -> None:
    text = "date;open;high;low;close\n2024-01-01;151,234;151,500;151,100;151,400\n"
    text += "2024-01-02;151,400;151,600;151,300;151,500\n"
    with pytest.raises(FileRefusedError, match=r"'151,234' may be 151.234 or 151234: give --decimal"):
        read(tmp_path / "x.csv", text)
    assert told(read(tmp_path / "x.csv", text, decimal=Decimal.COMMA))[0][1] == 151.234
    assert told(read(tmp_path / "x.csv", text, decimal=Decimal.POINT))[0][1] == 151_234


def test_a_comma_that_comes_late_decides_for_the_rows_above_it(tmp_path: Path) -> None:
    lines = [
        f"2024-{month:02}-{day:02};16.000;16.100;15.900;16.050;7"
        for month in range(1, 13)
        for day in range(1, 29)
    ]
    lines += [
        f"2025-{month:02}-{day:02};16.000;16.100;15.900;16.050;7"
        for month in range(1, 13)
        for day in range(1, 29)
    ]
    text = "date;open;high;low;close;volume\n" + "\n".join(
        [*lines, "2026-01-01;16.000,5;16.100;15.900;16.050;7"]
    )
    file = read(tmp_path / "x.csv", text, timeframe=Timeframe.D1, price_scale=1.0)
    assert told(file)[0][1:] == (16_000.0, 16_100.0, 15_900.0, 16_050.0, 7.0)
    assert told(file)[-1][1] == 16_000.5


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("yesterday", "'yesterday' is no time that is known here"),
        ("2024-13-01", "'2024-13-01' is no day of the calendar"),
        ("2024-01-09 25:00", "'25:00' is no time of day"),
        ("2024-01-09 10:00 EST", "'EST' is no offset from UTC"),
        ("45300.5", "looks like a day number of a spreadsheet"),
        ("12", "'12' is neither seconds nor a finer unit since 1970"),
        ("1969-12-31", "'1969-12-31' is before 1970"),
        ("", "is no time that is known here"),
        ("nan", "is no time that is known here"),
    ],
)
def test_a_time_that_is_none_is_refused_with_its_line_and_cell(
    tmp_path: Path, cell: str, reason: str
) -> None:
    found = bars(30)
    lines = table(found, time=TIMES["iso, minutes"]).splitlines()
    lines.insert(11, lines[1].replace(lines[1].split(",")[0], cell))
    file = read(tmp_path / "x.csv", "\n".join(lines))
    assert told(file) == truth(found)
    ((line, why),) = file.unreadable
    assert line == 12
    assert why.startswith("time: ")
    assert reason in why


@pytest.mark.parametrize("cell", ["n/k", "1.09.2", "1,2,3", "12:30", "1 2x"])
@pytest.mark.parametrize(("place", "name"), [(4, "close"), (5, "volume")])
def test_a_cell_that_is_no_number_is_shown_as_it_stands(
    tmp_path: Path, cell: str, place: int, name: str
) -> None:
    found = bars(30)
    lines = table(found, time=TIMES["iso, minutes"], delimiter=";").splitlines()
    cells = lines[10].split(";")
    lines[10] = ";".join([*cells[:place], cell, *cells[place + 1 :]])
    file = read(tmp_path / "x.csv", "\n".join(lines))
    assert file.odd_cells == {11: f"{name} {cell!r} is no number"}
    assert len(file.candles) == 30


@pytest.mark.parametrize("line", ["", ",,,,,", " , ,\t, , , "])
def test_a_line_of_empty_cells_is_none(tmp_path: Path, line: str) -> None:
    found = bars(30)
    lines = table(found, time=TIMES["iso, minutes"]).splitlines()
    file = read(tmp_path / "x.csv", "\n".join([*lines[:9], line, *lines[9:]]))
    assert told(file) == truth(found)
    assert file.unreadable == []
    assert file.lines.tolist() == [*range(2, 10), *range(11, 33)]


@pytest.mark.parametrize("way", TIMES)
def test_times_that_are_split_together_are_split_as_each_alone(way: str) -> None:
    cells = [f" {TIMES[way](bar.opened)}" for bar in bars(300)]
    together = split_alike(cells)
    if together:
        assert list(zip(*together, strict=True)) == list(map(split, cells))
    else:
        assert not all(len(cell.strip()) > 11 and cell.strip()[10] in " T" for cell in cells)


@pytest.mark.parametrize("cell", ["", "NaN", "null", "-", "N/A"])
def test_rows_without_any_price_are_no_trade_and_no_fault(tmp_path: Path, cell: str) -> None:
    found = bars(30)
    lines = table(found, time=TIMES["iso, minutes"]).splitlines()
    for row in (10, 20):
        lines[row] = ",".join([lines[row].split(",")[0], *[cell] * 5])
    file = read(tmp_path / "x.csv", "\n".join(lines))
    assert told(file) == truth([*found[:9], *found[10:19], *found[20:]])
    assert file.not_traded.tolist() == [found[row].opened.timestamp() * 1000 for row in (9, 19)]
    assert "2 rows without prices: no trade" in file.notes


def test_rows_of_another_width_are_refused_with_both_widths(tmp_path: Path) -> None:
    found = bars(30)
    lines = table(found, time=TIMES["iso, minutes"]).splitlines()
    lines[5] += ",9"
    lines[7] = lines[7].rsplit(",", 1)[0]
    file = read(tmp_path / "x.csv", "\n".join(lines))
    assert file.unreadable == [
        (6, "7 cells where the header has 6"),
        (8, "5 cells where the header has 6"),
    ]
    lines = [lines[0], *(f"{line},9" for line in table(found, time=TIMES["iso"]).splitlines()[1:])]
    lines[0] = f"id,{lines[0].rsplit(',', 1)[0]}"
    with pytest.raises(FileRefusedError, match="line 2: 7 cells where the header has 6"):
        read(tmp_path / "y.csv", "\n".join(lines))
