"""Candles as the engine sees them: columns of closed bars, checked once and then immutable."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
TimeArray = npt.NDArray[np.int64]


class _Remembers:
    """Room for what is found out about candles once."""

    __slots__ = ("_price_range",)


@dataclass(frozen=True, slots=True, eq=False)
class OHLCV(_Remembers):
    """Closed bars of one instrument and timeframe, oldest first; six 1-D columns of equal length.

    `open_time` is int64 UTC milliseconds, the rest float64. Lists, other number types and writeable
    arrays are copied, so that the columns are read-only and the caller's arrays stay his own.
    Raises ValueError, naming the row, on unequal length, wrong shape, unsorted or duplicate
    open_time, non-finite numbers and high < low. An open or close outside [low, high] and a price at
    or below zero are accepted here: feeds (and spreads) have them, arithmetic survives them, and
    whether they are believable is judged by `quality.inspect` before a window is built and by
    `strategy.require_window` before it is traded on. Gaps are allowed.
    """

    open_time: TimeArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "open_time", _times(self.open_time))
        for name in ("open", "high", "low", "close", "volume"):
            object.__setattr__(self, name, _numbers(name, getattr(self, name)))
        self._check_lengths()
        self._check_order()
        self._check_values()
        for column in fields(self):
            getattr(self, column.name).setflags(write=False)

    def __len__(self) -> int:
        return len(self.open_time)

    def __getitem__(self, rows: slice) -> "OHLCV":
        """The bars of a slice, e.g. `candles[-500:]`."""
        return OHLCV(*(getattr(self, column.name)[rows] for column in fields(self)))

    @property
    def price_range(self) -> tuple[float, float]:
        """The lowest low, open or close and the highest high; ValueError without candles."""
        found: tuple[float, float] | None = getattr(self, "_price_range", None)
        if found is None:
            lowest = min(float(each.min()) for each in (self.low, self.open, self.close))
            found = lowest, float(self.high.max())
            object.__setattr__(self, "_price_range", found)
        return found

    def _check_lengths(self) -> None:
        lengths = {column.name: len(getattr(self, column.name)) for column in fields(self)}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns differ in length: {lengths}")

    def _check_order(self) -> None:
        steps = np.diff(self.open_time)
        if (steps > 0).all():
            return
        row = int(np.argmax(steps <= 0)) + 1
        found = int(self.open_time[row])
        if steps[row - 1] == 0:
            raise ValueError(f"row {row}: duplicate open_time {found}")
        raise ValueError(
            f"row {row}: open_time {found} is before row {row - 1} "
            f"({int(self.open_time[row - 1])}); bars must be oldest first"
        )

    def _check_values(self) -> None:
        for name in ("open", "high", "low", "close", "volume"):
            finite = np.isfinite(getattr(self, name))
            if not finite.all():
                row = int(np.argmin(finite))
                raise ValueError(f"row {row}: {name} is {getattr(self, name)[row]}, not a finite number")
        inverted = self.high < self.low
        if inverted.any():
            row = int(np.argmax(inverted))
            raise ValueError(f"row {row}: high {self.high[row]} is below low {self.low[row]}")


def _times(raw: npt.ArrayLike) -> TimeArray:
    column = _column("open_time", raw)
    if column.dtype.kind == "f":
        whole = np.isfinite(column) & (np.floor(column) == column)
        if not whole.all():
            row = int(np.argmin(whole))
            raise ValueError(f"row {row}: open_time {column[row]} is not a whole number of UTC milliseconds")
    return np.array(column, dtype=np.int64)


def _numbers(name: str, raw: npt.ArrayLike) -> FloatArray:
    return np.array(_column(name, raw), dtype=np.float64)


def _column(name: str, raw: npt.ArrayLike) -> npt.NDArray[np.generic]:
    column = np.asarray(raw)
    if column.ndim != 1:
        raise ValueError(f"{name} must be 1-D, not {column.ndim}-D")
    if column.dtype.kind not in "iuf":
        raise ValueError(f"{name} must hold numbers, not {column.dtype}")
    return column
