"""Every indicator against a plain loop over its definition, and the contract that all of them keep."""

import inspect
from collections.abc import Callable, Sequence
from math import log, sqrt
from statistics import fmean, pstdev, variance

import numpy as np
import pytest
import talib

from signals.engine.indicators import momentum, trend, volatility, volume
from signals.engine.registry import ROW_WISE
from tests.signals.engine.gate import COLUMNS, Scene, row_wise_case, scene

BARS = scene(260, seed=8).ohlcv
OPEN, H, L, C, V = BARS.open, BARS.high, BARS.low, BARS.close, BARS.volume
TYPICAL = (H + L + C) / 3
INDICATORS = sorted(name for name in ROW_WISE if ".indicators." in name)
NAN = float("nan")


def each(first: int, value: Callable[[int], float]) -> np.ndarray:
    """`value(row)` from row `first` on, NaN before."""
    return np.array([NAN if row < first else value(row) for row in range(len(BARS))])


def last(values: Sequence[float], row: int, period: int) -> list[float]:
    return [float(values[at]) for at in range(row - period + 1, row + 1)]


def wilder(values: Sequence[float], period: int, first: int) -> np.ndarray:
    """Mean of the `period` values from row `first` on, then each new one weighs 1 / period."""
    out = [NAN] * (first + period - 1) + [fmean(values[first : first + period])]
    for value in values[first + period :]:
        out.append(out[-1] + (value - out[-1]) / period)
    return np.array(out)


def exponential(values: Sequence[float], period: int) -> np.ndarray:
    out = [NAN] * (period - 1) + [fmean(values[:period])]
    for value in values[period:]:
        out.append(out[-1] + 2 / (period + 1) * (value - out[-1]))
    return np.array(out)


def true_range() -> list[float]:
    return [NAN] + [max(H[i], C[i - 1]) - min(L[i], C[i - 1]) for i in range(1, len(BARS))]


def assert_equal(result: np.ndarray, expected: np.ndarray, rtol: float = 1e-9) -> None:
    assert np.isfinite(expected).sum() > 100
    np.testing.assert_allclose(result, expected, rtol=rtol, atol=1e-9)


def test_oscillators() -> None:
    def highest(row: int) -> float:
        return max(last(H, row, 9))

    def lowest(row: int) -> float:
        return min(last(L, row, 9))

    fast = each(8, lambda row: 100 * (C[row] - lowest(row)) / (highest(row) - lowest(row)))
    k = each(10, lambda row: fmean(last(fast, row, 3)))
    result = momentum.stochastic(H, L, C, 9, 3, 4)
    assert_equal(result.d, each(13, lambda row: fmean(last(k, row, 4))))
    assert_equal(result.k[13:], k[13:])
    assert np.isnan(result.k[:13]).all()
    assert_equal(momentum.williams_r(H, L, C, 9), fast - 100)
    assert_equal(momentum.roc(C, 7), each(7, lambda row: 100 * (C[row] / C[row - 7] - 1)))

    def deviation(row: int) -> float:
        recent = last(TYPICAL, row, 9)
        return fmean(abs(value - fmean(recent)) for value in recent)

    expected = each(8, lambda row: (TYPICAL[row] - fmean(last(TYPICAL, row, 9))) / (0.015 * deviation(row)))
    assert_equal(momentum.cci(H, L, C, 9), expected)


