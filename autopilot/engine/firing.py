"""How often a threshold would have been reached, asked of past closes with what is known of strategies today.

The record that scores a close holds that close's own trade too: it says how high scores are, not how good.
"""

from dataclasses import dataclass

import numpy as np

from autopilot.engine.bootstrap import Samples
from autopilot.engine.confidence import Confidence, best_of_group, chosen_by_rules
from autopilot.engine.cycle import Mode
from autopilot.engine.groups import GROUP_ORDER
from autopilot.engine.records import GROUP_OF
from autopilot.engine.selector import SelectorModel
from signals.engine.candle import FloatArray
from signals.engine.hybrid import SUITED
from signals.engine.regime import REGIMES

DAY_MS = 86_400_000
DAYS_OF_WEEK = 7
_SUITS = np.array([[regime in SUITED[group] for regime in REGIMES] for group in GROUP_ORDER])


@dataclass(frozen=True, slots=True, eq=False)
class Firing:
    """days: of candles that were asked. scores: P(profit) of the closes at which somebody spoke, highest first.

    uncalibrated: closes at which somebody spoke, but no probability is known.
    """

    days: float
    scores: FloatArray
    uncalibrated: int = 0

    def count(self, threshold: float) -> int:
        return int((self.scores >= threshold).sum())

    @property
    def weekly(self) -> float | None:
        """The threshold that would have fired once a week; None where fewer spoke than that.

        Where more than that share one probability it fires more often: `count` says how often.
        """
        wanted = round(self.days / DAYS_OF_WEEK)
        if wanted < 1 or len(self.scores) < wanted:
            return None
        return float(np.floor(self.scores[wanted - 1] * 1000) / 1000)  # rounded down, so that it is reached


def past_firing(
    samples: Samples,
    *,
    mode: Mode,
    model: SelectorModel | None,
    confidence: Confidence,
    days: float,
) -> Firing:
    """Of the last `days` of one instrument's samples, by the rules, the model or both as `choosing.choose` does.

    confidence: of the rules (`fit_rules`).
    """
    since = samples.decided_at[-1] - days * DAY_MS if len(samples) else 0
    recent = np.flatnonzero(samples.decided_at >= since)
    if len(recent) == 0:
        return Firing(0.0, np.empty(0))
    fired, regime = samples.fired[recent], samples.regime[recent]
    products = np.full(len(recent), np.nan)
    spoke = np.zeros(len(recent), dtype=bool)
    if mode is not Mode.PATTERN and model is not None:
        told = np.asarray(model.booster.predict(samples.features[recent], num_threads=1))
        chosen = told.argmax(axis=1)
        best = best_of_group(fired, regime, chosen, model.records)
        spoke = best >= 0
        if mode is Mode.HYBRID:
            spoke &= _SUITS[chosen, regime]
        within = model.records.confidence()
        for place, each in enumerate(model.confidences):
            rows = np.flatnonzero(spoke & (chosen == place))
            products[rows] = each.products(told[rows, place], within[best[rows], regime[rows]])
    if model is None or mode is not Mode.ML:
        best = chosen_by_rules(fired, regime, samples.records)
        rows = np.flatnonzero((best >= 0) & ~spoke)
        spoke[rows] = True
        products[rows] = confidence.products(
            samples.records.group_rate()[GROUP_OF[best[rows]], regime[rows]],
            samples.records.confidence()[best[rows], regime[rows]],
        )
    span = (samples.decided_at[recent[-1]] - samples.decided_at[recent[0]]) / DAY_MS
    known = np.isfinite(products)
    return Firing(float(span), np.sort(products[known])[::-1], int((spoke & ~known).sum()))
