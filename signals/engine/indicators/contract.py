"""What every indicator checks before it computes, and how long a smoothing remembers its seed."""

import inspect
from math import ceil, isfinite, log
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import talib

from signals.engine.candle import FloatArray

# TA-Lib's own functions: what its package wraps around them looks for pandas and polars at every call.
ta_lib = SimpleNamespace(**{name: inspect.unwrap(getattr(talib, name)) for name in talib.get_functions()})

LONGEST_PERIOD = 100_000  # TA-Lib's own limit
_FORGOTTEN = 1e-8  # the seed may be off by a hundred deviations and still move nothing by 1e-6 of one


def check_period(name: str, period: int, minimum: int) -> None:
    """ValueError unless `period` is a whole number of bars that TA-Lib can take."""
    if not isinstance(period, (int, np.integer)) or isinstance(period, bool):
        raise ValueError(f"{name} must be a whole number of bars, not {period!r}")  # noqa: TRY004
    if not minimum <= period <= LONGEST_PERIOD:
        raise ValueError(f"{name} is {period}; it must be between {minimum} and {LONGEST_PERIOD}")


def check_multiple(name: str, value: float) -> None:
    """ValueError unless `value` is a finite number above zero, as the width of a band must be."""
    if not 0 < value < np.inf:
        raise ValueError(f"{name} is {value}; it must be a finite number above 0")


def column(name: str, values: npt.ArrayLike) -> FloatArray:
    """`values` as a contiguous 1-D float64 array without holes."""
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must be 1-D, not {array.ndim}-D")
    if isfinite(array.dot(array)):  # the usual case, at a third of the price of looking at each value
        return array
    finite = np.isfinite(array)
    if finite.all():
        return array
    start = int(np.argmax(finite)) if finite.any() else len(array)
    holes = ~finite
    holes[:start] = ~np.isnan(array[:start])
    if holes.any():
        row = int(np.argmax(holes))
        raise ValueError(f"{name} row {row} is {array[row]}: only leading NaN is allowed")
    return array


def columns(**named: npt.ArrayLike) -> tuple[FloatArray, ...]:
    """Several columns, checked to be of equal length."""
    arrays = tuple([column(name, values) for name, values in named.items()])
    if len(set(map(len, arrays))) > 1:
        lengths = {name: len(array) for name, array in zip(named, arrays, strict=True)}
        raise ValueError(f"columns differ in length: {lengths}")
    return arrays


def prices(**named: npt.ArrayLike) -> tuple[FloatArray, ...]:
    """Columns whose logarithm is taken: also ValueError on a price at or below zero."""
    arrays = columns(**named)
    for name, array in zip(named, arrays, strict=True):
        if (array <= 0).any():
            row = int(np.argmax(array <= 0))
            raise ValueError(f"{name} row {row} is {array[row]}: a logarithm needs prices above 0")
    return arrays


def rolling(values: FloatArray, period: int) -> FloatArray:
    """The last `period` values of each row, shape (rows, period); NaN before the first row."""
    if len(values) == 0:
        return np.empty((0, period))
    padded = np.concatenate((np.full(period - 1, np.nan), values))
    # The same view as sliding_window_view makes, which takes ten times as long over windows of 500 bars.
    windows: FloatArray = np.ndarray((len(values), period), np.float64, padded, 0, padded.strides * 2)
    windows.flags.writeable = False
    return windows


def shifted(values: FloatArray, bars: int) -> FloatArray:
    """Each row's value `bars` rows before; NaN where there is none."""
    moved = np.empty(len(values))
    moved[:bars] = np.nan
    moved[bars:] = values[: max(len(values) - bars, 0)]
    return moved


def exponential_memory(period: int) -> int:
    """Bars until an exponential mean, smoothing 2 / (period + 1), has forgotten its seed."""
    return _memory(period, 2 / (period + 1))


def wilder_memory(period: int) -> int:
    """Bars until Wilder's mean, smoothing 1 / period, has forgotten its seed."""
    return _memory(period, 1 / period)


def _memory(period: int, smoothing: float) -> int:
    if smoothing == 1:
        return period
    return period + ceil(log(_FORGOTTEN) / log(1 - smoothing))