def test_directional_movement_in_talib_s_seeding() -> None:
    period = 6
    up, down = np.rint(10 * np.diff(H)) / 10, -np.rint(10 * np.diff(L)) / 10  # ticks of 0.1: ties are ties
    plus, minus = np.where((up > down) & (up > 0), up, 0), np.where((down > up) & (down > 0), down, 0)
    ranges = np.array(true_range()[1:])

    def smoothed(values: np.ndarray) -> np.ndarray:
        """Sums: TA-Lib adds up one fewer than the period before its smoothing starts."""
        total, out = values[: period - 1].sum(), []
        for value in values[period - 1 :]:
            total += value - total / period
            out.append(total)
        return np.array(out)

    plus_di, minus_di = (100 * smoothed(moved) / smoothed(ranges) for moved in (plus, minus))
    assert_equal(trend.plus_di(H, L, C, period)[period:], plus_di)
    assert_equal(trend.minus_di(H, L, C, period)[period:], minus_di)
    index = 100 * np.abs(plus_di - minus_di) / (plus_di + minus_di)
    out = [index[:period].mean()]
    for value in index[period:]:
        out.append((out[-1] * (period - 1) + value) / period)
    assert_equal(trend.adx(H, L, C, period)[2 * period - 1 :], np.array(out))


def test_directional_movement_of_the_smallest_prices_is_that_of_others() -> None:
    tiny = (np.array(column) * 1e-299 for column in (H, L, C))
    np.testing.assert_allclose(trend.adx(*tiny, 6), trend.adx(H, L, C, 6), atol=1e-3)


def test_aroon_counts_bars_since_the_extremes() -> None:
    def since(values: Sequence[float], row: int, pick: Callable[[list[float]], float]) -> float:
        recent = last(values, row, 11)[::-1]
        return 100 * (10 - recent.index(pick(recent))) / 10

    result = trend.aroon(H, L, 10)
    assert_equal(result.up, each(10, lambda row: since(H, row, max)))
    assert_equal(result.down, each(10, lambda row: since(L, row, min)))


def test_supertrend_trails_and_turns() -> None:
    period, multiple = 7, 2.0
    reach = multiple * wilder(true_range(), period, 1)
    ceiling = floor = NAN
    rising, expected = False, []
    for row in range(len(BARS)):
        if row < period:
            expected.append((NAN, NAN))
            continue
        middle = (H[row] + L[row]) / 2
        upper, lower = middle + reach[row], middle - reach[row]
        if row == period:
            ceiling, floor, rising = upper, lower, bool(C[row] > middle)
        else:
            if upper < ceiling or C[row - 1] > ceiling:
                ceiling = upper
            if lower > floor or C[row - 1] < floor:
                floor = lower
            rising = C[row] >= floor if rising else C[row] > ceiling
        expected.append((floor, 1) if rising else (ceiling, -1))
    line, direction = np.array(expected).T
    result = trend.supertrend(H, L, C, period, multiple)
    assert_equal(result.line, line)
    np.testing.assert_array_equal(result.direction, direction)
    assert {-1.0, 1.0} <= set(direction)


def test_ichimoku_leads_by_what_was_known_then() -> None:
    def middle(row: int, period: int) -> float:
        return (max(last(H, row, period)) + min(last(L, row, period))) / 2

    result = trend.ichimoku(H, L, 9, 26, 52)
    assert_equal(result.conversion, each(8, lambda row: middle(row, 9)))
    assert_equal(result.base, each(25, lambda row: middle(row, 26)))
    assert_equal(result.leading_a, each(51, lambda row: (middle(row - 26, 9) + middle(row - 26, 26)) / 2))
    assert_equal(result.leading_b, each(77, lambda row: middle(row - 26, 52)))


def test_bands_and_channels() -> None:
    bands = volatility.bollinger_bands(C, 12, 1.5)
    assert_equal(bands.middle, each(11, lambda row: fmean(last(C, row, 12))))
    width = each(11, lambda row: 1.5 * pstdev(last(C, row, 12)))
    assert_equal(bands.upper - bands.middle, width, rtol=1e-6)
    assert_equal(bands.middle - bands.lower, width, rtol=1e-6)
    channel = volatility.donchian(H, L, 15)
    assert_equal(channel.upper, each(14, lambda row: max(last(H, row, 15))))
    assert_equal(channel.lower, each(14, lambda row: min(last(L, row, 15))))
    assert_equal(channel.middle, (channel.upper + channel.lower) / 2)
    keltner = volatility.keltner(H, L, C, 20, 10, 2.5)
    assert_equal(keltner.middle, exponential(C, 20))
    assert_equal((keltner.upper - keltner.lower)[19:], 5 * wilder(true_range(), 10, 1)[19:])


