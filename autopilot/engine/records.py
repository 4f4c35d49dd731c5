"""How each strategy did in each regime, and which one of a group is chosen by it.

Few trades say little: a record is drawn to the strategy's own mean in the other regimes, that one to the mean of all
strategies (James & Stein 1961, with a fixed weight in trades).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from autopilot.engine.groups import GROUP_ORDER
from signals.engine.candle import FloatArray
from signals.engine.regime import REGIMES
from signals.engine.strategies import STRATEGIES

NAMES = tuple(STRATEGIES)
PRIOR_TRADES = 30.0
USUAL_WIN_RATE = 0.4  # of the system's levels; only where nothing at all is known
GROUP_OF = np.array([GROUP_ORDER.index(each.group) for each in STRATEGIES.values()])


@dataclass(frozen=True, slots=True, eq=False)
class StrategyRecords:
    """Matrices (14, 6) of strategy and regime: trades, how many ended above zero after costs, their summed R.

    well_trades, well_wins: the same of those trades whose group made money over the sample's time.
    """

    trades: FloatArray
    wins: FloatArray
    summed_r: FloatArray
    well_trades: FloatArray
    well_wins: FloatArray

    def __add__(self, other: "StrategyRecords") -> "StrategyRecords":
        return StrategyRecords(*(getattr(self, name) + getattr(other, name) for name in FIELDS))

    def mean_r(self) -> FloatArray:
        """(14, 6), shrunk."""
        return _shrunk(self.summed_r, self.trades, 0.0)

    def win_rate(self) -> FloatArray:
        """(14, 6), shrunk: P(a trade of this strategy in this regime ends above zero)."""
        return _shrunk(self.wins, self.trades, USUAL_WIN_RATE)

    def confidence(self) -> FloatArray:
        """(14, 6), shrunk: the same, given that the trades of its group made money on the mean."""
        return _shrunk(self.well_wins, self.well_trades, USUAL_WIN_RATE)

    def group_rate(self) -> FloatArray:
        """(5, 6), shrunk: P(a trade of this group in this regime was one of a group that made money on the mean)."""
        trades, well = (self._of_groups(each) for each in (self.trades, self.well_trades))
        usual = well.sum() / trades.sum() if trades.any() else USUAL_WIN_RATE
        rate: FloatArray = (well + PRIOR_TRADES * usual) / (trades + PRIOR_TRADES)
        return rate

    @staticmethod
    def _of_groups(matrix: FloatArray) -> FloatArray:
        summed = np.zeros((len(GROUP_ORDER), matrix.shape[1]))
        np.add.at(summed, GROUP_OF, matrix)
        return summed

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name).tolist() for name in FIELDS}

    @staticmethod
    def from_json(stored: dict[str, Any]) -> "StrategyRecords":
        """ValueError when it is of other strategies or regimes than today's."""
        shape = (len(NAMES), len(REGIMES))
        columns = [np.asarray(stored.get(name, []), dtype=np.float64) for name in FIELDS]
        if any(column.shape != shape for column in columns):
            raise ValueError("the strategies' records are of other strategies or regimes than today's")
        return StrategyRecords(*columns)


FIELDS = ("trades", "wins", "summed_r", "well_trades", "well_wins")


def no_records() -> StrategyRecords:
    return StrategyRecords(*(np.zeros((len(NAMES), len(REGIMES))) for _ in FIELDS))


def count_records(
    trades: FloatArray, regime: npt.NDArray[np.int8], group_ahead: FloatArray
) -> StrategyRecords:
    """trades: R by row and strategy, (n, 14), NaN for none; regime (n,); group_ahead (n, 5): what each group made."""
    counted = no_records()
    row, strategy = np.nonzero(np.isfinite(trades) & (regime >= 0)[:, np.newaxis])
    made, cell = trades[row, strategy], (strategy, regime[row])
    well = group_ahead[row, GROUP_OF[strategy]] > 0
    for matrix, weight in (
        (counted.trades, np.ones(len(row))),
        (counted.wins, made > 0),
        (counted.summed_r, made),
        (counted.well_trades, well),
        (counted.well_wins, well & (made > 0)),
    ):
        np.add.at(matrix, cell, weight)
    return counted


def best_strategy(records: StrategyRecords, candidates: Sequence[str], regime: int) -> str | None:
    """Of `candidates`, whose shrunk record in this regime (place in REGIMES, -1: any) is best; None for none."""
    if not candidates:
        return None
    table = records.mean_r()
    made = table[:, regime] if regime >= 0 else table.mean(axis=1)
    return max(candidates, key=lambda name: made[NAMES.index(name)])


def _shrunk(sums: FloatArray, counts: FloatArray, usual: float) -> FloatArray:
    every = (sums.sum() + PRIOR_TRADES * usual) / (counts.sum() + PRIOR_TRADES)
    elsewhere, trades = sums.sum(axis=1, keepdims=True) - sums, counts.sum(axis=1, keepdims=True) - counts
    own = (elsewhere + PRIOR_TRADES * every) / (trades + PRIOR_TRADES)
    shrunk: FloatArray = (sums + PRIOR_TRADES * own) / (counts + PRIOR_TRADES)
    return shrunk
