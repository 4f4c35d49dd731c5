"""Which policy speaks for an instrument: PPO or DQN, or nobody; and whether it has drifted from its training."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NOBODY = ""
MARGIN = 0.5  # of a yearly Sharpe ratio, by which the other one must be better
LEAST_BARS = 168
LEAST_WIN_RATE = 0.5
WORSE_SHARPE = 1.0
WORSE_WIN_RATE = 0.05
MOVED_FEATURES = 0.25  # this share of the features has moved by a deviation of the training


@dataclass(frozen=True, slots=True)
class Record:
    """What a policy did on recent bars that it was not trained on; None where there is no such figure."""

    sharpe: float | None
    win_rate: float | None
    bars: int

    @property
    def passes(self) -> bool:
        return (
            self.bars >= LEAST_BARS
            and self.sharpe is not None
            and self.sharpe > 0
            and self.win_rate is not None
            and self.win_rate >= LEAST_WIN_RATE
        )


def choose(current: str, records: Mapping[str, Record]) -> str:
    """The kind that speaks next; records are of the same bars. The one in use stays until the other is better by a
    margin in its Sharpe ratio and no worse in its win rate, or until it passes no more."""
    passing = {kind: record for kind, record in records.items() if record.passes}
    if not passing:
        return NOBODY
    best = max(sorted(passing), key=lambda kind: passing[kind].sharpe or 0.0)
    if current not in passing or best == current:
        return best
    held, other = passing[current], passing[best]
    is_better = (other.sharpe or 0.0) > (held.sharpe or 0.0) + MARGIN
    return best if is_better and (other.win_rate or 0.0) >= (held.win_rate or 0.0) else current


def drift(
    *,
    trained: Record,
    live: Record,
    feature_mean: npt.ArrayLike,
    feature_deviation: npt.ArrayLike,
    recent: npt.ArrayLike,
) -> str:
    """Why a policy should be trained anew, in words; empty where it need not.

    recent: (rows, k) features of live bars. Features that never moved in training (a journal without a signal) have
    drifted as soon as they move.
    """
    if live.bars < LEAST_BARS:
        return ""
    if live.sharpe is not None and trained.sharpe is not None and live.sharpe < trained.sharpe - WORSE_SHARPE:
        return f"the Sharpe ratio fell from {trained.sharpe:.2f} to {live.sharpe:.2f}"
    if (
        live.win_rate is not None
        and trained.win_rate is not None
        and live.win_rate < trained.win_rate - WORSE_WIN_RATE
    ):
        return f"the win rate fell from {trained.win_rate:.1%} to {live.win_rate:.1%}"
    moved = np.abs(np.asarray(recent, dtype=np.float64).mean(axis=0) - np.asarray(feature_mean))
    share = float((moved > np.maximum(np.asarray(feature_deviation), 1e-6)).mean())
    return f"{share:.0%} of the features have moved" if share > MOVED_FEATURES else ""