def test_estimators_of_volatility() -> None:
    n = 15

    def root_mean(first: int, value: Callable[[int], float]) -> np.ndarray:
        return each(first, lambda row: sqrt(fmean(value(at) for at in range(row - n + 1, row + 1))))

    assert_equal(volatility.realised(C, n), root_mean(n, lambda at: log(C[at] / C[at - 1]) ** 2))
    assert_equal(
        volatility.parkinson(H, L, n), root_mean(n - 1, lambda at: log(H[at] / L[at]) ** 2 / (4 * log(2)))
    )
    garman_klass = root_mean(
        n - 1, lambda at: 0.5 * log(H[at] / L[at]) ** 2 - (2 * log(2) - 1) * log(C[at] / OPEN[at]) ** 2
    )
    assert_equal(volatility.garman_klass(OPEN, H, L, C, n), garman_klass)

    def yang_zhang(row: int) -> float:
        rows = range(row - n + 1, row + 1)
        outside = variance(log(OPEN[at] / C[at - 1]) for at in rows)
        body = variance(log(C[at] / OPEN[at]) for at in rows)
        inside = fmean(
            log(H[at] / C[at]) * log(H[at] / OPEN[at]) + log(L[at] / C[at]) * log(L[at] / OPEN[at])
            for at in rows
        )
        k = 0.34 / (1.34 + (n + 1) / (n - 1))
        return sqrt(outside + k * body + (1 - k) * inside)

    assert_equal(volatility.yang_zhang(OPEN, H, L, C, n), each(n, yang_zhang))


def test_estimators_find_the_volatility_of_a_walk() -> None:
    """Against the truth rather than a formula: 0.01 per bar, each bar of 400 steps of a driftless walk."""
    steps = np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01 / 20, (1_000, 400)).ravel()))
    steps = steps.reshape(1_000, 400)
    close = steps[:, -1]
    open_ = np.concatenate(([1.0], close[:-1]))
    high, low = np.maximum(open_, steps.max(axis=1)), np.minimum(open_, steps.min(axis=1))
    for estimate in (
        volatility.realised(close, 900),
        volatility.parkinson(high, low, 900),
        volatility.garman_klass(open_, high, low, close, 900),
        volatility.yang_zhang(open_, high, low, close, 900),
    ):
        assert estimate[-1] == pytest.approx(0.01, rel=0.06)


def test_volume_weighted_means() -> None:
    def weighted(row: int) -> float:
        pairs = list(zip(last(TYPICAL, row, 10), last(V, row, 10), strict=True))
        return sum(price * weight for price, weight in pairs) / sum(weight for _, weight in pairs)

    assert_equal(volume.vwap(H, L, C, V, 10), each(9, weighted))
    flow = [
        0.0 if high == low else (2 * close - high - low) / (high - low) * amount
        for high, low, close, amount in zip(H, L, C, V, strict=True)
    ]
    assert_equal(
        volume.cmf(H, L, C, V, 10), each(9, lambda row: sum(last(flow, row, 10)) / sum(last(V, row, 10)))
    )


def test_windows_without_volume_give_an_even_mean_and_no_flow() -> None:
    none = np.zeros(len(C))
    assert_equal(volume.vwap(H, L, C, none, 10), each(9, lambda row: fmean(last(TYPICAL, row, 10))))
    np.testing.assert_array_equal(volume.cmf(H, L, C, none, 10)[9:], 0)


