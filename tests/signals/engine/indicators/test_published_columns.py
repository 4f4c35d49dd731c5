"""More worked examples of others: the ChartSchool sheets on momentum, bands and volume.

Source: StockCharts ChartSchool, cs-soo.xls, cs-percentr.xls, cs-cci.xls, cs-roc.xls, cs-bbands.xls,
cs-obv.xls, cs-mfi.xls and cs-accum.xls beside the articles of the same names, with their rounding.
"""

import numpy as np

from signals.engine.indicators.momentum import cci, roc, stochastic, williams_r
from signals.engine.indicators.volatility import bollinger_bands
from signals.engine.indicators.volume import cmf, mfi, obv

# fmt: off
HIGH = [
    127.0090, 127.6159, 126.5911, 127.3472, 128.1730, 128.4317, 127.3671, 126.4220, 126.8995, 126.8498, 125.6460,
    125.7156, 127.1582, 127.7154, 127.6855, 128.2228, 128.2725, 128.0934, 128.2725, 127.7353, 128.7700, 129.2873,
    130.0633, 129.1182, 129.2873, 128.4715, 128.0934, 128.6506, 129.1381, 128.6406,
]
LOW = [
    125.3574, 126.1633, 124.9296, 126.0937, 126.8199, 126.4817, 126.0340, 124.8301, 126.3921, 125.7156, 124.5615,
    124.5715, 125.0689, 126.8597, 126.6309, 126.8001, 126.7105, 126.8001, 126.1335, 125.9245, 126.9891, 127.8148,
    128.4715, 128.0641, 127.6059, 127.5960, 126.9990, 126.8995, 127.4865, 127.3970,
]
CLOSE_FROM_ROW_13 = [
    127.2876, 127.1781, 128.0138, 127.1085, 127.7253, 127.0587, 127.3273, 128.7103, 127.8745, 128.5809, 128.6008,
    127.9342, 128.1133, 127.5960, 127.5960, 128.6904, 128.2725,
]
FAST_K = [
    70.4382, 67.6089, 89.2021, 65.8106, 81.7477, 64.5238, 74.5298, 98.5814, 70.1045, 73.0561, 73.4178, 61.2313,
    60.9563, 40.3861, 40.3861, 66.8285, 56.7314,
]
CCI_HIGH = [
    24.2013, 24.0721, 24.0423, 23.8733, 23.6745, 23.5851, 23.8037, 23.8036, 24.3007, 24.1516, 24.0522, 24.0622,
    23.8833, 25.1356, 25.1952, 25.0660, 25.2151, 25.3741, 25.3642, 25.2648, 24.8175, 24.4398, 24.6485, 24.8374,
    24.7479, 24.5094, 24.6784, 24.6684, 23.8435, 24.3007,
]
CCI_LOW = [
    23.8534, 23.7242, 23.6447, 23.3664, 23.4559, 23.1776, 23.3962, 23.5652, 24.0522, 23.7739, 23.5950, 23.8435,
    23.6447, 23.9429, 24.7380, 24.7678, 24.8970, 24.9268, 24.9567, 24.9268, 24.2112, 24.2112, 24.4299, 24.4398,
    24.2013, 24.2510, 24.2112, 24.1516, 23.6348, 23.7640,
]
CCI_CLOSE = [
    23.8932, 23.9528, 23.6745, 23.7839, 23.4956, 23.3217, 23.7540, 23.7938, 24.1417, 23.8137, 23.7839, 23.8634,
    23.7044, 24.9567, 24.8771, 24.9616, 25.1753, 25.0660, 25.2747, 24.9964, 24.4597, 24.2808, 24.6237, 24.5815,
    24.5268, 24.3504, 24.3404, 24.2311, 23.7640, 24.2013,
]
CCI_20 = [
    102.3150, 30.7360, 6.5516, 33.2964, 34.9514, 13.8401, -10.7478, -11.5821, -29.3472, -129.3557, -73.0696,
]
ROC_CLOSE = [
    11045.27, 11167.32, 11008.61, 11151.83, 10926.77, 10868.12, 10520.32, 10380.43, 10785.14, 10748.26, 10896.91,
    10782.95, 10620.16, 10625.83, 10510.95, 10444.37, 10068.01, 10193.39, 10066.57, 10043.75,
]
ROC_12 = [
    -3.84879682, -4.84888048, -4.52064339, -6.34389154, -7.85923013, -6.20834146, -4.31308173, -3.24341092,
]
BANDS_CLOSE = [
    86.1557, 89.0867, 88.7829, 90.3228, 89.0671, 91.1453, 89.4397, 89.1750, 86.9302, 87.6752, 86.9596, 89.4299,
    89.3221, 88.7241, 87.4497, 87.2634, 89.4985, 87.9006, 89.1260, 90.7043, 92.9001, 92.9784, 91.8021, 92.6647,
]
UPPER = [91.291862, 91.949268, 92.612595, 92.934200, 93.311950]
MIDDLE = [88.707940, 89.045160, 89.239745, 89.390705, 89.507800]
LOWER = [86.124018, 86.141052, 85.866895, 85.847210, 85.703650]
OBV_CLOSE = [53.26, 53.30, 53.32, 53.72, 54.19, 53.92, 54.65, 54.60, 54.21, 54.53, 53.79, 53.66, 53.56, 53.57]
OBV_VOLUME = [
    0, 8200, 8100, 8300, 8900, 9200, 13300, 10300, 9900, 10100, 11300, 12600, 10700, 11500,
]
OBV = [
    0, 8200, 16300, 24600, 33500, 24300, 37600, 27300, 17400, 27500, 16200, 3600, -7100, 4400,
]
MFI_HIGH = [
    24.8283, 24.7586, 25.1568, 25.5848, 25.6844, 25.3360, 25.2862, 25.1269, 25.2762, 25.3857, 25.5351, 25.6048,
    25.7441, 25.7242, 25.6744, 25.4455, 25.3161, 25.2563, 25.0373, 25.0074, 25.3061, 25.1170,
]
MFI_LOW = [
    24.3205, 24.5993, 24.7785, 24.9477, 24.8083, 25.0572, 24.8482, 24.7496, 24.9278, 25.0274, 25.0473, 25.0622,
    25.5351, 25.4554, 25.2862, 25.1667, 24.9178, 24.9079, 24.8283, 24.7088, 25.0274, 24.3404,
]
MFI_CLOSE = [
    24.7486, 24.7088, 25.0373, 25.5450, 25.0672, 25.1070, 24.8880, 24.9975, 25.0473, 25.3360, 25.0572, 25.4455,
    25.5649, 25.5550, 25.4057, 25.3658, 25.0373, 24.9178, 24.8780, 24.9676, 25.0473, 24.4500,
]
MFI_VOLUME = [
    18730.144, 12271.740, 24691.414, 18357.606, 22964.080, 15918.948, 16067.044, 16568.487, 16018.729, 9773.569,
    22572.712, 12986.669, 10906.659, 5799.259, 7395.274, 5818.162, 7164.726, 5672.914, 5624.742, 5023.469, 7457.091,
    11798.009,
]
MFI_14 = [49.46631, 45.10974, 36.27215, 28.40665, 31.52806, 33.86815, 41.30010, 42.80337]
FLOW_HIGH = [62.34, 62.05, 62.27, 60.79, 59.93, 61.75, 60.00, 59.00, 59.07, 59.22]
FLOW_LOW = [61.37, 60.69, 60.10, 58.61, 58.712, 59.86, 57.97, 58.02, 57.48, 58.30]
FLOW_CLOSE = [62.15, 60.81, 60.45, 59.18, 59.24, 60.20, 58.48, 58.24, 58.69, 58.65]
FLOW_VOLUME = [
    7849.025, 11692.075, 10575.307, 13059.128, 20733.508, 29630.096, 17705.294, 7259.203, 10474.629, 5203.714,
]
ACCUMULATED = [
    4774.1492, -4854.6184, -12018.5361, -18248.5788, -21006.2375, -39975.7698, -48784.8077, -52784.7767, -47316.8886,
    -48561.2550,
]
# fmt: on


