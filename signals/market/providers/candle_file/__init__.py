"""Candles from files: CSV (also packed) and Parquet, with the quirks that published files have."""

import csv
import zipfile
import zlib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray, TimeArray
from signals.engine.quality import RawCandles
from signals.engine.timeframe import Timeframe
from signals.market.providers.candle_file import closes, levels, points, spacing, times, volumes
from signals.market.providers.candle_file.clock_words import DateOrder
from signals.market.providers.candle_file.columns import CLOSES
from signals.market.providers.candle_file.delimited import load_text
from signals.market.providers.candle_file.error import FileRefusedError
from signals.market.providers.candle_file.file_format import FileFormat
from signals.market.providers.candle_file.formats import FORMATS
from signals.market.providers.candle_file.numbers import Decimal
from signals.market.providers.candle_file.reading import Reading
from signals.market.providers.candle_file.table import Table

__all__ = [
    "FORMATS",
    "CandleFile",
    "DateOrder",
    "Decimal",
    "FileFormat",
    "FileRefusedError",
    "Reading",
    "Table",
    "candle_files",
    "load_table",
    "read_candle_file",
    "read_table",
]

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".zip")
PARQUET = "signals.market.providers.candle_file.parquet"
UTC = ZoneInfo("UTC")


@dataclass(frozen=True, eq=False)
class CandleFile:
    """What a file holds, oldest first; `lines` are the bars' line numbers (of Parquet: row numbers, from 1).

    `swapped` marks bars whose two volumes stood in each other's column; here they are right.
    `unreadable` are (line, reason) of rows that gave no bar, `odd_cells` what stood, by line, where a number is
    missing, `not_traded` the open times of rows that say there was no trade, `notes` what had to be understood.
    """

    path: Path
    symbol: str | None
    timeframe: Timeframe
    format: FileFormat | None
    candles: RawCandles
    lines: npt.NDArray[np.int64]
    swapped: npt.NDArray[np.bool_]
    unreadable: list[tuple[int, str]]
    odd_cells: dict[int, str]
    not_traded: TimeArray
    notes: list[str]


def candle_files(path: Path) -> list[Path]:
    """The file itself, or all candle files below a folder. Raises FileRefusedError when there are none."""
    if path.is_file():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.name.lower().endswith(SUFFIXES))
    if not found:
        raise FileRefusedError(path, f"no such file, or a folder without {', '.join(SUFFIXES)}")
    return found


def load_table(path: Path, said: Reading) -> Table:
    """The file's columns, before anything is made of them. Raises FileRefusedError."""
    try:
        if path.suffix.lower() == ".parquet":
            # pyarrow costs a second and 60 MB, which a CSV need not pay.
            table: Table = import_module(PARQUET).load_parquet(path, said)
            return table
        return load_text(path, said)
    except (OSError, EOFError, UnicodeError, csv.Error, zlib.error, zipfile.BadZipFile) as error:
        raise FileRefusedError(path, f"cannot be read as Parquet or CSV: {error}") from error


def read_candle_file(path: Path, *, symbol: str | None, said: Reading) -> CandleFile:
    """Read and understand one file. Raises FileRefusedError when the file as a whole cannot be trusted."""
    table = load_table(path, said)
    return read_table(table, symbol=table.symbol or symbol, said=said)


