from collections.abc import Callable

import numpy as np
import pytest
import talib

from signals.engine.candle import OHLCV
from signals.engine.indicators.contract import shifted
from signals.engine.indicators.momentum import rsi
from signals.engine.indicators.trend import ema, macd, sma
from signals.engine.indicators.volatility import atr

FIRST_VALUE = {"rsi": 14, "sma": 19, "ema": 19, "macd": 33, "atr": 14}


def compute(name: str, ohlcv: OHLCV) -> np.ndarray:
    match name:
        case "rsi":
            return rsi(ohlcv.close, 14)
        case "sma":
            return sma(ohlcv.close, 20)
        case "ema":
            return ema(ohlcv.close, 20)
        case "macd":
            return np.vstack(macd(ohlcv.close)).T
    return atr(ohlcv.high, ohlcv.low, ohlcv.close, 14)


@pytest.mark.parametrize("name", FIRST_VALUE)
@pytest.mark.parametrize("rows", [0, 1, 14, 15, 33, 34, 300])
def test_same_length_out_and_nan_until_warm(name: str, rows: int, walk: Callable[..., OHLCV]) -> None:
    result = compute(name, walk(rows, seed=3))
    known = np.isfinite(result)
    assert len(result) == rows
    assert result.dtype == np.float64
    assert not known[: FIRST_VALUE[name]].any()
    assert known[FIRST_VALUE[name] :].all()


def test_equal_to_ta_lib_bit_for_bit(walk: Callable[..., OHLCV]) -> None:
    bars = walk(1_000, seed=5)
    pairs = [
        (rsi(bars.close, 21), talib.RSI(bars.close, 21)),
        (sma(bars.close, 50), talib.SMA(bars.close, 50)),
        (ema(bars.close, 50), talib.EMA(bars.close, 50)),
        (atr(bars.high, bars.low, bars.close, 7), talib.ATR(bars.high, bars.low, bars.close, 7)),
        *zip(macd(bars.close, 8, 21, 5), talib.MACD(bars.close, 8, 21, 5), strict=True),
    ]
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours, theirs)


def test_macd_equals_its_definition_by_hand(walk: Callable[..., OHLCV]) -> None:
    close = walk(200, seed=8).close

    def smooth(values: np.ndarray, period: int) -> np.ndarray:
        """Seeded with the mean of the first `period` values, then alpha = 2 / (period + 1)."""
        out = [values[:period].mean()]
        for value in values[period:]:
            out.append(out[-1] + 2 / (period + 1) * (value - out[-1]))
        return np.array(out)

    line = smooth(close[14:], 12) - smooth(close, 26)  # both averages start at row 25
    signal = smooth(line, 9)
    result = macd(close)
    np.testing.assert_allclose(result.macd[33:], line[8:], rtol=1e-9)
    np.testing.assert_allclose(result.signal[33:], signal, rtol=1e-9)
    np.testing.assert_allclose(result.histogram[33:], line[8:] - signal, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("period", [0, -1, 1, 2.5, True, 100_001])
def test_a_bad_period_is_refused(period: float) -> None:
    with pytest.raises(ValueError, match="period"):
        rsi(np.arange(1.0, 50.0), period)


def test_macd_with_fast_not_below_slow_is_refused() -> None:
    with pytest.raises(ValueError, match="fast \\(26\\) must be below slow \\(12\\)"):
        macd(np.arange(1.0, 50.0), 26, 12)


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        atr([2.0, 3.0], [1.0, 2.0], [1.5], 1)


def test_leading_nan_is_carried_and_a_hole_is_refused() -> None:
    values = np.arange(1.0, 41.0)
    values[:5] = np.nan
    np.testing.assert_array_equal(np.isnan(ema(values, 5)), np.arange(40) < 9)
    assert np.isnan(ema(np.full(40, np.nan), 5)).all()
    values[20] = np.nan
    with pytest.raises(ValueError, match="row 20 is nan"):
        ema(values, 5)
    values[0], values[20] = np.inf, 21.0
    with pytest.raises(ValueError, match="row 0 is inf"):
        ema(values, 5)


@pytest.mark.parametrize("bars", [0, 1, 3, 4, 6])
def test_a_shift_moves_rows_later_and_past_the_end(bars: int) -> None:
    expected = [np.nan] * min(bars, 4) + [1.0, 2.0, 3.0, 4.0][: max(4 - bars, 0)]
    np.testing.assert_array_equal(shifted(np.array([1.0, 2.0, 3.0, 4.0]), bars), expected)
