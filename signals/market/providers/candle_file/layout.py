"""Where a text file's rows begin, what separates their cells and what each column is."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import methodcaller
from pathlib import Path

from signals.market.providers.candle_file import columns
from signals.market.providers.candle_file.error import FileRefusedError
from signals.market.providers.candle_file.file_format import FileFormat
from signals.market.providers.candle_file.formats import FORMATS, yfinance
from signals.market.providers.candle_file.numbers import (
    Decimal,
    MixedDecimalsError,
    bare,
    decimal_of,
    number,
)
from signals.market.providers.candle_file.reading import Reading
from signals.market.providers.candle_file.times import is_day, is_time

HEADER_SEARCH_LINES = 20
SAMPLE_LINES = 400
DELIMITERS = ",;\t|"
FEWEST_CELLS = 5
FEWEST_NAMES = 3
CLOCK_CELL = re.compile(r"\d{1,2}:\d{2}.*|\d{1,6}|\d{1,2}\s*-?\s*[AaPp][Mm]")


@dataclass(frozen=True)
class Layout:
    """`names` are canonical, by position; `first_row` is the number of lines before the rows.

    `times` holds the column of the time, or those of day and clock.
    """

    names: tuple[str, ...]
    delimiter: str
    first_row: int
    format: FileFormat | None
    symbol: str | None = None
    times: tuple[int, ...] = ()

    def positions(self, name: str) -> list[int]:
        return [place for place, found in enumerate(self.names) if found == name]


def find_layout(path: Path, lines: Sequence[str], said: Reading) -> Layout:
    """By the header or, where there is none, by what the first rows can only be. Raises FileRefusedError."""
    layout = _by_header(path, lines, said.format) or _without_header(path, lines, said)
    rows = [cells for cells in sample(lines, layout) if len(cells) == len(layout.names)]
    return layout if layout.times else replace(layout, times=_times(path, layout.names, rows))


def sample(lines: Sequence[str], layout: Layout) -> list[list[str]]:
    """The first rows, cut into cells."""
    return [cut(line, layout.delimiter) for line in lines[layout.first_row :] if line.strip()]


def cut(line: str, delimiter: str) -> list[str]:
    line = line.rstrip("\n")
    return next(csv.reader([line], delimiter=delimiter), []) if '"' in line else line.split(delimiter)


def cut_block(lines: list[str], delimiter: str) -> list[list[str]]:
    """Each line's cells. Lines with whole pairs of quotes are read together, a stray quote spoils its line only."""
    text = "".join(lines)
    if '"' not in text:
        return [line.rstrip("\n").split(delimiter) for line in lines]
    if all(line.count('"') % 2 == 0 for line in lines):
        return list(csv.reader(lines, delimiter=delimiter))
    return [cut(line, delimiter) for line in lines]


def cut_alike(lines: list[str], text: str, delimiter: str, width: int) -> list[list[str]] | None:
    """The columns of lines (`text` together) where all have `width` cells, no quotes and something in them.

    Most blocks of most files are such, and are cut at once rather than line by line. None for any other.
    """
    if '"' in text or set(map(methodcaller("count", delimiter), lines)) != {width - 1}:
        return None
    if "" in map(methodcaller("strip", f" \t\n{delimiter}"), lines):
        return None
    cells = text.removesuffix("\n").replace("\n", delimiter).split(delimiter)
    return [cells[place::width] for place in range(width)]


def _by_header(path: Path, lines: Sequence[str], said: FileFormat | None) -> Layout | None:
    for index, line in enumerate(lines[:HEADER_SEARCH_LINES]):
        for delimiter in DELIMITERS:
            names = columns.canonical(cut(line, delimiter))
            if not columns.missing_prices(names):
                return _headed(path, lines, Layout(tuple(names), delimiter, index + 1, said))
    return None


def _headed(path: Path, lines: Sequence[str], layout: Layout) -> Layout:
    """With yfinance's further rows of a header, and with the name that R and pandas leave out of it."""
    header = layout.first_row - 1
    names, first_row, tickers = layout.names, layout.first_row, None
    if header and len(above := cut(lines[header - 1], layout.delimiter)) == len(names):
        tickers = yfinance.read_tickers(above)
    for line in lines[layout.first_row : layout.first_row + 2]:
        cells = cut(line, layout.delimiter)
        if len(cells) != len(names):
            break
        if yfinance.is_index_name(cells):
            names, first_row = (columns.normalised(cells[0]), *names[1:]), first_row + 1
        elif first_row == layout.first_row and (found := yfinance.read_tickers(cells)):
            tickers, first_row = found, first_row + 1
    if tickers and len(tickers) > 1:
        raise FileRefusedError(path, f"holds several symbols ({', '.join(tickers[:4])}): split the file")
    if repeated := columns.repeated_price(names):
        raise FileRefusedError(path, f"has two columns named {repeated}", line=layout.first_row)
    rows = [cut(line, layout.delimiter) for line in lines[first_row:] if line.strip()]
    if _begins_unnamed(names, rows):
        names = ("", *names)
    known = layout.format or next(
        (form for form in FORMATS.values() if form.marks & set(names) or form.is_named(path.name)), None
    )
    return Layout(names, layout.delimiter, first_row, known, tickers[0] if tickers else None)


def _begins_unnamed(names: tuple[str, ...], rows: list[list[str]]) -> bool:
    """Whether the header leaves out the first column's name, so that all rows are one cell longer.

    Only if times stand where they must then stand: in that first column, or in the column that is named for them.
    """
    if not rows or any(len(cells) != len(names) + 1 or not cells[-1].strip() for cells in rows):
        return False
    named = [place + 1 for place in columns.time_positions(names) if not columns.is_unnamed(names[place])]
    place = named[0] if named else 0
    return all(is_time(cells[place]) for cells in rows[:50])


