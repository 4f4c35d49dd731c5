"""Where price is going, and how surely."""

from math import floor, log10
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from signals.engine.candle import FloatArray
from signals.engine.indicators.contract import (
    check_multiple,
    check_period,
    column,
    columns,
    exponential_memory,
    shifted,
    ta_lib,
    wilder_memory,
)
from signals.engine.registry import row_wise

DIGITS = 12
MOST_STEPS = 308  # the largest power of ten that a float holds


class Macd(NamedTuple):
    """Three columns in units of price; `histogram` = `macd` - `signal`."""

    macd: FloatArray
    signal: FloatArray
    histogram: FloatArray


class Aroon(NamedTuple):
    """0 to 100: 100 when this bar is the highest (`up`) or the lowest (`down`) of the period."""

    up: FloatArray
    down: FloatArray


class Supertrend(NamedTuple):
    """`line` in units of price; `direction` 1 while price is above it, -1 below."""

    line: FloatArray
    direction: FloatArray


class Ichimoku(NamedTuple):
    """Four columns in units of price; the two leading ones as they stand at a row in a chart."""

    conversion: FloatArray
    base: FloatArray
    leading_a: FloatArray
    leading_b: FloatArray


@row_wise(warm_up=lambda period: period, period=20)
def sma(close: npt.ArrayLike, period: int) -> FloatArray:
    """Mean of the last `period` values; first value at row `period` - 1."""
    check_period("period", period, 1)
    result: FloatArray = ta_lib.SMA(column("close", close), timeperiod=period)
    return result


@row_wise(warm_up=exponential_memory, period=20)
def ema(close: npt.ArrayLike, period: int) -> FloatArray:
    """Exponential mean with smoothing 2 / (period + 1), seeded by the first `period` values' mean."""
    check_period("period", period, 1)
    result: FloatArray = ta_lib.EMA(column("close", close), timeperiod=period)
    return result


