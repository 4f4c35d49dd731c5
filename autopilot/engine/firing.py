"""How often a threshold would have been reached, asked of past closes with what is known of strategies today.

The record that scores a close holds that close's own trade too: it says how high scores are, not how good.
"""

from dataclasses import dataclass

import numpy as np

from autopilot.engine.bootstrap import Samples
from autopilot.engine.choosing import frequencies, rule_order
from autopilot.engine.cycle import Mode
from autopilot.engine.groups import GROUP_ORDER, MEMBERS
from autopilot.engine.records import NAMES, StrategyRecords, best_strategy
from autopilot.engine.selector import SelectorModel, strategy_confidence
from signals.engine.candle import FloatArray

DAY_MS = 86_400_000
DAYS_OF_WEEK = 7


@dataclass(frozen=True, slots=True, eq=False)
class Firing:
    """days: of candles that were asked. scores: of the closes at which somebody spoke, highest first."""

    days: float
    scores: FloatArray

    def count(self, threshold: float) -> int:
        return int((self.scores >= threshold).sum())

    @property
    def weekly(self) -> float | None:
        """The threshold that would have fired once a week; None where fewer spoke than that."""
        wanted = round(self.days / DAYS_OF_WEEK)
        if wanted < 1 or len(self.scores) < wanted:
            return None
        return float(np.floor(self.scores[wanted - 1] * 1000) / 1000)  # rounded down, so that it is reached


def past_firing(
    samples: Samples, *, mode: Mode, model: SelectorModel | None, records: StrategyRecords, days: float
) -> Firing:
    """Of the last `days` of one instrument's samples, by the rules, the model or both as `choosing.choose` does."""
    since = samples.decided_at[-1] - days * DAY_MS if len(samples) else 0
    recent = np.flatnonzero(samples.decided_at >= since)
    asked = model if mode is not Mode.PATTERN else None
    told = None
    if asked is not None and len(recent):
        told = np.asarray(asked.booster.predict(samples.features[recent], num_threads=1))
    scores: list[float] = []
    known: dict[tuple[str, int], float] = {}
    for place, row in enumerate(recent):
        score = None
        if told is not None and asked is not None:
            score = _by_model(asked, told[place], samples, int(row))
        if score is None and (told is None or mode is Mode.HYBRID):
            score = _by_rules(samples, int(row), records, known)
        if score is not None:
            scores.append(score)
    span = (samples.decided_at[recent[-1]] - samples.decided_at[recent[0]]) / DAY_MS if len(recent) else 0.0
    return Firing(float(span), np.sort(np.array(scores, dtype=np.float64))[::-1])


def _spoke(samples: Samples, row: int, group: int) -> list[str]:
    return [name for name in MEMBERS[GROUP_ORDER[group]] if samples.fired[row, NAMES.index(name)]]


def _by_rules(
    samples: Samples, row: int, records: StrategyRecords, known: dict[tuple[str, int], float]
) -> float | None:
    regime = int(samples.regime[row])
    for group in rule_order(regime):
        strategy = best_strategy(records, _spoke(samples, row, GROUP_ORDER.index(group)), regime)
        if strategy is not None:
            if (strategy, regime) not in known:
                told = frequencies(group, strategy, regime, records)
                known[strategy, regime] = float(told.get("probability") or 0.0)
            return known[strategy, regime]
    return None


def _by_model(model: SelectorModel, told: FloatArray, samples: Samples, row: int) -> float | None:
    place, regime = int(told.argmax()), int(samples.regime[row])
    strategy = best_strategy(model.records, _spoke(samples, row, place), regime)
    if strategy is None:
        return None
    sure = float(model.calibrations[place].probability(told[place : place + 1])[0])
    return sure * strategy_confidence(model.records, strategy, regime)
