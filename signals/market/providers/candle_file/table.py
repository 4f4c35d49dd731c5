"""A file's rows as columns: times, numbers and symbols, and each row's line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray
from signals.market.providers.candle_file.error import FileRefusedError
from signals.market.providers.candle_file.file_format import FileFormat
from signals.market.providers.candle_file.times import TimeColumn

MOST_ROWS = 8_000_000  # fifteen years of minutes


@dataclass(frozen=True, eq=False)
class Table:
    """`volumes` are (normalised name, values) by position; `bad` is, by row, (column, cell) of a price
    that is no number, `bad_volumes` of a volume.

    `unreadable` are (line, reason) of rows that could not be cut into cells.
    """

    path: Path
    names: tuple[str, ...]
    time_name: str
    times: TimeColumn
    prices: Mapping[str, FloatArray]
    volumes: list[tuple[str, FloatArray]]
    lines: npt.NDArray[np.int64]
    symbol: str | None
    format: FileFormat | None
    bad: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    bad_volumes: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class SymbolColumn:
    """The one symbol that all rows name. FileRefusedError when there are several; empty cells are counted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, int] = {}
        self._empty = 0

    def add(self, cells: list[str], first_line: int) -> None:
        for cell in dict.fromkeys(cells):
            text = cell.strip()
            if not text or text.lower() in ("nan", "none", "null"):
                self._empty += cells.count(cell)
            else:
                self._found.setdefault(text, first_line + cells.index(cell))
        if len(self._found) > 1:
            shown = ", ".join(list(self._found)[:4])
            raise FileRefusedError(
                self._path,
                f"holds several symbols ({shown}): split the file",
                line=max(self._found.values()),
            )

    @property
    def symbol(self) -> str | None:
        return next(iter(self._found), None)

    def notes(self) -> list[str]:
        return [f"{self._empty} rows name no symbol"] if self._empty and self._found else []
