"""A sweep against one backtest for each pair."""

from decimal import Decimal

import numpy as np
import pytest

from autopilot.engine.simulator import simulate_signals
from autopilot.engine.sweep import sweep_crossings
from signals.engine.candle import OHLCV
from signals.engine.costs import NO_COSTS, CostRates
from signals.engine.fill import Grid

FEES = CostRates(maker_bps=Decimal(2), taker_bps=Decimal(10), slippage_bps=Decimal(3))
CENTS = Grid(tick=Decimal("0.01"), lot=Decimal("0.001"))
WINDOWS = (1, 2, 5, 40, 200)


def walk(bars: int, seed: int) -> OHLCV:
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.01, bars))), 2)
    opened = np.concatenate(([100.0], close[:-1]))[:bars]
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    return OHLCV(np.arange(bars) * 60_000, opened, high, low, close, np.ones(bars))


def means(candles: OHLCV) -> np.ndarray:
    found = np.full((len(WINDOWS), len(candles)), np.nan)
    for row, bars in enumerate(WINDOWS):
        if bars <= len(candles):
            found[row, bars - 1 :] = np.convolve(candles.close, np.full(bars, 1 / bars), "valid")
    return found


def crossings(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    above = first > second
    entries, exits = np.zeros(len(first), dtype=np.int8), np.zeros(len(first), dtype=np.bool_)
    for bar in range(1, len(first)):
        known = not (np.isnan(first[bar - 1]) or np.isnan(second[bar - 1]))
        entries[bar] = above[bar] and not above[bar - 1] and known
        exits[bar] = above[bar - 1] and not above[bar]
    return entries, exits


@pytest.mark.parametrize("bars", [0, 1, 2, 64, 65, 1_025, 2_500])
@pytest.mark.parametrize("quantity", [None, Decimal(3)])
@pytest.mark.parametrize("grid", [None, CENTS])
def test_each_pair_ends_as_its_own_backtest(bars: int, quantity: Decimal | None, grid: Grid | None) -> None:
    candles = walk(bars, seed=bars)
    indicators = means(candles)
    pairs = [(first, second) for first in range(len(WINDOWS)) for second in range(len(WINDOWS))]

    found = sweep_crossings(candles, indicators, pairs, quantity=quantity, rates=FEES, grid=grid)

    for row, (first, second) in enumerate(pairs):
        entries, exits = crossings(indicators[first], indicators[second])
        alone = simulate_signals(candles, entries, exits, quantity=quantity or "all", rates=FEES, grid=grid)
        assert found.final_equity[row] == (alone.equity[-1] if bars else 10_000)
        assert found.trades[row] == len(alone.trades)
    assert bars < 1_000 or found.trades.max() > 50


def test_what_does_not_fit_is_refused() -> None:
    candles = walk(10, seed=1)
    with pytest.raises(ValueError, match=r"\(m, 10\)"):
        sweep_crossings(candles, np.ones((2, 9)), [(0, 1)])
    with pytest.raises(ValueError, match="beyond the 2 indicators"):
        sweep_crossings(candles, np.ones((2, 10)), [(0, 2)])
    with pytest.raises(ValueError, match="at least 1e-8"):
        sweep_crossings(candles, np.ones((2, 10)), [(0, 1)], cash=Decimal(0))
    with pytest.raises(ValueError, match="fixed fees"):
        sweep_crossings(
            candles, np.ones((2, 10)), [(0, 1)], rates=CostRates(*[Decimal(0)] * 3, borrow_bps=Decimal(1))
        )
    assert len(sweep_crossings(candles, np.ones((2, 10)), [], rates=NO_COSTS).final_equity) == 0
