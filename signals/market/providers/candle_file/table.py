"""A file as named columns, whatever stands before the header."""

import csv
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet

from signals.market.providers.candle_file.error import FileRefusedError

HEADER_SEARCH_LINES = 20
DELIMITERS = ",;\t"
PRICE_NAMES = {"open", "high", "low", "close"}


@dataclass(frozen=True, eq=False)
class Table:
    """Columns by normalised name (`Volume BTC` is `volume_btc`), cells as they came, and each row's line number."""

    path: Path
    columns: dict[str, list[Any]]
    lines: npt.NDArray[np.int64]
    unreadable: list[tuple[int, str]] = field(default_factory=list)


def load_table(path: Path) -> Table:
    """Raises FileRefusedError for what is neither a CSV with a header nor Parquet, or has no row."""
    try:
        table = _load_parquet(path) if path.suffix.lower() == ".parquet" else _load_csv(path)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise FileRefusedError(path, f"cannot be read as Parquet or CSV: {error}") from error
    if not len(table.lines):
        raise FileRefusedError(path, "holds no row below its header")
    return table


def normalised(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _load_parquet(path: Path) -> Table:
    loaded = pyarrow.parquet.read_table(path)
    columns = {normalised(name): loaded[name].to_pylist() for name in loaded.column_names}
    if missing := PRICE_NAMES - set(columns):
        raise FileRefusedError(
            path, f"no column {', '.join(sorted(missing))} (there are {', '.join(columns)})"
        )
    return Table(path, columns, np.arange(1, loaded.num_rows + 1))


def _load_csv(path: Path) -> Table:
    lines = _text_of(path).splitlines()
    header_line, names, delimiter = _header(path, lines)
    rows, numbers, unreadable = [], [], []
    for number, cells in _rows(lines, header_line, delimiter):
        if len(cells) == len(names):
            rows.append(cells)
            numbers.append(number)
        else:
            unreadable.append((number, f"{len(cells)} cells where the header has {len(names)}"))
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)) if rows else {}
    return Table(path, columns, np.array(numbers, dtype=np.int64), unreadable)


def _text_of(path: Path) -> str:
    if path.suffix.lower() == ".gz":
        with gzip.open(path, "rt", encoding="utf-8-sig") as stream:
            return stream.read()
    return path.read_text(encoding="utf-8-sig")


def _header(path: Path, lines: list[str]) -> tuple[int, list[str], str]:
    """Index, normalised names and delimiter of the first line that names the four prices."""
    for index, line in enumerate(lines[:HEADER_SEARCH_LINES]):
        for delimiter in DELIMITERS:
            names = [normalised(name) for name in next(csv.reader([line], delimiter=delimiter), [])]
            if set(names) >= PRICE_NAMES:
                return index, names, delimiter
    raise FileRefusedError(
        path, f"no header with open, high, low and close in the first {HEADER_SEARCH_LINES} lines", line=1
    )


def _rows(lines: list[str], header_line: int, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines[header_line + 1 :], header_line + 2):
        if line.strip():
            yield number, next(csv.reader([line], delimiter=delimiter))
