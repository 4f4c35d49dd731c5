"""Random entries, drawn trades and drawn markets."""

import numpy as np
import pytest
from scipy.stats import kstest

from research.engine.overfitting import (
    bootstrap_candles,
    monte_carlo_candles,
    monte_carlo_trades,
    random_entry_significance,
)
from signals.engine.candle import OHLCV


def walk(bars: int, seed: int = 0) -> OHLCV:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, bars)))
    opened = np.concatenate(([100.0], close[:-1])) * np.exp(rng.normal(0, 0.001, bars))
    high = np.maximum(opened, close) * (1 + rng.random(bars) / 100)
    low = np.minimum(opened, close) * (1 - rng.random(bars) / 100)
    return OHLCV(np.arange(bars) * 3_600_000, opened, high, low, close, rng.random(bars))


def test_entries_that_know_the_future_are_significant() -> None:
    prices = walk(1_000).close
    best = np.argsort(prices[1:] / prices[:-1])[-30:]

    found = random_entry_significance(
        prices, best, best + 1, np.ones(30), rng=np.random.default_rng(1), draws=500
    )

    assert found.p_value == pytest.approx(1 / 501)
    assert found.observed == pytest.approx((prices[best + 1] / prices[best] - 1).mean())


@pytest.mark.parametrize("overlap", [False, True])
def test_p_values_of_random_entries_are_uniform(overlap: bool) -> None:
    prices, rng = walk(400).close, np.random.default_rng(2)
    found = []
    for _ in range(150):
        entered = rng.integers(0, 380, 12) if overlap else rng.choice(19, 12, replace=False) * 20
        sides = rng.choice((-1, 1), 12)
        found.append(
            random_entry_significance(prices, entered, entered + 10, sides, rng=rng, draws=99).p_value
        )

    assert kstest(found, "uniform").pvalue > 0.01


def test_trades_that_fill_the_market_fit_in_one_way_only() -> None:
    prices = np.array([1.0, 2.0, 3.0, 4.0, 5.0])

    found = random_entry_significance(prices, [0, 2], [2, 4], [1, 1], rng=np.random.default_rng(3), draws=50)

    assert found.deviation == 0
    assert found.p_value == 1


@pytest.mark.parametrize(
    ("entered", "exited", "sides", "words"),
    [
        ([], [], [], "no trades"),
        ([3], [3], [1], "before it is exited"),
        ([0], [10], [1], "rows of prices"),
        ([0], [1], [0], "sides"),
        ([0, 1], [1], [1], "one length"),
    ],
)
def test_trades_that_cannot_be_placed_are_refused(
    entered: list[int], exited: list[int], sides: list[int], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        random_entry_significance(np.ones(10), entered, exited, sides, rng=np.random.default_rng(4))


def test_drawn_trades_have_the_mean_of_their_trades_and_shuffled_ones_their_total() -> None:
    returns = np.random.default_rng(5).normal(0.002, 0.01, 200)

    drawn = monte_carlo_trades(returns, rng=np.random.default_rng(6), draws=2_000)
    shuffled = monte_carlo_trades(returns, rng=np.random.default_rng(6), draws=200, replace=False)

    assert np.log1p(drawn.total_return).mean() == pytest.approx(np.log1p(returns).sum(), abs=0.01)
    assert np.log1p(drawn.total_return).std() == pytest.approx(np.log1p(returns).std() * 200**0.5, rel=0.05)
    assert shuffled.total_return == pytest.approx(np.prod(1 + returns) - 1)
    assert shuffled.max_drawdown.std() > 0
    assert (shuffled.max_drawdown <= 0).all()


def test_a_drawn_market_is_made_of_the_bars_of_the_market() -> None:
    candles = walk(500)

    drawn = bootstrap_candles(candles, rng=np.random.default_rng(7), mean_block=20)

    assert drawn.open_time.tolist() == candles.open_time.tolist()
    assert drawn.open[0] == candles.open[0]
    shapes = {
        tuple(np.round(each, 9)) for each in zip(candles.high / candles.open, candles.volume, strict=True)
    }
    assert {
        tuple(np.round(each, 9)) for each in zip(drawn.high / drawn.open, drawn.volume, strict=True)
    } <= shapes
    steps = np.round(candles.open[1:] / candles.close[:-1], 9)
    assert np.isin(np.round(drawn.open[1:] / drawn.close[:-1], 9), steps).all()
    same_order = np.diff([int(np.flatnonzero(candles.volume == each)[0]) for each in drawn.volume])
    assert np.mean(same_order == 1) == pytest.approx(1 - 1 / 20, abs=0.03)


def test_a_measure_of_drawn_markets_is_taken_of_each() -> None:
    candles = walk(300)

    found = monte_carlo_candles(
        candles, lambda each: float(each.close[-1]), rng=np.random.default_rng(8), draws=50
    )

    assert len(np.unique(found)) == 50


def test_what_cannot_be_drawn_is_refused() -> None:
    rng = np.random.default_rng(9)
    with pytest.raises(ValueError, match="too few"):
        monte_carlo_trades([0.1], rng=rng)
    with pytest.raises(ValueError, match="at least -1"):
        monte_carlo_trades([0.1, np.nan], rng=rng)
    with pytest.raises(ValueError, match="draws"):
        monte_carlo_trades([0.1, 0.2], rng=rng, draws=0)
    with pytest.raises(ValueError, match="mean_block"):
        bootstrap_candles(walk(10), rng=rng, mean_block=0)
    with pytest.raises(ValueError, match="too few"):
        bootstrap_candles(walk(1), rng=rng)