def test_stochastic_and_williams_equal_the_published_columns() -> None:
    close = np.concatenate((np.array(LOW[:13]), CLOSE_FROM_ROW_13))  # the sheets give no earlier closes
    fast = stochastic(HIGH, LOW, close, k=14, smooth=1, d=3)
    assert np.isnan(fast.k[:15]).all()
    np.testing.assert_allclose(fast.k[15:], FAST_K[2:], atol=5e-3)
    np.testing.assert_allclose(fast.d[15:], np.convolve(FAST_K, np.ones(3) / 3, "valid"), atol=5e-3)
    slow = stochastic(HIGH, LOW, close, k=14, smooth=3, d=1).k
    np.testing.assert_allclose(slow[15:18], [75.7497, 74.2072, 78.9201], atol=5e-3)
    percent_r = williams_r(HIGH, LOW, close, 14)
    assert np.isnan(percent_r[:13]).all()
    np.testing.assert_allclose(percent_r[13:], np.array(FAST_K) - 100, atol=5e-3)


def test_cci_equals_the_published_column() -> None:
    result = cci(CCI_HIGH, CCI_LOW, CCI_CLOSE, 20)
    assert np.isnan(result[:19]).all()
    np.testing.assert_allclose(result[19:], CCI_20, atol=0.05)  # of prices with four digits


def test_roc_equals_the_published_column() -> None:
    result = roc(ROC_CLOSE, 12)
    assert np.isnan(result[:12]).all()
    np.testing.assert_allclose(result[12:], ROC_12, atol=1e-7)


def test_bollinger_bands_equal_the_published_columns() -> None:
    bands = bollinger_bands(BANDS_CLOSE, 20, 2.0)
    for result, published in zip(bands, (UPPER, MIDDLE, LOWER), strict=True):
        assert np.isnan(result[:19]).all()
        np.testing.assert_allclose(result[19:], published, atol=1e-4)


def test_obv_equals_the_published_column_and_starts_with_the_first_volume() -> None:
    np.testing.assert_array_equal(obv(OBV_CLOSE, OBV_VOLUME), OBV)
    np.testing.assert_array_equal(obv(OBV_CLOSE, [500, *OBV_VOLUME[1:]]), np.array(OBV) + 500)
    np.testing.assert_array_equal(obv([5, 5, 4, 6], [10, 7, 3, 2]), [10, 10, 7, 9])


def test_mfi_equals_the_published_column() -> None:
    result = mfi(MFI_HIGH, MFI_LOW, MFI_CLOSE, MFI_VOLUME, 14)
    assert np.isnan(result[:14]).all()
    np.testing.assert_allclose(result[14:], MFI_14, atol=1e-4)


def test_cmf_is_the_change_of_the_published_accumulation_over_volume() -> None:
    result = cmf(FLOW_HIGH, FLOW_LOW, FLOW_CLOSE, FLOW_VOLUME, 5)
    accumulated = np.concatenate(([0.0], ACCUMULATED))
    volume = np.convolve(FLOW_VOLUME, np.ones(5), "valid")
    assert np.isnan(result[:4]).all()
    np.testing.assert_allclose(result[4:], (accumulated[5:] - accumulated[:-5]) / volume, atol=1e-8)
