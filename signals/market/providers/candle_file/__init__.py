"""Candles from files: CSV (also .gz) and Parquet, with the quirks that published files have."""

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from signals.engine.quality import RawCandles
from signals.market.providers.candle_file import columns, points, times, volumes
from signals.market.providers.candle_file.error import FileRefusedError
from signals.market.providers.candle_file.table import load_table

__all__ = ["CandleFile", "FileRefusedError", "candle_files", "read_candle_file"]

SUFFIXES = (".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True, eq=False)
class CandleFile:
    """What a file holds, oldest first; `lines` are the bars' line numbers (of Parquet: row numbers, from 1).

    `swapped` marks bars whose two volumes stood in each other's column; here they are right.
    `unreadable` are (line, reason) of rows that gave no bar, `notes` say what had to be understood.
    """

    path: Path
    symbol: str | None
    candles: RawCandles
    lines: npt.NDArray[np.int64]
    swapped: npt.NDArray[np.bool_]
    unreadable: list[tuple[int, str]]
    notes: list[str]


def candle_files(path: Path) -> list[Path]:
    """The file itself, or all candle files below a folder. Raises FileRefusedError when there are none."""
    if path.is_file():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.name.lower().endswith(SUFFIXES))
    if not found:
        raise FileRefusedError(path, f"no such file, or a folder without {', '.join(SUFFIXES)}")
    return found


def read_candle_file(
    path: Path, *, symbol: str | None, price_scale: float | None, timezone: ZoneInfo
) -> CandleFile:
    """Read and understand one file. `timezone` holds for times that name none.

    Raises FileRefusedError when the file as a whole cannot be trusted.
    """
    table = load_table(path)
    own_symbol = columns.symbol_in(table)
    open_times, unreadable = times.open_times(table, timezone)
    readable = open_times >= 0
    prices = {name: columns.numbers(table, name)[readable] for name in columns.PRICES}
    prices = points.scaled(table.path, prices, own_symbol or symbol, price_scale)
    volume, swapped, notes = volumes.base_volume(table, own_symbol or symbol, readable, prices)
    raw = RawCandles(
        open_times[readable], prices["open"], prices["high"], prices["low"], prices["close"], volume
    )
    order = slice(None, None, -1) if newest_first(raw.open_time) else slice(None)
    if order.step:
        notes.append("newest first: reversed")
    rows = np.arange(len(raw))[order]
    return CandleFile(
        path, own_symbol, raw.take(rows), table.lines[readable][rows], swapped[rows], unreadable, notes
    )


def newest_first(open_times: npt.NDArray[np.int64]) -> bool:
    """Whether most rows are older than the row before: real files are not always strict about it."""
    steps = np.diff(open_times)
    return int((steps < 0).sum()) > int((steps > 0).sum())
