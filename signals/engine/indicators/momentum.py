"""How fast price moves, and whether it has moved too far."""

from typing import NamedTuple

import numpy.typing as npt

from signals.engine.candle import FloatArray
from signals.engine.indicators.contract import check_period, column, columns, ta_lib, wilder_memory
from signals.engine.registry import row_wise


class Stochastic(NamedTuple):
    """0 to 100; `d` is the mean of `k`."""

    k: FloatArray
    d: FloatArray


@row_wise(warm_up=lambda period: wilder_memory(period) + 1)
def rsi(close: npt.ArrayLike, period: int = 14) -> FloatArray:
    """Relative strength index, 0 to 100 (Wilder 1978); first value at row `period`.

    Rows without any movement so far give 0, as TA-Lib has it: that is no sign of weakness.
    """
    check_period("period", period, 2)
    result: FloatArray = ta_lib.RSI(column("close", close), timeperiod=period)
    return result


@row_wise(warm_up=lambda k, smooth, d: k + smooth + d - 2)
def stochastic(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, k: int = 14, smooth: int = 3, d: int = 3
) -> Stochastic:
    """Where the close stands in the range of the last `k` bars, 0 to 100 (Lane), simple means of it.

    `smooth` 1 gives the fast stochastic. First row k + smooth + d - 3; a range of zero gives 0.
    """
    for name, period in (("k", k), ("smooth", smooth), ("d", d)):
        check_period(name, period, 1)
    arrays = columns(high=high, low=low, close=close)
    return Stochastic(*ta_lib.STOCH(*arrays, fastk_period=k, slowk_period=smooth, slowd_period=d))


@row_wise(warm_up=lambda period: period)
def williams_r(high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, period: int = 14) -> FloatArray:
    """How far the close is below the highest high, -100 to 0 of the range (Williams); row `period` - 1."""
    check_period("period", period, 2)
    result: FloatArray = ta_lib.WILLR(*columns(high=high, low=low, close=close), timeperiod=period)
    return result


@row_wise(warm_up=lambda period: period)
def cci(high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, period: int = 14) -> FloatArray:
    """Commodity channel index (Lambert 1980): the typical price's distance from its mean, in units of
    0.015 mean absolute deviations; first row `period` - 1. Without any deviation 0.
    """
    check_period("period", period, 2)
    result: FloatArray = ta_lib.CCI(*columns(high=high, low=low, close=close), timeperiod=period)
    return result


@row_wise(warm_up=lambda period: period + 1)
def roc(close: npt.ArrayLike, period: int = 10) -> FloatArray:
    """Change against `period` bars before, in percent; first row `period`. Against a price of zero 0."""
    check_period("period", period, 1)
    result: FloatArray = ta_lib.ROC(column("close", close), timeperiod=period)
    return result
