"""A column of times: numbers since the epoch in any unit, and text in one column or in two."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from signals.engine.candle import TimeArray
from signals.market.providers.candle_file.clock_words import (
    DAY_MS,
    DateOrder,
    clock,
    day_number,
    order_of,
    split,
    split_alike,
)
from signals.market.providers.candle_file.local_time import to_utc
from signals.market.providers.candle_file.numbers import is_plain

UNREADABLE = -1
# Below each bound a number since the epoch can only be of that unit: the bounds are the year 1973 and later.
UNITS = ((1e8, 0.0), (1e11, 1e3), (1e14, 1.0), (1e17, 1e-3), (1e20, 1e-6))
# A float holds no nanoseconds since 1970: the last of a bar would be the first of the next.
BEYOND_A_FLOAT = 1e17
NANOSECONDS = 1_000_000
LONGEST_NUMBER = 20
# Numbers that spell a date: 20240102, 202401021700, 20240102170000.
SPELLED = ((1.97e7, 2.1e7), (1.97e11, 2.1e11), (1.97e13, 2.1e13))


@dataclass(frozen=True, eq=False)
class Moments:
    """By row: UTC ms and the local ms as written, both UNREADABLE where there is no time; and what was odd."""

    utc: TimeArray
    wall: TimeArray
    reasons: dict[int, str]
    doubtful: npt.NDArray[np.bool_]


@dataclass(eq=False)
class TimeColumn:
    """Blocks of cells become numbers, or codes of the few dates and times of day that a column holds."""

    _moments: list[TimeArray] = field(default_factory=list)
    _codes: list[npt.NDArray[np.int32]] = field(default_factory=list)
    _dates: dict[str, int] = field(default_factory=dict)
    _clocks: dict[str, int] = field(default_factory=dict)

    def add(self, cells: Sequence[str]) -> None:
        """A block of one column, in which numbers and text may be mixed."""
        if alike := split_alike(cells):
            self._add_text(*alike)
            return
        values = np.array(_numbers(cells), dtype=np.float64)
        moments = _since_epoch(values)
        for row in np.flatnonzero(values >= BEYOND_A_FLOAT).tolist():
            if (text := cells[row].strip()).isdigit() and len(text) < LONGEST_NUMBER:
                moments[row] = int(text) // NANOSECONDS
        moments[_spelled(values)] = UNREADABLE
        rows = np.flatnonzero(moments == UNREADABLE).tolist()
        parts = [split(cells[row]) for row in rows]
        self._add(moments, rows, [day for day, _ in parts], [time for _, time in parts])

    def add_pairs(self, dates: Sequence[str], clocks: Sequence[str]) -> None:
        """A block of two columns, the day and the time of day."""
        self._add_text(list(map(str.strip, dates)), list(map(str.strip, clocks)))

    def add_utc(self, moments: TimeArray) -> None:
        """A block of UTC ms."""
        self._add(moments, [])

    def _add_text(self, days: list[str], clocks: list[str]) -> None:
        self._add(np.full(len(days), UNREADABLE, dtype=np.int64), range(len(days)), days, clocks)

    def _add(
        self, moments: TimeArray, rows: Sequence[int], days: Sequence[str] = (), clocks: Sequence[str] = ()
    ) -> None:
        codes = np.full((len(moments), 2), -1, dtype=np.int32)
        if rows:
            codes[rows, 0], codes[rows, 1] = _coded(days, self._dates), _coded(clocks, self._clocks)
        self._moments.append(moments)
        self._codes.append(codes)

    def read(self, zone: ZoneInfo, order: DateOrder | None) -> Moments:
        """`zone` is of times that name no offset; `order` of day and month where the user said it."""
        utc = np.concatenate([np.empty(0, dtype=np.int64), *self._moments])
        codes = np.concatenate([np.empty((0, 2), dtype=np.int32), *self._codes])
        rows = np.flatnonzero(codes[:, 0] >= 0)
        days, clocks = self._days(order), self._clock_table()
        day, clock_row = days.values[codes[rows, 0]], clocks.values[codes[rows, 1]]
        local, offset, named = day + clock_row[:, 0], clock_row[:, 1], clock_row[:, 2] != 0
        broken = (day < 0) | (clock_row[:, 0] < 0)
        moments, gone, doubtful = local - offset, np.zeros(len(rows), bool), np.zeros(len(rows), bool)
        unnamed = np.flatnonzero(~named & ~broken)
        if len(unnamed):
            in_order = unnamed[::-1] if newest_first(local[unnamed]) else unnamed
            moments[in_order], gone[in_order], doubtful[in_order] = to_utc(local[in_order], zone)
        lost = broken | gone | (moments < 0)
        wall = utc.copy()
        wall[rows], utc[rows] = np.where(lost, UNREADABLE, local), np.where(lost, UNREADABLE, moments)
        reasons = {}
        dates, clock_texts = list(self._dates), list(self._clocks)
        for place in np.flatnonzero(lost):
            day_code, clock_code = (int(code) for code in codes[rows[place]])
            text = f"{dates[day_code]} {clock_texts[clock_code]}".strip()
            unknown = f"{text!r} does not exist in {zone}" if gone[place] else f"{text!r} is before 1970"
            reasons[int(rows[place])] = (
                days.reasons.get(day_code) or clocks.reasons.get(clock_code) or unknown
            )
        for row in np.flatnonzero((codes[:, 0] < 0) & (utc < 0)).tolist():
            wall[row], utc[row], reasons[row] = UNREADABLE, UNREADABLE, "no time, or one before 1970"
        everywhere = np.zeros(len(utc), dtype=np.bool_)
        everywhere[rows] = doubtful & ~lost
        return Moments(utc, wall, reasons, everywhere)

    def _days(self, order: DateOrder | None) -> "_Words":
        """Each different date as ms since the epoch, by its code; one that shows the order shows it for all."""
        order = order or next(filter(None, map(order_of, self._dates)), None)
        words = _Words(np.full(len(self._dates) + 1, UNREADABLE, dtype=np.int64), {})
        for text, code in self._dates.items():
            try:
                words.values[code] = day_number(text, order) * DAY_MS
            except ValueError as error:
                words.reasons[code] = _reason(text, error)
        return words

    def _clock_table(self) -> "_Words":
        """Each different time of day as (ms, offset in ms, whether it names the offset), by its code."""
        digits = max((len(text) for text in self._clocks if text.isdigit()), default=0)
        words = _Words(np.zeros((len(self._clocks) + 1, 3), dtype=np.int64), {})
        for text, code in self._clocks.items():
            try:
                read = clock(text, digits)
            except ValueError as error:
                words.values[code, 0], words.reasons[code] = UNREADABLE, str(error)
                continue
            words.values[code] = (read.milliseconds, read.offset or 0, read.offset is not None)
        return words


@dataclass(frozen=True, eq=False)
class _Words:
    """What different texts mean, by code, and why some mean nothing."""

    values: npt.NDArray[np.int64]
    reasons: dict[int, str]


def _coded(texts: Sequence[str], known: dict[str, int]) -> list[int]:
    """The code of each text; `known` learns those that are new."""
    for text in dict.fromkeys(texts):
        known.setdefault(text, len(known))
    return list(map(known.__getitem__, texts))


def newest_first(open_times: TimeArray) -> bool:
    """Whether most rows are older than the row before: real files are not always strict about it."""
    steps = np.diff(open_times)
    return int((steps < 0).sum()) > int((steps > 0).sum())


def is_time(cell: str) -> bool:
    """Whether a cell alone names a moment, with or without a time of day, whichever way round day and month stand."""
    try:
        value = np.array([float(cell)])
    except ValueError:
        return is_day(cell)
    return (not _spelled(value)[0] and int(_since_epoch(value)[0]) != UNREADABLE) or is_day(cell)


def is_day(cell: str) -> bool:
    """Whether a cell spells a day of the calendar, with or without a time of day."""
    day, time = split(cell)
    for order in DateOrder:
        try:
            day_number(day, order)
            clock(time, len(time))
        except ValueError:
            continue
        return True
    return False


def _numbers(cells: Sequence[str]) -> list[float]:
    if is_plain("".join(cells)):
        with suppress(ValueError):
            return list(map(float, cells))
    return list(map(_number, cells))


def _number(cell: str) -> float:
    return float(cell) if is_plain(cell) and cell.strip().replace(".", "", 1).isdigit() else float("nan")


def _since_epoch(values: npt.NDArray[np.float64]) -> TimeArray:
    factors = np.zeros(len(values))
    for bound, factor in reversed(UNITS):
        factors[values < bound] = factor
    usable = (values > 0) & (factors > 0)
    scaled = np.where(usable, values, 0.0) * factors
    # The last microsecond of a bar is not the first of the next.
    moments = np.where(factors < 1, np.floor(scaled), np.rint(scaled))
    return np.where(usable, moments, UNREADABLE).astype(np.int64)


def _spelled(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    spelled = np.zeros(len(values), dtype=np.bool_)
    for lowest, highest in SPELLED:
        spelled |= (values >= lowest) & (values < highest)
    return spelled


def _reason(text: str, error: ValueError) -> str:
    try:
        number = float(text)
    except ValueError:
        return str(error)
    if not isfinite(number):
        return str(error)
    if 20_000 < number < 80_000:
        return f"{text!r} looks like a day number of a spreadsheet: write it as a date, e.g. 2024-01-02"
    return f"{text!r} is neither seconds nor a finer unit since 1970"
