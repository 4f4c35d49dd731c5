"""How often the best of the trials in one half of the history is among the worse ones in the other half."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray

FLAT = 1e-12
MOST_SPLITS = 20
CELLS_AT_ONCE = 4_000_000

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class SymmetricValidation:
    """One value per way to halve the blocks: the best column in sample, its Sharpe there and on the other half
    (per period), and the logit of its relative rank there, above 0 for better than the median."""

    chosen: IntArray
    in_sample: FloatArray
    out_of_sample: FloatArray
    logits: FloatArray

    @property
    def probability(self) -> float:
        """Share of halvings in which the best in sample is not better than the median out of sample."""
        return float((self.logits <= 0).mean())

    @property
    def probability_of_loss(self) -> float:
        """Share of halvings in which the best in sample loses out of sample."""
        return float((self.out_of_sample < 0).mean())


def probability_of_backtest_overfitting(returns: npt.ArrayLike, splits: int) -> float:
    """Share, 0 to 1, of the halvings of `symmetric_validation` whose logit is at or below 0."""
    return symmetric_validation(returns, splits).probability


def symmetric_validation(returns: npt.ArrayLike, splits: int) -> SymmetricValidation:
    """Combinatorially symmetric cross-validation of T periods x N trials, all run over the same time.

    The rows are cut into `splits` (even) blocks of equal length, those that do not divide dropped from the start;
    every half of the blocks is in sample once. A trial that does nothing in a half has a Sharpe of 0 there. Equal
    trials share their ranks. Source: Bailey, Borwein, López de Prado and Zhu, The Probability of Backtest
    Overfitting (2017).
    """
    blocks = _blocks(returns, splits)
    half_rows = blocks.shape[0] // 2 * blocks.shape[1]
    if half_rows < 2:
        raise ValueError("returns: half of the blocks is a single row, too few for a Sharpe ratio")
    shift = blocks.mean(axis=(0, 1))
    sums, squares = (blocks - shift).sum(axis=1), ((blocks - shift) ** 2).sum(axis=1)
    largest = np.abs(blocks).max(axis=(0, 1))

    def sharpe(halves: FloatArray) -> FloatArray:
        return _sharpe(halves @ sums, halves @ squares, shift, largest, half_rows)

    found = [_judged(sharpe(halves), sharpe(1 - halves)) for halves in _halvings(splits, blocks.shape[2])]
    return SymmetricValidation(*(np.concatenate(each) for each in zip(*found, strict=True)))


def _blocks(returns: npt.ArrayLike, splits: int) -> FloatArray:
    """(splits, rows of a block, trials)."""
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 2:
        raise ValueError("returns must be periods x trials, of two trials at least")
    if not np.isfinite(values).all():
        raise ValueError("returns must be finite: every trial has a return in every period")
    if splits % 2 or not 2 <= splits <= MOST_SPLITS:
        raise ValueError(f"splits must be an even number from 2 to {MOST_SPLITS}, not {splits}")
    rows = len(values) // splits
    if rows < 1:
        raise ValueError(f"returns: {len(values)} periods are too few for {splits} blocks")
    return values[len(values) - rows * splits :].reshape(splits, rows, values.shape[1])


def _halvings(splits: int, trials: int) -> Iterator[FloatArray]:
    """All halves of the blocks as rows of 0 and 1, some at a time, so that memory does not grow with their number."""
    members = np.array(list(combinations(range(splits), splits // 2)))
    halves = np.zeros((comb(splits, splits // 2), splits))
    np.put_along_axis(halves, members, 1.0, axis=1)
    step = max(CELLS_AT_ONCE // trials, 1)
    for begin in range(0, len(halves), step):
        yield halves[begin : begin + step]


def _sharpe(
    sums: FloatArray, squares: FloatArray, shift: FloatArray, largest: FloatArray, rows: int
) -> FloatArray:
    """Per period with ddof 1, from sums of returns that stand `shift` too low."""
    means = sums / rows
    spread = squares - sums * means
    flat = spread <= np.maximum(FLAT * squares, rows * (FLAT * largest) ** 2)
    total = means + shift
    total[np.abs(total) <= FLAT * largest] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(flat, np.sign(total) * np.inf, total / np.sqrt(np.maximum(spread, 0) / (rows - 1)))
    found[flat & (total == 0)] = 0.0
    return found


def _judged(inside: FloatArray, outside: FloatArray) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    rows = np.arange(len(inside))
    chosen = inside.argmax(axis=1)
    own = outside[rows, chosen][:, None]
    tolerance = FLAT * np.abs(own)
    tolerance[np.isinf(own)] = 0.0
    equal = (outside == own) | ((outside > own - tolerance) & (outside < own + tolerance))
    rank = ((outside < own) & ~equal).sum(axis=1) + (equal.sum(axis=1) + 1) / 2
    relative = rank / (outside.shape[1] + 1)
    return chosen, inside[rows, chosen], own[:, 0], np.log(relative / (1 - relative))
