"""Judging raw bars before they become candles: what is refused, what is only flagged, and why.

Refused (not in the clean output), by the first of these that holds for a bar: not finite, a price at
or below zero, high below low, open or close outside [low, high], negative volume, an open time that is
no multiple of the timeframe, a bar from the future, a bar that has not closed yet. Of bars with one
open time, equal ones collapse to one; where they differ nobody can tell which is right, so all are
refused and the hole shows as a gap to be fetched again.
Flagged (kept): bars that came out of order (sorted), gaps, bars without any trade.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from signals.engine.candle import OHLCV, FloatArray, TimeArray
from signals.engine.quality_kind import QualityAction, QualityKind
from signals.engine.timeframe import Timeframe

Mask = npt.NDArray[np.bool_]
_LAST_CALENDAR_DAY = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z


@dataclass(frozen=True, slots=True)
class QualityIssue:
    """What is wrong with the bar that opens at `open_time` (UTC ms); of a gap, its first missing bar."""

    kind: QualityKind
    open_time: int
    action: QualityAction
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class RawCandles:
    """Columns as they came, in any order and condition; ValueError only on unequal length or shape."""

    open_time: TimeArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    def __post_init__(self) -> None:
        for column in fields(self):
            dtype = np.int64 if column.name == "open_time" else np.float64
            object.__setattr__(self, column.name, np.array(getattr(self, column.name), dtype=dtype))
        shapes = {column.name: getattr(self, column.name).shape for column in fields(self)}
        if len(set(shapes.values())) > 1 or self.open_time.ndim != 1:
            raise ValueError(f"columns must be 1-D and of equal length, not {shapes}")

    def __len__(self) -> int:
        return len(self.open_time)

    def take(self, rows: npt.NDArray[np.intp] | Mask) -> "RawCandles":
        return RawCandles(*(getattr(self, column.name)[rows] for column in fields(self)))

    def values(self) -> FloatArray:
        """The five number columns side by side, shape (rows, 5)."""
        return np.column_stack((self.open, self.high, self.low, self.close, self.volume))


def inspect(raw: RawCandles, timeframe: Timeframe, as_of: int) -> tuple[OHLCV, list[QualityIssue]]:
    """The usable bars, oldest first, and every issue ordered by open time and kind. `as_of` is UTC ms."""
    believable, refused = _refuse(raw, timeframe, as_of)
    ordered, disorder = _sort(believable)
    single, repeated = _collapse(ordered)
    issues = [*refused, *disorder, *repeated, *_gaps(single, timeframe), *_without_trades(single)]
    clean = OHLCV(*(getattr(single, column.name) for column in fields(single)))
    return clean, sorted(issues, key=lambda issue: (issue.open_time, issue.kind))


def _refuse(raw: RawCandles, timeframe: Timeframe, as_of: int) -> tuple[RawCandles, list[QualityIssue]]:
    usable = np.ones(len(raw), dtype=bool)
    issues = []
    for kind, bad in _defects(raw, timeframe, as_of):
        for row in np.flatnonzero(bad & usable):
            detail = _bar(raw, int(row), timeframe, as_of, kind)
            issues.append(QualityIssue(kind, int(raw.open_time[row]), QualityAction.REFUSED, detail))
        usable &= ~bad
    return raw.take(usable), issues


def _defects(raw: RawCandles, timeframe: Timeframe, as_of: int) -> Iterator[tuple[QualityKind, Mask]]:
    lowest = np.minimum.reduce((raw.open, raw.high, raw.low, raw.close))
    body_low, body_high = np.minimum(raw.open, raw.close), np.maximum(raw.open, raw.close)
    numbers = (raw.open, raw.high, raw.low, raw.close, raw.volume)
    yield QualityKind.NOT_FINITE, ~np.logical_and.reduce([np.isfinite(column) for column in numbers])
    yield QualityKind.NON_POSITIVE_PRICE, lowest <= 0
    yield QualityKind.HIGH_BELOW_LOW, raw.high < raw.low
    yield QualityKind.OPEN_CLOSE_OUTSIDE_RANGE, (body_high > raw.high) | (body_low < raw.low)
    yield QualityKind.NEGATIVE_VOLUME, raw.volume < 0
    yield QualityKind.MISALIGNED, raw.open_time % timeframe.milliseconds != 0
    yield QualityKind.FUTURE, raw.open_time >= as_of
    yield QualityKind.UNFINISHED, raw.open_time > as_of - timeframe.milliseconds


def _bar(raw: RawCandles, row: int, timeframe: Timeframe, as_of: int, kind: QualityKind) -> str:
    if kind is QualityKind.MISALIGNED:
        return f"opens at {_instant(int(raw.open_time[row]))}, which is no start of a {timeframe} bar"
    if kind in (QualityKind.FUTURE, QualityKind.UNFINISHED):
        closes = _instant(timeframe.close_time(int(raw.open_time[row])))
        return f"closes at {closes}, after {_instant(as_of)}"
    names = ("open", "high", "low", "close", "volume")
    values = {name: getattr(raw, name)[row] for name in names}
    return ", ".join(f"{name} {'missing' if np.isnan(each) else each}" for name, each in values.items())


def _sort(raw: RawCandles) -> tuple[RawCandles, list[QualityIssue]]:
    """Oldest first; one issue for the whole batch, since a newest-first file would give one per bar."""
    if len(raw) == 0:
        return raw, []
    late = np.flatnonzero(raw.open_time < np.maximum.accumulate(raw.open_time))
    if len(late) == 0:
        return raw, []
    detail = f"{len(late)} of {len(raw)} bars came after a newer one and were sorted"
    issue = QualityIssue(QualityKind.OUT_OF_ORDER, int(raw.open_time[late[0]]), QualityAction.FLAGGED, detail)
    return raw.take(np.argsort(raw.open_time, kind="stable")), [issue]


def _collapse(raw: RawCandles) -> tuple[RawCandles, list[QualityIssue]]:
    if len(raw) == 0:
        return raw, []
    _, first, group, count = np.unique(
        raw.open_time, return_index=True, return_inverse=True, return_counts=True
    )
    if len(first) == len(raw):
        return raw, []
    values = raw.values()
    differs = (values != values[first][group]).any(axis=1)
    conflicting = np.bincount(group, weights=differs, minlength=len(first)) > 0
    issues = []
    for place in np.flatnonzero(count > 1):
        kind, detail = QualityKind.DUPLICATE, f"came {count[place]} times with equal numbers; one was kept"
        if conflicting[place]:
            kind = QualityKind.CONFLICTING_DUPLICATE
            detail = f"came {count[place]} times with different numbers; none can be believed"
        open_time = int(raw.open_time[first[place]])
        issues.append(QualityIssue(kind, open_time, QualityAction.REFUSED, detail))
    return raw.take(first[~conflicting]), issues


def _gaps(raw: RawCandles, timeframe: Timeframe) -> Iterator[QualityIssue]:
    missing = np.diff(raw.open_time) // timeframe.milliseconds - 1
    for row in np.flatnonzero(missing > 0):
        first_missing = timeframe.close_time(int(raw.open_time[row]))
        bars = "1 bar is" if missing[row] == 1 else f"{missing[row]} bars are"
        detail = f"{bars} missing before {_instant(int(raw.open_time[row + 1]))}"
        yield QualityIssue(QualityKind.GAP, first_missing, QualityAction.FLAGGED, detail)


def _without_trades(raw: RawCandles) -> Iterator[QualityIssue]:
    for row in np.flatnonzero((raw.high == raw.low) & (raw.volume == 0)):
        detail = f"flat at {raw.close[row]} with zero volume"
        yield QualityIssue(QualityKind.NO_TRADES, int(raw.open_time[row]), QualityAction.FLAGGED, detail)


def _instant(moment: int) -> str:
    """In words where a calendar reaches; a time in the wrong unit may lie far beyond year 9999."""
    if abs(moment) > _LAST_CALENDAR_DAY:
        return f"{moment} ms"
    return f"{np.datetime64(moment, 'ms')}Z"