def read_table(table: Table, *, symbol: str | None, said: Reading) -> CandleFile:
    """Bars out of columns. `symbol` tells which volume is the base's. Raises FileRefusedError."""
    zone = said.timezone or (table.format.zone if table.format else None) or UTC
    moments = table.times.read(zone, said.date_order)
    lines = table.lines
    unreadable = table.unreadable + [
        (int(lines[row]), f"{table.time_name}: {reason}") for row, reason in moments.reasons.items()
    ]
    rows = np.flatnonzero(moments.utc != times.UNREADABLE)
    if not len(rows):
        raise FileRefusedError(table.path, f"no row has a time; the first: {_first(unreadable)}")
    if times.newest_first(moments.utc[rows]):
        rows = rows[::-1]
    notes = [*table.notes, *_notes_of_times(table, moments, zone)]
    prices = points.scaled(table.path, table.prices, symbol, said.price_scale)
    prices, mended = levels.without_noise(prices)
    try:
        volume = volumes.base_volume(table.volumes, symbol, prices)
    except volumes.UnclearVolumeError as error:
        raise FileRefusedError(table.path, str(error)) from error
    if mended:
        notes.append(f"{mended} highs or lows mended by the noise of a float")
    open_times, timeframe, notes_of_lengths = _open_times(table, moments, rows, said)
    raw = RawCandles(
        open_times,
        prices["open"][rows],
        prices["high"][rows],
        prices["low"][rows],
        prices["close"][rows],
        volume.base[rows],
    )
    told = ~_not_traded(table, rows, prices)
    if not told.all():
        notes.append(f"{int((~told).sum())} rows without prices: no trade")
    bad = {row: cell for row, cell in table.bad_volumes.items() if np.isnan(volume.base[row])} | dict(
        table.bad
    )
    odd = {int(lines[row]): f"{name} {cell.strip()!r} is no number" for row, (name, cell) in bad.items()}
    if (rows[:1] > rows[-1:]).any():
        notes.append("newest first: reversed")
    return CandleFile(
        table.path,
        table.symbol,
        timeframe,
        table.format,
        raw if told.all() else raw.take(told),
        lines[rows][told],
        volume.swapped[rows][told],
        sorted(unreadable),
        odd,
        open_times[~told],
        [*notes, *notes_of_lengths, *volume.notes],
    )


def _open_times(
    table: Table, moments: times.Moments, rows: npt.NDArray[np.intp], said: Reading
) -> tuple[TimeArray, Timeframe, list[str]]:
    """When the bars of these rows opened, how long they are, and notes."""
    utc, wall = moments.utc[rows], moments.wall[rows]
    named = spacing.named_timeframe(table.path, table.format)
    before = closes.last_moment(utc)
    are_closes = said.closes or before > 0 or table.time_name in CLOSES
    utc, wall = utc + before, wall + before
    days = closes.are_local_days(utc, wall) and (said.timeframe or named or Timeframe.D1) is Timeframe.D1
    if days and closes.rests_at_weekends(wall - (closes.DAY_MS if are_closes else 0)):
        timeframe, notes = spacing.timeframe_of(table.path, wall, said.timeframe, named)
        utc = wall
        notes = [*notes, "days begin at a local midnight: each is stored under its date"]
    else:
        timeframe, notes = spacing.timeframe_of(table.path, utc, said.timeframe, named)
    if are_closes:
        utc = utc - timeframe.milliseconds
        notes = [*notes, f"{table.time_name} tells the close: a bar opens {timeframe} earlier"]
    return utc, timeframe, notes


def _not_traded(
    table: Table, rows: npt.NDArray[np.intp], prices: dict[str, FloatArray]
) -> npt.NDArray[np.bool_]:
    """Rows in which all four prices are absent, and not merely unreadable, and nothing was traded."""
    absent = np.logical_and.reduce([np.isnan(column) for column in prices.values()])
    for _, column in table.volumes:
        absent &= ~(np.nan_to_num(column) > 0)
    absent[list(table.bad)] = False
    return absent[rows]


def _notes_of_times(table: Table, moments: times.Moments, zone: ZoneInfo) -> list[str]:
    notes = []
    if table.format:
        notes.append(f"format {table.format.name}")
    doubtful = int(moments.doubtful.sum())
    if doubtful:
        notes.append(f"{doubtful} bars of an hour that comes twice in {zone}, told once: taken for the first")
    return notes


def _first(unreadable: list[tuple[int, str]]) -> str:
    return f"line {unreadable[0][0]}: {unreadable[0][1]}" if unreadable else "it has none"