def _times(path: Path, names: tuple[str, ...], rows: list[list[str]]) -> tuple[int, ...]:
    pair = columns.day_and_clock(names)
    if pair and rows and all(_is_clock(cells[pair[1]]) for cells in rows):
        return pair
    places = columns.time_positions(names)
    readable = [place for place in places if rows and any(is_time(cells[place]) for cells in rows[:50])]
    named = [place for place in places if not columns.is_unnamed(names[place])]
    if not readable and not named:
        shown = ", ".join(columns.OPENINGS[:5])
        raise FileRefusedError(path, f"no time column: name one {shown}, date or the like")
    return ((readable or named)[0],)


def _is_clock(cell: str) -> bool:
    return CLOCK_CELL.fullmatch(cell.strip()) is not None


def _without_header(path: Path, lines: Sequence[str], said: Reading) -> Layout:
    if not said.format:
        _refuse_other_header(path, lines)
    fitting = list(_fitting(path, lines, said))
    if not fitting:
        raise FileRefusedError(path, _no_layout(lines, said.format), line=1)
    first, *others = fitting
    if any(_prices(other) != _prices(first) for other in others):
        each: dict[object, str] = {}
        for layout in fitting:
            each.setdefault(_prices(layout), layout.format.name if layout.format else "")
        names = " or ".join(each.values())
        raise FileRefusedError(path, f"has no header and may be of {names}: give --format", line=1)
    return first


def _refuse_other_header(path: Path, lines: Sequence[str]) -> None:
    """What the columns are must not be guessed from the rows where a header names prices, and not all four."""
    for index, (line, below) in enumerate(pairwise(lines[: HEADER_SEARCH_LINES + 1])):
        for delimiter in DELIMITERS:
            cells = cut(line, delimiter)
            if len(cells) < FEWEST_NAMES or len(cells) != len(cut(below, delimiter)):
                continue
            names = columns.canonical(cells)
            if columns.names_a_price(names) and not any(map(_is_numeric, cells)):
                missing = ", ".join(columns.missing_prices(names))
                shown = ", ".join(filter(None, names[:8]))
                raise FileRefusedError(path, f"no column {missing} (there are {shown})", line=index + 1)


def _is_numeric(cell: str) -> bool:
    return cell.strip()[:1].isdigit() or is_time(cell)


def _fitting(path: Path, lines: Sequence[str], said: Reading) -> Iterator[Layout]:
    """Each format's layout, in all ways of cutting the lines, that the first rows agree with."""
    wanted = [said.format] if said.format else list(FORMATS.values())
    wanted.sort(key=lambda form: not form.is_named(path.name))
    for delimiter in DELIMITERS:
        cut_lines = [cut(line, delimiter) for line in lines]
        start = next(
            (row for row, cells in enumerate(cut_lines[:HEADER_SEARCH_LINES]) if _is_row(cells)), None
        )
        if start is None:
            continue
        rows = [_without_empty_end(cells) for cells in cut_lines[start:] if any(map(str.strip, cells))]
        for form in wanted:
            names = form.layout(len(rows[0]))
            if names and _agrees(names, rows, said.decimal):
                width = len(cut_lines[start])
                padded = (*names, *("_" for _ in range(width - len(names))))
                times = (0, 1) if names[1] == "clock" else (0,)
                yield Layout(padded, delimiter, start, form, times=times)


def _is_row(cells: list[str]) -> bool:
    return len(cells) >= FEWEST_CELLS and is_time(cells[0]) and any(map(str.isdigit, cells[2]))


def _without_empty_end(cells: list[str]) -> list[str]:
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _agrees(names: tuple[str, ...], rows: list[list[str]], said: Decimal | None) -> bool:
    """Whether times are times, and highs and lows enclose opens and closes, in nearly all rows."""
    whole = [cells for cells in rows if len(cells) == len(names)]
    if len(whole) * 20 < len(rows) * 19:
        return False
    places = [names.index(price) for price in columns.PRICES]
    try:
        decimal = said or decimal_of(cells[place] for cells in whole for place in places) or Decimal.POINT
    except MixedDecimalsError:
        decimal = Decimal.POINT
    judged = sound = 0
    for cells in whole:
        prices = [number(bare(cells[place]), decimal) for place in places]
        in_two = names[1] == "clock"
        if not (is_day(cells[0]) and _is_clock(cells[1]) if in_two else is_time(cells[0])):
            judged += 1
        elif all(price is not None for price in prices):
            opened, high, low, close = (price or 0.0 for price in prices)
            judged += 1
            sound += low <= min(opened, close) and max(opened, close) <= high
    return sound > 0 and sound * 20 >= judged * 19


def _prices(layout: Layout) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What two layouts must agree on: where the times and the prices stand."""
    return layout.times, tuple(layout.names.index(price) for price in columns.PRICES)


def _no_layout(lines: Sequence[str], said: FileFormat | None) -> str:
    if said and said.layouts:
        cells = max((len(cut(line, delimiter)) for line in lines[-1:] for delimiter in DELIMITERS), default=0)
        widths = " or ".join(str(len(layout)) for layout in said.layouts)
        return f"is not what {said.name} writes: {cells} cells in a row, not {widths} that fit; try another --format"
    for line in lines[:HEADER_SEARCH_LINES]:
        if not columns.missing_prices(columns.canonical(line.split())):
            return "its cells are separated by spaces: write commas, semicolons or tabs between them"
    text = f"no header with open, high, low and close in the first {HEADER_SEARCH_LINES} lines"
    return f"{text}, and its rows are of no known format: add a header, or give --format"