def test_equal_to_ta_lib_bit_for_bit() -> None:
    pairs = [
        (trend.aroon(H, L, 9).up, talib.AROON(H, L, 9)[1]),
        (trend.aroon(H, L, 9).down, talib.AROON(H, L, 9)[0]),
        (momentum.williams_r(H, L, C, 9), talib.WILLR(H, L, C, 9)),
        (momentum.cci(H, L, C, 9), talib.CCI(H, L, C, 9)),
        (momentum.roc(C, 9), talib.ROC(C, 9)),
        (volume.obv(C, V), talib.OBV(C, V)),
        (volume.mfi(H, L, C, V, 9), talib.MFI(H, L, C, V, 9)),
        *zip(momentum.stochastic(H, L, C), talib.STOCH(H, L, C, 14, 3, 0, 3, 0), strict=True),
        *zip(volatility.bollinger_bands(C, 9, 1.5), talib.BBANDS(C, 9, 1.5, 1.5), strict=True),
    ]
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours, theirs)


def test_directional_movement_is_ta_lib_s_on_whole_ticks() -> None:
    ticks = [np.rint(column * 10) for column in (H, L, C)]  # the scene's prices have one decimal
    np.testing.assert_allclose(trend.adx(H, L, C, 9), talib.ADX(*ticks, 9), rtol=1e-12)
    np.testing.assert_allclose(trend.plus_di(H, L, C, 9), talib.PLUS_DI(*ticks, 9), rtol=1e-12)
    np.testing.assert_allclose(trend.minus_di(H, L, C, 9), talib.MINUS_DI(*ticks, 9), rtol=1e-12)


@pytest.mark.parametrize("name", INDICATORS)
def test_same_length_out_and_nan_only_before_the_first_value(name: str) -> None:
    run = row_wise_case(ROW_WISE[name], 0).run
    whole = scene(300, seed=9)
    firsts = {column: int(np.argmax(np.isfinite(values))) for column, values in run(whole).items()}
    for column, values in run(whole).items():
        assert values.dtype == np.float64
        assert np.isfinite(values[firsts[column] :]).all()
        assert firsts[column] <= 100
    for rows in (0, 1, 2, 10, max(firsts.values())):
        for column, values in run(Scene(whole.ohlcv[:rows], {})).items():
            assert len(values) == rows
            assert np.isnan(values[: firsts[column]]).all()


@pytest.mark.parametrize("name", INDICATORS)
@pytest.mark.parametrize("bad", [0, -3, 2.5, True, 100_001])
def test_a_bad_period_is_refused_by_name(name: str, bad: float) -> None:
    function = ROW_WISE[name].function
    signature = inspect.signature(function).parameters
    given = {column: C for column in COLUMNS if column in signature}
    not_periods = ("deviations", "multiplier")
    periods = [each for each in signature if each not in COLUMNS and each not in not_periods]
    for period in periods:
        with pytest.raises(ValueError, match=period):
            function(**given, **(dict(ROW_WISE[name].example) | {period: bad}))
    assert periods or name.endswith("obv")


@pytest.mark.parametrize("bad", [0.0, -1.0, NAN, float("inf")])
def test_a_band_without_width_is_refused(bad: float) -> None:
    for width in (
        lambda: volatility.bollinger_bands(C, 20, bad),
        lambda: volatility.keltner(H, L, C, multiplier=bad),
        lambda: trend.supertrend(H, L, C, multiplier=bad),
    ):
        with pytest.raises(ValueError, match="must be a finite number above 0"):
            width()


@pytest.mark.parametrize("name", INDICATORS)
def test_holes_and_columns_of_unequal_length_are_refused(name: str) -> None:
    function, example = ROW_WISE[name].function, ROW_WISE[name].example
    given = {column: C.copy() for column in COLUMNS if column in inspect.signature(function).parameters}
    for column in given:
        holed = given | {column: np.where(np.arange(len(C)) == 50, NAN, C)}
        with pytest.raises(ValueError, match=f"{column} row 50 is nan"):
            function(**holed, **example)
        if len(given) > 1:
            with pytest.raises(ValueError, match="differ in length"):
                function(**(given | {column: C[:-1]}), **example)


def test_a_logarithm_of_a_price_at_zero_is_refused() -> None:
    low = L.copy()
    low[7] = 0
    with pytest.raises(ValueError, match=r"low row 7 is 0\.0: a logarithm needs prices above 0"):
        volatility.parkinson(H, low)
