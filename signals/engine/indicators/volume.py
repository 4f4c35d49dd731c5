"""What volume says about a move. Bars without any volume are real (outages, thin pairs)."""

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray
from signals.engine.indicators.contract import check_period, columns, rolling, ta_lib
from signals.engine.registry import row_wise


@row_wise(warm_up=2, cumulative=True)
def obv(close: npt.ArrayLike, volume: npt.ArrayLike) -> FloatArray:
    """On-balance volume (Granville 1963): the first volume, then plus each rising and minus each falling one.

    The level depends on where the series begins; only its changes mean something.
    """
    result: FloatArray = ta_lib.OBV(*columns(close=close, volume=volume))
    return result


@row_wise(warm_up=lambda period: period + 1)
def mfi(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, volume: npt.ArrayLike, period: int = 14
) -> FloatArray:
    """Money flow index, 0 to 100: an RSI of typical price x volume (Quong, Soudack 1989); row `period`."""
    check_period("period", period, 2)
    arrays = columns(high=high, low=low, close=close, volume=volume)
    result: FloatArray = ta_lib.MFI(*arrays, timeperiod=period)
    return result


@row_wise(warm_up=lambda period: period)
def vwap(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, volume: npt.ArrayLike, period: int = 14
) -> FloatArray:
    """Mean typical price of the last `period` bars, weighted by volume; first row `period` - 1.

    Rolling, since a market that never closes has no session to anchor it to. Bars without any volume
    in the whole window count alike.
    """
    check_period("period", period, 1)
    high, low, close, volume = columns(high=high, low=low, close=close, volume=volume)
    typical = (high + low + close) / 3
    total = rolling(volume, period).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = rolling(typical * volume, period).sum(axis=1) / total
    untraded = total == 0
    if untraded.any():
        mean[untraded] = rolling(typical, period)[untraded].mean(axis=1)
    return mean


@row_wise(warm_up=lambda period: period)
def cmf(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, volume: npt.ArrayLike, period: int = 20
) -> FloatArray:
    """Chaikin money flow, -1 to 1: volume weighted by where the close stands in its bar; row `period` - 1.

    A bar without range, and a window without volume, give 0.
    """
    check_period("period", period, 1)
    high, low, close, volume = columns(high=high, low=low, close=close, volume=volume)
    reach = high - low
    with np.errstate(invalid="ignore", divide="ignore"):
        place = np.where(reach == 0, 0.0, ((close - low) - (high - close)) / reach)
        flow, total = rolling(place * volume, period).sum(axis=1), rolling(volume, period).sum(axis=1)
        return np.where(total == 0, 0.0, flow / total)
