"""How far price moves: bands and channels in units of price, estimators as a ratio per bar.

The estimators take logarithms and are per bar, not annualised; each is the root of a mean variance over
`period` bars. Compared in Yang, Zhang, Journal of Business 73 (2000).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray
from signals.engine.indicators.contract import (
    check_multiple,
    check_period,
    column,
    columns,
    exponential_memory,
    prices,
    rolling,
    shifted,
    ta_lib,
    wilder_memory,
)
from signals.engine.registry import row_wise


class Bands(NamedTuple):
    """Three columns in units of price."""

    upper: FloatArray
    middle: FloatArray
    lower: FloatArray


@row_wise(warm_up=lambda period: wilder_memory(period) + 1)
def atr(high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, period: int = 14) -> FloatArray:
    """Average true range in units of price, Wilder's smoothing (1978); first value at row `period`."""
    check_period("period", period, 1)
    result: FloatArray = ta_lib.ATR(*columns(high=high, low=low, close=close), timeperiod=period)
    return result


@row_wise(warm_up=lambda period: period)
def bollinger_bands(close: npt.ArrayLike, period: int = 20, deviations: float = 2.0) -> Bands:
    """Simple mean and `deviations` population deviations around it (Bollinger); first row `period` - 1."""
    check_period("period", period, 2)
    check_multiple("deviations", deviations)
    width = {"nbdevup": float(deviations), "nbdevdn": float(deviations)}
    return Bands(*ta_lib.BBANDS(column("close", close), timeperiod=period, **width))


@row_wise(warm_up=lambda period, atr_period: max(exponential_memory(period), wilder_memory(atr_period) + 1))
def keltner(
    high: npt.ArrayLike,
    low: npt.ArrayLike,
    close: npt.ArrayLike,
    period: int = 20,
    atr_period: int = 10,
    multiplier: float = 2.0,
) -> Bands:
    """Exponential mean of the close and `multiplier` average true ranges around it (Raschke's form)."""
    check_period("period", period, 1)
    check_period("atr_period", atr_period, 1)
    check_multiple("multiplier", multiplier)
    high, low, close = columns(high=high, low=low, close=close)
    reach = multiplier * atr(high, low, close, atr_period)
    middle = ta_lib.EMA(close, timeperiod=period) + 0 * reach  # all three begin together
    return Bands(middle + reach, middle, middle - reach)


@row_wise(warm_up=lambda period: period)
def donchian(high: npt.ArrayLike, low: npt.ArrayLike, period: int = 20) -> Bands:
    """Highest high and lowest low of the last `period` bars, this one included, and their middle."""
    check_period("period", period, 2)
    high, low = columns(high=high, low=low)
    upper, lower = ta_lib.MAX(high, timeperiod=period), ta_lib.MIN(low, timeperiod=period)
    return Bands(upper, (upper + lower) / 2, lower)


@row_wise(warm_up=lambda period: period + 1)
def realised(close: npt.ArrayLike, period: int = 20) -> FloatArray:
    """Root of the mean squared log return, their mean taken as zero; first row `period`."""
    check_period("period", period, 1)
    (close,) = prices(close=close)
    change = np.log(close) - shifted(np.log(close), 1)
    return _root_mean(np.square(change), period)


@row_wise(warm_up=lambda period: period)
def parkinson(high: npt.ArrayLike, low: npt.ArrayLike, period: int = 20) -> FloatArray:
    """From the bars' ranges (Parkinson 1980); first row `period` - 1. Blind to gaps between bars."""
    check_period("period", period, 1)
    high, low = prices(high=high, low=low)
    return _root_mean(np.square(np.log(high / low)) / (4 * np.log(2)), period)


@row_wise(warm_up=lambda period: period)
def garman_klass(
    open_: npt.ArrayLike, high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, period: int = 20
) -> FloatArray:
    """From range and body (Garman, Klass 1980); first row `period` - 1. Blind to gaps between bars."""
    check_period("period", period, 1)
    open_, high, low, close = prices(open_=open_, high=high, low=low, close=close)
    variance = np.square(np.log(high / low)) / 2
    variance -= (2 * np.log(2) - 1) * np.square(np.log(close / open_))
    return _root_mean(variance, period)


@row_wise(warm_up=lambda period: period + 1)
def yang_zhang(
    open_: npt.ArrayLike, high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, period: int = 20
) -> FloatArray:
    """From gaps, bodies and ranges, free of drift (Yang, Zhang 2000); first row `period`, at least 2."""
    check_period("period", period, 2)
    open_, high, low, close = prices(open_=open_, high=high, low=low, close=close)
    gap = np.log(open_) - shifted(np.log(close), 1)
    up, down, body = np.log(high / open_), np.log(low / open_), np.log(close / open_)
    share = 0.34 / (1.34 + (period + 1) / (period - 1))
    inside = rolling(up * (up - body) + down * (down - body), period).mean(axis=1)
    outside = rolling(gap, period).var(axis=1, ddof=1) + share * rolling(body, period).var(axis=1, ddof=1)
    return np.sqrt(np.maximum(outside + (1 - share) * inside, 0))


def _root_mean(variance: FloatArray, period: int) -> FloatArray:
    """A bar whose open or close stands outside its range can make a mean negative: that is no variance."""
    return np.sqrt(np.maximum(rolling(variance, period).mean(axis=1), 0))
