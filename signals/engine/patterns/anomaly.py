"""Bars that are unlike the bars before them.

Source of the robust score: Iglewicz, Hoaglin, How to Detect and Handle Outliers (1993); 3.5 is their threshold.
Of the isolation forest's: Liu, Ting, Zhou, Isolation Forest, ICDM 2008; near 1 is an anomaly, well below 0.5 is not.
"""

import numpy as np
import numpy.typing as npt

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.indicators.contract import check_period, column, rolling, shifted
from signals.engine.indicators.volatility import atr
from signals.engine.registry import row_wise

MAD_OF_A_NORMAL = 0.6745  # median absolute deviation of a normal distribution, in standard deviations
FEATURES = ("change", "range", "body_share", "log_volume")


@row_wise(warm_up=lambda period: period + 1)
def robust_z_score(close: npt.ArrayLike, period: int = 100) -> FloatArray:
    """Distance from the median of the `period` values before, in (robust) deviations; first row `period`.

    A value is not among those it is compared with, so one outlier cannot hide itself. NaN where those do
    not differ from each other: there is no measure then.
    """
    check_period("period", period, 3)
    values = column("close", close)
    before = rolling(shifted(values, 1), period)
    middle = np.median(before, axis=1)
    deviation = np.median(np.abs(before - middle[:, np.newaxis]), axis=1) / MAD_OF_A_NORMAL
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(deviation > 0, (values - middle) / deviation, np.nan)


@row_wise(warm_up=264)
def anomaly_features(ohlcv: OHLCV, period: int = 14) -> FloatArray:
    """What the isolation forest looks at, shape (rows, 4) in the order of FEATURES; NaN until warm.

    change (of the close) and range (high - low) in units of the bar before's average true range, body_share the
    signed body as a share of the range, log_volume against the mean of the last `period` bars.
    """
    ranges = shifted(atr(ohlcv.high, ohlcv.low, ohlcv.close, period), 1)
    reach = ohlcv.high - ohlcv.low
    volume = rolling(ohlcv.volume, period).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = np.column_stack(
            (
                (ohlcv.close - shifted(ohlcv.close, 1)) / ranges,
                reach / ranges,
                np.where(reach > 0, (ohlcv.close - ohlcv.open) / reach, 0.0),
                np.log1p(ohlcv.volume) - np.log1p(volume),
            )
        )
    return np.where(np.isfinite(columns).all(axis=1, keepdims=True), columns, np.nan)
