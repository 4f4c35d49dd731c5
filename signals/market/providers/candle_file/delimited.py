"""Text files: cut into cells a block at a time, so that a file of any length takes little memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from signals.market.providers.candle_file import columns
from signals.market.providers.candle_file.error import FileRefusedError
from signals.market.providers.candle_file.layout import (
    SAMPLE_LINES,
    Layout,
    cut_alike,
    cut_block,
    find_layout,
    sample,
)
from signals.market.providers.candle_file.numbers import (
    Decimal,
    MixedDecimalsError,
    NumberColumn,
    bad_cells,
    decimal_of,
)
from signals.market.providers.candle_file.reading import Reading
from signals.market.providers.candle_file.table import MOST_ROWS, SymbolColumn, Table
from signals.market.providers.candle_file.text import open_text
from signals.market.providers.candle_file.times import TimeColumn
from signals.market.providers.candle_file.volumes import candidates

BLOCK_LINES = 4_096
MOST_UNREADABLE = 100_000


def load_text(path: Path, said: Reading) -> Table:
    """Raises FileRefusedError for what is no table of candles."""
    try:
        return _load(path, said)
    except _CommaFoundLateError:
        return _load(path, replace(said, decimal=Decimal.COMMA))
    except MixedDecimalsError as error:
        raise FileRefusedError(path, str(error)) from error


class _CommaFoundLateError(Exception):
    """Only a later row shows that "1.234" above it is no fraction."""


def _load(path: Path, said: Reading) -> Table:
    with open_text(path) as stream:
        head = list(islice(stream, SAMPLE_LINES))
        if not any(map(str.strip, head)):
            raise FileRefusedError(path, "no header with open, high, low and close: it is empty", line=1)
        layout = find_layout(path, head, said)
        return _Rows(path, layout, _decimal(head, layout, said)).load(chain(head, stream))


def _decimal(head: list[str], layout: Layout, said: Reading) -> Decimal | None:
    """How the first rows write numbers, as far as they tell: a later comma may still decide."""
    if said.decimal:
        return said.decimal
    places = [layout.names.index(price) for price in columns.PRICES] + candidates(layout.names)
    rows = sample(head, layout)
    return decimal_of(cells[place] for cells in rows for place in places if place < len(cells))


class _Block(NamedTuple):
    """`columns` are the rows' cells, a column each; `lines` are where the rows stand in the file."""

    lines: np.ndarray
    columns: Sequence[Sequence[str]]


class _Rows:
    """Takes a file's lines and makes the columns of a table."""

    def __init__(self, path: Path, layout: Layout, decimal: Decimal | None) -> None:
        self._path = path
        self._layout = layout
        self._lines: list[np.ndarray] = []
        self._times = TimeColumn()
        self._prices = [NumberColumn(name, decimal) for name in columns.PRICES]
        self._volumes = [NumberColumn(layout.names[place], decimal) for place in candidates(layout.names)]
        self._symbols = SymbolColumn(path)
        self._unreadable: list[tuple[int, str]] = []
        self._count = 0

    def load(self, lines: Iterable[str]) -> Table:
        layout = self._layout
        stream = iter(lines)
        number = len(list(islice(stream, layout.first_row)))
        while block := list(islice(stream, BLOCK_LINES)):
            self._take(self._cut(block, number + 1))
            number += len(block)
        if not self._count:
            raise FileRefusedError(self._path, self._why_empty())
        self._agree_on_decimal()
        prices = {column.name: column.finished() for column in self._prices}
        volumes = [(column.name, column.finished()) for column in self._volumes]
        return Table(
            self._path,
            layout.names,
            layout.names[layout.times[0]],
            self._times,
            prices,
            volumes,
            np.concatenate(self._lines),
            self._symbols.symbol or layout.symbol,
            layout.format,
            bad_cells(self._prices),
            bad_cells(self._volumes),
            self._unreadable,
            self._symbols.notes(),
        )

    def _why_empty(self) -> str:
        if not self._unreadable:
            return "holds no row below its header"
        line, reason = self._unreadable[0]
        lost = f"{len(self._unreadable):,} rows do not" if self._count else "no row does"
        return f"{lost} fit its header; the first: line {line}: {reason}"

    def _agree_on_decimal(self) -> None:
        """What one column shows of commas holds for all."""
        every = [*self._prices, *self._volumes]
        decimal = decimal_of(chain.from_iterable(column.odd_cells() for column in every))
        if decimal is Decimal.COMMA:
            raise _CommaFoundLateError
        for column in every:
            column.set_decimal(decimal)

    def _cut(self, block: list[str], first: int) -> _Block:
        width, delimiter = len(self._layout.names), self._layout.delimiter
        text = "".join(block)
        if not text.strip():
            return _Block(np.empty(0, dtype=np.int64), [])
        if alike := cut_alike(block, text, delimiter, width):
            return _Block(np.arange(first, first + len(block)), alike)
        found = list(self._whole(cut_block(block, delimiter), first, width))
        return _Block(
            np.array([line for line, _ in found], dtype=np.int64),
            list(zip(*(cells for _, cells in found), strict=True)),
        )

    def _whole(self, rows: list[list[str]], first: int, width: int) -> Iterator[tuple[int, list[str]]]:
        """Rows of the header's width; empty cells beyond it do no harm, and empty lines are none."""
        for line, cells in enumerate(rows, first):
            if not any(map(str.strip, cells)):
                continue
            if len(cells) > width and not any(map(str.strip, cells[width:])):
                yield line, cells[:width]
            elif len(cells) != width:
                reason = f"{len(cells)} cells where the header has {width}"
                self._unreadable.append((line, reason))
                if len(self._unreadable) > MOST_UNREADABLE:
                    raise FileRefusedError(self._path, self._why_empty())
            else:
                yield line, cells

    def _take(self, block: _Block) -> None:
        if not len(block.lines):
            return
        self._count += len(block.lines)
        if self._count > MOST_ROWS:
            raise FileRefusedError(self._path, f"has more than {MOST_ROWS:,} rows: split the file")
        cells, names, times = block.columns, self._layout.names, self._layout.times
        self._lines.append(block.lines)
        if len(times) == 2:
            self._times.add_pairs(cells[times[0]], cells[times[1]])
        else:
            self._times.add(cells[times[0]])
        for column in self._prices:
            column.add(cells[names.index(column.name)])
        for column, place in zip(self._volumes, candidates(names), strict=True):
            column.add(cells[place])
        if (symbol_place := columns.symbol_position(names)) is not None:
            self._symbols.add(list(cells[symbol_place]), int(block.lines[0]))
