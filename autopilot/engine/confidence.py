"""From frequencies on record to P(profit after costs): each is a score, calibrated on what came after it.

group_confidence is the calibrated P(the group's trades end above zero), strategy_confidence that of the strategy's
trade given that its group's do. A calibration sees only scores that were told by a record of outcomes known at that
close (walk-forward, purged by the label's horizon). With fewer than FEWEST_OUTCOMES nothing is told: uncalibrated.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from autopilot.engine.bootstrap import Samples
from autopilot.engine.groups import GROUP_ORDER, MEMBERS, rule_order
from autopilot.engine.records import GROUP_OF, NAMES, StrategyRecords, count_records
from signals.engine.calibration import FEWEST_OUTCOMES, Calibration, Method, fit_calibration
from signals.engine.candle import FloatArray
from signals.engine.wilson import wilson

IntArray = npt.NDArray[np.int64]

BLOCKS = 20
WARM_UP = 1 / 4  # of the rows, for the first record


@dataclass(frozen=True, slots=True, eq=False)
class Confidence:
    """The maps of both scores; who cannot tell one of them tells no probability."""

    group: Calibration
    within: Calibration

    def of(self, group_score: float, within_score: float | None) -> dict[str, Any]:
        """Both confidences and, where both are calibrated, their product with n and interval: fields of a Choice."""
        sure, within = told_by(self.group, group_score), told_by(self.within, within_score)
        found: dict[str, Any] = {"group_confidence": sure, "strategy_confidence": within}
        if sure is None or within is None:
            return found
        n = min(self.group.n, self.within.n)
        low, high = wilson(sure * within, n)
        return found | {
            "probability": sure * within,
            "probability_n": n,
            "probability_low": low,
            "probability_high": high,
        }

    def products(self, group_scores: FloatArray, within_scores: FloatArray) -> FloatArray:
        """P(profit) of many, NaN where uncalibrated."""
        if min(self.group.n, self.within.n) < FEWEST_OUTCOMES:
            return np.full(len(group_scores), np.nan)
        return self.group.probability(group_scores) * self.within.probability(within_scores)


def told_by(calibration: Calibration, score: float | None) -> float | None:
    """None without a score, or where too few outcomes stand behind the map."""
    if score is None or calibration.n < FEWEST_OUTCOMES:
        return None
    return float(calibration.probability(np.array([score]))[0])


def fit_outcomes(scores: FloatArray, outcomes: npt.NDArray[np.bool_]) -> Calibration:
    """`fit_calibration`; of no outcome at all a map that tells nothing."""
    if len(scores) == 0:
        nothing = np.empty(0)
        return Calibration(Method.BASE_RATE, 0, 0.0, np.nan, np.nan, nothing, 0.0, nothing, nothing)
    return fit_calibration(scores, outcomes.astype(np.float64))


def fit_rules(samples: Samples) -> Confidence:
    """The group's map of what the rules chose at each close at which somebody spoke; within a group `fit_within`."""
    scores, ahead = [np.empty(0)], [np.empty(0)]
    for block, records in walk_forward(samples):
        chosen = chosen_by_rules(samples.fired[block], samples.regime[block], records)
        rows, group = block[chosen >= 0], GROUP_OF[chosen[chosen >= 0]]
        scores.append(records.group_rate()[group, samples.regime[rows]])
        ahead.append(samples.results[rows, group])
    score, came = np.concatenate(scores), np.concatenate(ahead)
    known = np.isfinite(came)
    return Confidence(fit_outcomes(score[known], came[known] > 0), fit_within(samples))


def fit_within(samples: Samples) -> Calibration:
    """Of every trade of every strategy whose group's trades ended above zero: whoever chooses, it reads one record."""
    scores, outcomes = [np.empty(0)], [np.empty(0, dtype=np.bool_)]
    for block, records in walk_forward(samples):
        row, strategy = np.nonzero(np.isfinite(samples.trades[block]))
        row = block[row]
        well = samples.results[row, GROUP_OF[strategy]] > 0
        row, strategy = row[well], strategy[well]
        scores.append(records.confidence()[strategy, samples.regime[row]])
        outcomes.append(samples.trades[row, strategy] > 0)
    return fit_outcomes(np.concatenate(scores), np.concatenate(outcomes))


def walk_forward(samples: Samples) -> Iterator[tuple[IntArray, StrategyRecords]]:
    """Rows of one block after the other, each with the record of what had ended when the block began."""
    count = len(samples)
    edges = np.linspace(count * WARM_UP, count, BLOCKS + 1).astype(np.int64)
    for begin, end in pairwise(edges):
        if begin == end:
            continue
        ended = samples.decided_at[begin] - samples.horizon_ms
        known = slice(0, int(np.searchsorted(samples.decided_at, ended, side="right")))
        records = count_records(samples.trades[known], samples.regime[known], samples.results[known])
        if records.trades.any():
            yield np.arange(begin, end), records


def chosen_by_rules(
    fired: npt.NDArray[np.int8], regime: npt.NDArray[np.int8], records: StrategyRecords
) -> IntArray:
    """Of each row the strategy that `choosing.by_rules` chooses, its place in NAMES; -1 where nobody spoke."""
    strategy = np.full(len(regime), -1, dtype=np.int64)
    for place in np.unique(regime):
        for group in rule_order(int(place)):
            rows = np.flatnonzero((regime == place) & (strategy < 0))
            groups = np.full(len(rows), GROUP_ORDER.index(group))
            strategy[rows] = best_of_group(fired[rows], regime[rows], groups, records)
    return strategy


def best_of_group(
    fired: npt.NDArray[np.int8],
    regime: npt.NDArray[np.int8],
    groups: IntArray,
    records: StrategyRecords,
) -> IntArray:
    """Of each row, whose regime is known, the best on record of those that spoke in its group; -1 for none."""
    strategy, table = np.full(len(regime), -1, dtype=np.int64), records.mean_r()
    for place, group in enumerate(GROUP_ORDER):
        members = np.array([NAMES.index(name) for name in MEMBERS[group]])
        rows = np.flatnonzero((groups == place) & (fired[:, members] != 0).any(axis=1))
        made = np.where(fired[rows][:, members] != 0, table[members][:, regime[rows]].T, -np.inf)
        strategy[rows] = members[made.argmax(axis=1)] if len(rows) else strategy[rows]
    return strategy


def calibration_as_json(calibration: Calibration) -> dict[str, Any]:
    return {
        "method": calibration.method.value,
        "n": calibration.n,
        "base_rate": calibration.base_rate,
        "brier": _number(calibration.brier),
        "base_brier": _number(calibration.base_brier),
        "slopes": calibration.slopes.tolist(),
        "intercept": calibration.intercept,
        "knots": calibration.knots.tolist(),
        "values": calibration.values.tolist(),
    }


def calibration_from_json(stored: Mapping[str, Any]) -> Calibration:
    return Calibration(
        method=Method(stored["method"]),
        n=int(stored["n"]),
        base_rate=float(stored["base_rate"]),
        brier=_or_nan(stored["brier"]),
        base_brier=_or_nan(stored["base_brier"]),
        slopes=np.asarray(stored["slopes"], dtype=np.float64),
        intercept=float(stored["intercept"]),
        knots=np.asarray(stored["knots"], dtype=np.float64),
        values=np.asarray(stored["values"], dtype=np.float64),
    )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)
