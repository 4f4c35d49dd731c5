"""A search held to what comes after it: in each fold the best of the past is chosen and followed into the next test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from research.engine.overfitting import Fold, probability_of_backtest_overfitting, walk_forward
from signals.engine.candle import FloatArray
from signals.engine.performance import sharpe_ratio

FEWEST_ROWS = 40
MOST_BLOCKS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """In one fold: the column chosen (-1 where none had a Sharpe ratio), and its per-period Sharpe before and in the
    test, NaN where there is none."""

    fold: Fold
    column: int
    before: float
    after: float


def search_folds(rows: int, *, folds: int, purge: int, embargo: int) -> list[Fold]:
    """So many tests over the newer half of the rows, each trained on all that came before it."""
    if rows < FEWEST_ROWS:
        raise ValueError(f"{rows} days are too few to search over; {FEWEST_ROWS} are the least")
    test = rows // 2 // folds
    train = rows - folds * test - purge - embargo
    if test < 2 or train < FEWEST_ROWS // 4:
        raise ValueError(f"folds: {rows} days are too few for {folds} tests and a gap of {purge + embargo}")
    return walk_forward(rows, train_rows=train, test_rows=test, purge=purge, embargo=embargo, anchored=True)


def choose_forward(returns: FloatArray, folds: Sequence[Fold]) -> tuple[list[Choice], FloatArray]:
    """returns: (T, N), NaN columns where a combination failed. Also the returns of what was chosen, test after test."""
    choices, followed = [], []
    for fold in folds:
        scores = np.array([known_sharpe(column, 1.0) for column in returns[fold.train].T])
        if np.isfinite(scores).any():
            column = int(np.argmax(np.where(np.isfinite(scores), scores, -np.inf)))
            tested = returns[fold.test, column]
            choices.append(Choice(fold, column, float(scores[column]), sharpe_ratio(tested, 1.0)))
        else:
            tested = np.zeros(len(fold.test))
            choices.append(Choice(fold, -1, np.nan, np.nan))
        followed.append(tested)
    return choices, np.concatenate(followed)


def known_sharpe(returns: FloatArray, periods_per_year: float) -> float:
    """NaN where the returns are not known."""
    return sharpe_ratio(returns, periods_per_year) if np.isfinite(returns).all() else np.nan


def overfitting_of(returns: FloatArray) -> float | None:
    """PBO of the columns that have returns; None where two of them, or two rows for each block, are lacking."""
    known = returns[:, np.isfinite(returns).all(axis=0)]
    blocks = min(MOST_BLOCKS, len(known) // 4 * 2)
    if known.shape[1] < 2 or blocks < 2:
        return None
    return probability_of_backtest_overfitting(known, blocks)
