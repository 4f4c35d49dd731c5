import numpy as np
import pytest

from signals.engine.candle import OHLCV

GOOD = {
    "open_time": [0, 60_000, 120_000],
    "open": [10.0, 11.0, 12.0],
    "high": [12.0, 13.0, 14.0],
    "low": [9.0, 10.0, 11.0],
    "close": [11.0, 12.0, 13.0],
    "volume": [1.0, 0.0, 2.0],
}


def test_lists_and_small_types_become_int64_and_float64() -> None:
    ohlcv = OHLCV(
        **GOOD | {"open_time": np.array([0.0, 60_000.0, 120_000.0]), "close": np.float32([11, 12, 13])}
    )
    assert ohlcv.open_time.dtype == np.int64
    assert {getattr(ohlcv, name).dtype for name in GOOD if name != "open_time"} == {np.dtype(np.float64)}
    assert ohlcv.close.tolist() == [11.0, 12.0, 13.0]
    assert len(ohlcv) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"close": [11.0, 12.0]}, "differ in length"),
        ({"close": [[11.0, 12.0, 13.0]]}, "close must be 1-D, not 2-D"),
        ({"open_time": [0, 120_000, 60_000]}, "row 2: open_time 60000 is before row 1"),
        ({"open_time": [0, 60_000, 60_000]}, "row 2: duplicate open_time 60000"),
        ({"open_time": [0, 0.5, 60_000]}, "row 1: open_time 0.5 is not a whole number"),
        ({"open_time": [0, np.nan, 60_000]}, "row 1: open_time nan is not a whole number"),
        ({"open_time": np.array(["2025-01-01", "2025-01-02", "2025-01-03"], "M8[ms]")}, "must hold numbers"),
        ({"open": [10.0, np.nan, 12.0]}, "row 1: open is nan"),
        ({"high": [12.0, 13.0, np.inf]}, "row 2: high is inf"),
        ({"low": [-np.inf, 10.0, 11.0]}, "row 0: low is -inf"),
        ({"close": [11.0, np.nan, 13.0]}, "row 1: close is nan"),
        ({"volume": [np.nan, 0.0, 2.0]}, "row 0: volume is nan"),
        ({"close": ["a", "b", "c"]}, "close must hold numbers"),
        ({"high": [12.0, 9.5, 14.0]}, "row 1: high 9.5 is below low 10.0"),
    ],
)
def test_broken_columns_are_refused_with_row_and_reason(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OHLCV(**GOOD | change)


def test_the_columns_are_frozen_and_the_callers_array_is_not() -> None:
    mine = np.array([11.0, 12.0, 13.0])
    ohlcv = OHLCV(**GOOD | {"close": mine})
    mine[0] = 99.0
    assert ohlcv.close[0] == 11.0
    with pytest.raises(ValueError, match="read-only"):
        ohlcv.close[0] = 1.0


def test_a_slice_is_a_window_of_the_same_bars() -> None:
    window = OHLCV(**GOOD)[-2:]
    assert window.open_time.tolist() == [60_000, 120_000]
    assert window.high.tolist() == [13.0, 14.0]


def test_no_bars_and_gaps_are_accepted() -> None:
    assert len(OHLCV([], [], [], [], [], [])) == 0
    assert len(OHLCV(**GOOD | {"open_time": [0, 60_000, 600_000]})) == 3


def test_open_and_close_outside_the_range_are_left_to_the_quality_check() -> None:
    assert OHLCV(**GOOD | {"close": [20.0, 12.0, 1.0]}).close.tolist() == [20.0, 12.0, 1.0]
