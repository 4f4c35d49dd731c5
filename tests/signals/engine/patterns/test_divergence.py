import numpy as np
import pytest

from signals.engine.indicators.momentum import rsi
from signals.engine.patterns.divergence import divergence
from signals.engine.patterns.levels import swing_levels
from signals.engine.patterns.pivots import confirmed_pivots, pivot_rows
from tests.signals.engine.gate import scene

BARS = scene(1_500, seed=7).ohlcv


def peaks(*tops: tuple[int, float], rows: int = 60, base: float = 50.0) -> np.ndarray:
    """A slope of 1 per row up to and down from each top (row, height)."""
    slopes = [height - np.abs(np.arange(rows) - row) for row, height in tops]
    return np.maximum(np.max(slopes, axis=0), base)


def plain_pivots(values: np.ndarray, bars: int) -> list[int]:
    """Rows of the tops: above all `bars` rows before, not below any of the `bars` rows after."""
    return [
        row
        for row in range(bars, len(values) - bars)
        if values[row] > max(values[row - bars : row])
        and values[row] >= max(values[row + 1 : row + bars + 1])
    ]


def test_a_pivot_is_known_so_many_rows_after_it() -> None:
    pivots = confirmed_pivots(peaks((20, 70.0)), np.full(60, 1.0), 4)
    assert np.flatnonzero(pivots.high).tolist() == [24]
    assert pivot_rows(pivots.high, 4).tolist() == [20]
    assert not pivots.low.any()


@pytest.mark.parametrize("bars", [1, 3, 7])
def test_pivots_equal_a_plain_loop(bars: int) -> None:
    pivots = confirmed_pivots(BARS.high, BARS.low, bars)
    assert pivot_rows(pivots.high, bars).tolist() == plain_pivots(BARS.high, bars)
    assert pivot_rows(pivots.low, bars).tolist() == plain_pivots(-BARS.low, bars)
    assert pivots.high.sum() > 30


def test_of_a_plateau_the_first_row_is_the_pivot() -> None:
    high = np.array([1.0, 2.0, 3.0, 3.0, 3.0, 2.0, 1.0])
    assert pivot_rows(confirmed_pivots(high, high, 2).high, 2).tolist() == [2]


@pytest.mark.parametrize(
    ("first", "second", "regular", "hidden"),
    [
        ((70.0, 60.0), (75.0, 55.0), -1, 0),  # higher high of price, lower high of the oscillator
        ((75.0, 55.0), (70.0, 60.0), 0, -1),  # lower high of price, higher high of the oscillator
        ((70.0, 55.0), (75.0, 60.0), 0, 0),  # both rise
        ((75.0, 60.0), (70.0, 55.0), 0, 0),  # both fall
    ],
)
def test_two_tops_diverge_as_defined_and_two_bottoms_the_other_way(
    first: tuple[float, float], second: tuple[float, float], regular: int, hidden: int
) -> None:
    oscillator = np.zeros(60)
    oscillator[20], oscillator[40] = first[1], second[1]
    price = peaks((20, first[0]), (40, second[0]))
    flat = np.zeros(60)
    bearish = divergence(price, flat, oscillator, bars=3)
    assert (bearish.regular[43], bearish.hidden[43]) == (regular, hidden)
    bullish = divergence(flat, -price, -oscillator, bars=3)
    assert (bullish.regular[43], bullish.hidden[43]) == (-regular, -hidden)
    for found in (*bearish, *bullish):
        assert found.dtype == np.int8
        assert not np.delete(found, 43).any()


def test_tops_too_far_apart_are_not_compared() -> None:
    oscillator = np.zeros(60)
    oscillator[20], oscillator[40] = 60, 55
    price = peaks((20, 70.0), (40, 75.0))
    assert divergence(price, np.zeros(60), oscillator, longest=20).regular.any()
    assert not divergence(price, np.zeros(60), oscillator, longest=19).regular.any()


def test_an_oscillator_that_is_not_known_yet_says_nothing() -> None:
    oscillator = np.full(60, 40.0)
    oscillator[:21] = np.nan
    price = peaks((20, 70.0), (40, 75.0))
    assert not divergence(price, np.zeros(60), oscillator).regular.any()


def test_divergences_of_a_market_are_both_kinds_and_both_ways() -> None:
    for found in divergence(BARS.high, BARS.low, rsi(BARS.close)):
        assert {-1, 0, 1} <= set(found.tolist())
        assert 10 < (found != 0).sum() < 300


def test_levels_are_the_nearest_confirmed_swings_around_the_close() -> None:
    bars, memory = 4, 80
    levels = swing_levels(BARS.high, BARS.low, BARS.close, bars, memory)
    tops, bottoms = plain_pivots(BARS.high, bars), plain_pivots(-BARS.low, bars)
    for row in range(len(BARS)):
        known = range(row - memory + 1 - bars, row - bars + 1)
        above = [BARS.high[top] for top in tops if top in known and BARS.high[top] > BARS.close[row]]
        below = [BARS.low[low] for low in bottoms if low in known and BARS.low[low] < BARS.close[row]]
        assert levels.resistance[row] == min(above) if above else np.isnan(levels.resistance[row])
        assert levels.support[row] == max(below) if below else np.isnan(levels.support[row])
    assert np.isfinite(levels.support).mean() > 0.5
    assert np.isnan(levels.support).any()
