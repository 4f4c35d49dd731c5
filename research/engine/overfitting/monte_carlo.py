"""What else could have happened: the same trades in another order, the same market in other blocks."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.performance import max_drawdown


@dataclass(frozen=True, slots=True, eq=False)
class TradeHistories:
    """One value per drawn history: what an account of 1 earned in all (0.1 is 10 %), and its deepest fall, <= 0."""

    total_return: FloatArray
    max_drawdown: FloatArray


def monte_carlo_trades(
    returns: npt.ArrayLike, *, rng: np.random.Generator, draws: int = 1_000, replace: bool = True
) -> TradeHistories:
    """Histories of as many trades drawn from `returns`, each a share of the account (-1 to infinity).

    With `replace` they are drawn anew: how much does the total hang on a few trades? Without, only their order is
    drawn: how deep a fall could the same trades have had? ValueError for fewer than two trades.
    """
    each = np.asarray(returns, dtype=np.float64)
    if each.ndim != 1 or not (np.isfinite(each) & (each >= -1)).all():
        raise ValueError("returns must be 1-D, finite and at least -1, one per trade")
    if len(each) < 2:
        raise ValueError(f"returns: {len(each)} trades are too few to draw histories from")
    _check_draws(draws)
    total, deepest = np.empty(draws), np.empty(draws)
    for number in range(draws):
        history = each[rng.integers(0, len(each), len(each))] if replace else rng.permutation(each)
        total[number] = np.prod(1 + history) - 1
        deepest[number] = max_drawdown(history)
    return TradeHistories(total, deepest)


def monte_carlo_candles(
    candles: OHLCV,
    measure: Callable[[OHLCV], float],
    *,
    rng: np.random.Generator,
    draws: int = 200,
    mean_block: float = 24.0,
) -> FloatArray:
    """`measure`, a backtest's result say, on `draws` markets of `bootstrap_candles`; NaN where it is NaN."""
    _check_draws(draws)
    return np.array(
        [measure(bootstrap_candles(candles, rng=rng, mean_block=mean_block)) for _ in range(draws)]
    )


def bootstrap_candles(candles: OHLCV, *, rng: np.random.Generator, mean_block: float = 24.0) -> OHLCV:
    """A market of the same times and first price whose bars are drawn in blocks of `mean_block` bars on average.

    A bar keeps its shape, its volume and its step from the close before. Blocks keep what follows each other within
    hours or days, and break every longer pattern. Source: Politis and Romano, The Stationary Bootstrap (1994).
    """
    if len(candles) < 2:
        raise ValueError(f"candles: {len(candles)} are too few to draw from")
    if min(float(getattr(candles, each.name).min()) for each in fields(candles)[1:5]) <= 0:
        raise ValueError(
            "candles: a price is at or below zero, so that its ratio to the next one says nothing"
        )
    rows = 1 + _rows_in_blocks(len(candles) - 1, len(candles), mean_block, rng)
    first, body = candles.open[rows], candles.close[rows] / candles.open[rows]
    steps = first / candles.close[rows - 1]
    opened = candles.open[0] * np.concatenate(([1.0], np.cumprod(steps[1:] * body[:-1])))
    high, low, close = (opened * (each[rows] / first) for each in (candles.high, candles.low, candles.close))
    return OHLCV(candles.open_time, opened, high, low, close, candles.volume[rows])


def _rows_in_blocks(
    population: int, count: int, mean_block: float, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """`count` of `population` rows in blocks of geometrically distributed length, the end joined to the beginning."""
    if not mean_block >= 1:
        raise ValueError(f"mean_block must be at least 1, not {mean_block}")
    begins = rng.random(count) < 1 / mean_block
    begins[0] = True
    starts = np.flatnonzero(begins)
    drawn = rng.integers(0, population, len(starts))
    rows: npt.NDArray[np.intp] = (
        np.repeat(drawn - starts, np.diff(starts, append=count)) + np.arange(count)
    ) % population
    return rows


def _check_draws(draws: int) -> None:
    if draws < 1:
        raise ValueError(f"draws must be at least 1, not {draws}")
