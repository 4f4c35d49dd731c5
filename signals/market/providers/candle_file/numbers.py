"""Columns of numbers as people write them: decimal commas, thousands separators, currency signs, K and M."""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

import numpy as np

from signals.engine.candle import FloatArray

ABSENT = frozenset({"", "-", "--", "nan", "null", "none", "nil", "n/a", "na", "#n/a", "nat", "<na>"})
DECORATION = re.compile(r"[\s'’\u00a0\u202f\udca0$€£¥₿]")
# A separator of thousands stands before each group of three digits, and no number begins with a zero group.
GROUPED = {
    ",": re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", re.ASCII),
    ".": re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?", re.ASCII),
}
UNGROUPED = {
    ".": re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII),
    ",": re.compile(r"[+-]?(?:\d+,?\d*|,\d+)(?:[eE][+-]?\d+)?", re.ASCII),
}
MULTIPLES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
MOST_ODD_CELLS = 500_000


class Decimal(StrEnum):
    """The sign before the decimals."""

    POINT = "point"
    COMMA = "comma"

    @property
    def sign(self) -> str:
        return "." if self is Decimal.POINT else ","

    @property
    def separator(self) -> str:
        return "," if self is Decimal.POINT else "."


# A block of cells all of which are numbers of this kind, one a line: most blocks are, and need no look at each cell.
WHOLE_BLOCK = {
    style: re.compile(rf"{one}(?:\n{one})*+", re.ASCII)
    for style in Decimal
    for one in (rf"[+-]?(?:[1-9]\d{{0,2}}(?:\{style.separator}\d{{3}})++|\d++)(?:\{style.sign}\d++)?",)
}


class MixedDecimalsError(ValueError):
    """Cells that cannot be of one way to write numbers, or that may be of two; the message shows them."""


def decimal_of(cells: Iterable[str]) -> Decimal | None:
    """How these numbers are written; None where no comma stands in any. Raises MixedDecimalsError."""
    possible = dict.fromkeys(Decimal, "")
    excluded: dict[Decimal, str] = {}
    comma = ""
    for cell in cells:
        text = bare(cell)
        readings = [style for style in Decimal if number(text, style) is not None]
        if not readings:
            continue
        if "," in text:
            comma = comma or cell
        for style in Decimal:
            if style not in readings and style in possible:
                del possible[style]
                excluded[style] = cell
    if not possible:
        shown = " and ".join(repr(cell.strip()) for cell in excluded.values())
        raise MixedDecimalsError(f"{shown} are not written in one way: give --decimal point or comma")
    if not comma:
        return Decimal.POINT if Decimal.COMMA not in possible else None
    if len(possible) > 1:
        as_comma, as_point = (number(bare(comma), style) for style in (Decimal.COMMA, Decimal.POINT))
        raise MixedDecimalsError(
            f"{comma.strip()!r} may be {as_comma:.12g} or {as_point:.12g}: give --decimal comma or point"
        )
    return next(iter(possible))


def bare(cell: str) -> str:
    """Without spaces, apostrophes, signs of a currency and the letter of a multiple."""
    text = DECORATION.sub("", cell)
    return text[:-1] if text[-1:].upper() in MULTIPLES else text


def is_plain(text: str) -> bool:
    """Whether `float` reads no more into it than a reader does: Python takes 1_000, and the digits of other scripts."""
    return text.isascii() and "_" not in text


def number(text: str, decimal: Decimal) -> float | None:
    """A bare number, or None when it is none in this way of writing."""
    if UNGROUPED[decimal.sign].fullmatch(text) or GROUPED[decimal.separator].fullmatch(text):
        return float(text.replace(decimal.separator, "").replace(",", "."))
    return None


class NumberColumn:
    """Cells become float64 block by block; those that plain `float` does not read wait for the end.

    `bad` holds, by row, the text of cells that are no number; these and absent ones are NaN.
    """

    def __init__(self, name: str, decimal: Decimal | None = None) -> None:
        self.name = name
        self.bad: dict[int, str] = {}
        self._decimal = decimal
        self._blocks: list[FloatArray] = []
        self._odd: dict[int, str] = {}
        self._rows = 0

    def add(self, cells: Sequence[str]) -> None:
        self.add_array(np.array(self._values(cells), dtype=np.float64))

    def add_array(self, values: FloatArray) -> None:
        self._blocks.append(values)
        self._rows += len(values)

    def finished(self) -> FloatArray:
        """All of it. Raises MixedDecimalsError when what is left cannot be read in one way."""
        values = np.concatenate(self._blocks) if self._blocks else np.empty(0)
        if self._odd:
            decimal = self._decimal or decimal_of(self._odd.values()) or Decimal.POINT
            for row, cell in self._odd.items():
                values[row] = self._read(row, cell, decimal)
        return values

    def odd_cells(self) -> Iterable[str]:
        return self._odd.values()

    def set_decimal(self, decimal: Decimal | None) -> None:
        self._decimal = self._decimal or decimal

    def _values(self, cells: Sequence[str]) -> list[float]:
        if self._decimal is not Decimal.COMMA:  # where "1.234" is no fraction
            try:
                values = list(map(float, cells))
            except ValueError:
                pass
            else:
                if is_plain("".join(cells)):
                    return values
        if self._decimal and WHOLE_BLOCK[self._decimal].fullmatch(text := "\n".join(cells)):
            plain = text.replace(self._decimal.separator, "").replace(",", ".")
            return list(map(float, plain.split("\n")))
        return [self._one(self._rows + row, cell) for row, cell in enumerate(cells)]

    def _one(self, row: int, cell: str) -> float:
        if self._decimal is not None:
            return self._read(row, cell, self._decimal)
        try:
            return float(cell if is_plain(cell) else "")
        except ValueError:
            if cell.strip().lower() in ABSENT:
                return float("nan")
            if len(self._odd) > MOST_ODD_CELLS:
                raise MixedDecimalsError(f"too many cells such as {cell!r} in {self.name}") from None
            self._odd[row] = cell
            return float("nan")

    def _read(self, row: int, cell: str, decimal: Decimal) -> float:
        if cell.strip().lower() in ABSENT:
            return float("nan")
        value = number(bare(cell), decimal)
        if value is None:
            self.bad[row] = cell
            return float("nan")
        return value * MULTIPLES.get(DECORATION.sub("", cell)[-1:].upper(), 1.0)


def bad_cells(columns: Iterable[NumberColumn]) -> dict[int, tuple[str, str]]:
    """By row, the name of a column and its cell that is no number."""
    return {row: (column.name, cell) for column in columns for row, cell in column.bad.items()}