@row_wise(warm_up=lambda slow, signal: exponential_memory(max(slow, signal)) + 2 * min(slow, signal))
def macd(close: npt.ArrayLike, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd:
    """Fast minus slow exponential mean, and that line's own mean (Appel); first at row slow + signal - 2.

    ValueError also when `fast` is not below `slow` (TA-Lib would swap them in silence).
    """
    check_period("fast", fast, 2)
    check_period("slow", slow, 2)
    check_period("signal", signal, 1)
    if fast >= slow:
        raise ValueError(f"fast ({fast}) must be below slow ({slow})")
    return Macd(*ta_lib.MACD(column("close", close), fastperiod=fast, slowperiod=slow, signalperiod=signal))


@row_wise(warm_up=lambda period: wilder_memory(period) + 6 * period)  # smoothed twice
def adx(high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, period: int = 14) -> FloatArray:
    """Average directional index, 0 to 100 (Wilder 1978): how much of a trend, either way; row 2 period - 1.

    An equal move up and down counts for neither, as Wilder has it: prices are compared in whole steps.
    """
    check_period("period", period, 2)
    result: FloatArray = ta_lib.ADX(*_whole_steps(high, low, close), timeperiod=period)
    return result


@row_wise(warm_up=lambda period: wilder_memory(period) + 1)
def plus_di(high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, period: int = 14) -> FloatArray:
    """Upward directional indicator, 0 to 100 (Wilder 1978); first value at row `period`. Equal moves as in `adx`."""
    check_period("period", period, 1)
    return _in_percent(ta_lib.PLUS_DI(*_whole_steps(high, low, close), timeperiod=period), period)


@row_wise(warm_up=lambda period: wilder_memory(period) + 1)
def minus_di(high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, period: int = 14) -> FloatArray:
    """Downward directional indicator, 0 to 100 (Wilder 1978); first value at row `period`. Equal moves as in `adx`."""
    check_period("period", period, 1)
    return _in_percent(ta_lib.MINUS_DI(*_whole_steps(high, low, close), timeperiod=period), period)


def _whole_steps(high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike) -> tuple[FloatArray, ...]:
    """Prices as whole numbers, so that moves which are equal on paper are equal here.

    0.3 - 0.2 is not 0.2 - 0.1 for a computer. A step is the twelfth digit of the first price: finer than any tick, and
    known at every row.
    """
    arrays = columns(high=high, low=low, close=close)
    first = next((price for price in arrays[0].tolist() if price > 0), 1.0)
    per_step = 10.0 ** min(DIGITS - 1 - floor(log10(first)), MOST_STEPS)
    return tuple(np.rint(array * per_step) for array in arrays)


def _in_percent(indicator: FloatArray, period: int) -> FloatArray:
    """TA-Lib gives a ratio where nothing is smoothed."""
    return indicator * 100 if period == 1 else indicator


@row_wise(warm_up=lambda period: period + 1)
def aroon(high: npt.ArrayLike, low: npt.ArrayLike, period: int = 14) -> Aroon:
    """How long ago the extremes of the last `period` + 1 bars were (Chande 1995); first row `period`."""
    check_period("period", period, 2)
    down, up = ta_lib.AROON(*columns(high=high, low=low), timeperiod=period)
    return Aroon(up, down)


@row_wise(warm_up=lambda period: 2 * wilder_memory(period))
def supertrend(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, period: int = 10, multiplier: float = 3.0
) -> Supertrend:
    """A stop that trails `multiplier` average true ranges behind the middle of the bars (Seban 2008).

    It only ever moves with the trend, until a close beyond it turns the trend; first row `period`,
    where the trend is down if the close is at or below the middle. Its memory has no fixed length: two
    windows agree from the first row on which both have turned or moved.
    """
    check_period("period", period, 1)
    check_multiple("multiplier", multiplier)
    high, low, close = columns(high=high, low=low, close=close)
    reach = multiplier * ta_lib.ATR(high, low, close, timeperiod=period)
    middle = (high + low) / 2
    return Supertrend(*_trail(close, middle, middle + reach, middle - reach))


@njit(cache=True)
def _trail(
    close: FloatArray, middle: FloatArray, upper: FloatArray, lower: FloatArray
) -> tuple[FloatArray, FloatArray]:
    line, direction = np.full(len(close), np.nan), np.full(len(close), np.nan)
    ceiling, floor, trend = np.nan, np.nan, 0.0
    for row in range(len(close)):
        if np.isnan(upper[row]):
            continue
        if trend == 0.0:
            ceiling, floor = upper[row], lower[row]
            trend = 1.0 if close[row] > middle[row] else -1.0
        else:
            ceiling = min(upper[row], ceiling) if close[row - 1] <= ceiling else upper[row]
            floor = max(lower[row], floor) if close[row - 1] >= floor else lower[row]
            if trend < 0.0 and close[row] > ceiling:
                trend = 1.0
            elif trend > 0.0 and close[row] < floor:
                trend = -1.0
        line[row] = floor if trend > 0.0 else ceiling
        direction[row] = trend
    return line, direction


@row_wise(warm_up=lambda base, span: base + span)
def ichimoku(
    high: npt.ArrayLike, low: npt.ArrayLike, conversion: int = 9, base: int = 26, span: int = 52
) -> Ichimoku:
    """Middles of the range of the last bars (Hosoda 1969); the leading lines were drawn `base` bars ago.

    The lagging line is left out: it plots this close `base` bars back, where it was not known.
    """
    for name, period in (("conversion", conversion), ("base", base), ("span", span)):
        check_period(name, period, 2)
    high, low = columns(high=high, low=low)
    fast, slow, wide = (
        (ta_lib.MAX(high, timeperiod=period) + ta_lib.MIN(low, timeperiod=period)) / 2
        for period in (conversion, base, span)
    )
    return Ichimoku(fast, slow, shifted((fast + slow) / 2, base), shifted(wide, base))
