"""Worked examples that others published, so that a wrong formula cannot agree with itself.

Source: StockCharts ChartSchool, the spreadsheets beside the articles "Relative Strength Index",
"Average True Range" and "Moving Averages - Simple and Exponential" (cs-rsi.xls, cs-atr.xls,
cs-movavg.xls), with their rounding: four, six and two digits.
"""

import numpy as np

from signals.engine.indicators.momentum import rsi
from signals.engine.indicators.trend import ema, sma
from signals.engine.indicators.volatility import atr

# fmt: off
RSI_CLOSE = [
    44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931,
    46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439, 46.2122, 46.2521,
    45.7137, 46.4515, 45.7835, 45.3548, 44.0288, 44.1783, 44.2181, 44.5672, 43.4205, 42.6628, 43.1314,
]
RSI_14 = [
    70.5328, 66.3186, 66.5498, 69.4063, 66.3552, 57.9749, 62.9296, 63.2571, 56.0593, 62.3771, 54.7076,
    50.4228, 39.9898, 41.4605, 41.8689, 45.4632, 37.3040, 33.0795, 37.7730,
]
ATR_HIGH = [
    48.70, 48.72, 48.90, 48.87, 48.82, 49.05, 49.20, 49.35, 49.92, 50.19, 50.12, 49.66, 49.88, 50.19, 50.36,
    50.57, 50.65, 50.43, 49.63, 50.33, 50.29, 50.17, 49.32, 48.50, 48.3201, 46.80, 47.80, 48.39, 48.66, 48.79,
]
ATR_LOW = [
    47.79, 48.14, 48.39, 48.37, 48.24, 48.635, 48.94, 48.86, 49.50, 49.87, 49.20, 48.90, 49.43, 49.725, 49.26,
    50.09, 50.30, 49.21, 48.98, 49.61, 49.20, 49.43, 48.08, 47.64, 41.55, 44.2833, 47.31, 47.20, 47.90,
    47.7301,
]
ATR_CLOSE = [
    48.16, 48.61, 48.75, 48.63, 48.74, 49.03, 49.07, 49.32, 49.91, 50.13, 49.53, 49.50, 49.75, 50.03, 50.31,
    50.52, 50.41, 49.34, 49.37, 50.23, 49.2375, 49.93, 48.43, 48.18, 46.57, 45.41, 47.77, 47.72, 48.62, 47.85,
]
ATR_14 = [
    0.555000, 0.593929, 0.585791, 0.568949, 0.615452, 0.617920, 0.642354, 0.674329, 0.692770, 0.775429,
    0.781470, 1.209229, 1.302620, 1.380290, 1.366698, 1.336219, 1.316482,
]
AVERAGE_CLOSE = [
    22.27, 22.19, 22.08, 22.17, 22.18, 22.13, 22.23, 22.43, 22.24, 22.29, 22.15, 22.39, 22.38, 22.61, 23.36,
    24.05, 23.75, 23.83, 23.95, 23.63,
]
SMA_10 = [22.22, 22.21, 22.23, 22.26, 22.31, 22.42, 22.61, 22.77, 22.91, 23.08, 23.21]
EMA_10 = [22.22, 22.21, 22.24, 22.27, 22.33, 22.52, 22.80, 22.97, 23.13, 23.28, 23.34]
# fmt: on


def test_rsi_equals_the_published_column() -> None:
    result = rsi(RSI_CLOSE, 14)
    assert np.isnan(result[:14]).all()
    np.testing.assert_allclose(result[14:], RSI_14, atol=5e-4)  # the closes are rounded, too


def test_atr_equals_the_published_column() -> None:
    # The sheet takes the first bar's high - low as its first true range; TA-Lib starts one bar later.
    # A bar before, with its close inside the first bar's range, makes the two the same.
    result = atr([48.2, *ATR_HIGH], [48.2, *ATR_LOW], [48.2, *ATR_CLOSE], 14)
    assert np.isnan(result[:14]).all()
    np.testing.assert_allclose(result[14:], ATR_14, atol=1e-6)


def test_averages_equal_the_published_columns() -> None:
    for result, published in ((sma(AVERAGE_CLOSE, 10), SMA_10), (ema(AVERAGE_CLOSE, 10), EMA_10)):
        assert np.isnan(result[:9]).all()
        np.testing.assert_allclose(result[9:], published, atol=0.0101)  # two digits, of rounded closes
