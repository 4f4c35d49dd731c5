"""From a score that ranks to a probability that means something.

Monotone maps are fitted: a logistic curve (Platt 1999), for scores that are ratios the beta family too
(Kull, Silva Filho & Flach, AISTATS 2017), and isotonic regression (Zadrozny & Elkan, KDD 2002). The one with
the smallest Brier score on rows that it was not fitted on is kept, and where none beats the base rate there,
the base rate itself: a score without information gets no more than that.
Callers pass out-of-sample scores only; rows are taken in the order of time.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from signals.engine.candle import FloatArray

FEWEST_OUTCOMES = 30
FOLDS = 5
# Rows are held out in runs, since neighbours share their bars, and in many, in case they come sorted by score.
RUNS = 50
CLIP = 1e-6
NEWTON_STEPS = 50
# A weak pull on slopes, so that separable outcomes do not send them to infinity.
RIDGE = 1e-3
# An isotonic block counts as if this many more outcomes at the base rate had been seen in it.
PRIOR_OUTCOMES = 2.0


class Method(StrEnum):
    LOGISTIC = "logistic"
    BETA = "beta"
    ISOTONIC = "isotonic"
    BASE_RATE = "base_rate"


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Non-decreasing from scores to probabilities.

    knots, values: isotonic points, interpolated linearly; empty for the others. slopes, intercept: of ln(s)
    and -ln(1 - s) for the beta family, of s for the logistic curve. n: outcomes it was fitted on. brier,
    base_brier: out of fold, its own and the base rate's; NaN where too few outcomes were given to judge.
    """

    method: Method
    n: int
    base_rate: float
    brier: float
    base_brier: float
    slopes: FloatArray
    intercept: float
    knots: FloatArray
    values: FloatArray

    @property
    def is_informative(self) -> bool:
        """Whether the score said more than the base rate on outcomes that the map had not seen."""
        return self.method is not Method.BASE_RATE

    def probability(self, scores: ArrayLike) -> FloatArray:
        """Of each score, same shape as `scores`; NaN where a score is NaN."""
        asked = np.asarray(scores, dtype=np.float64)
        if self.method in (Method.LOGISTIC, Method.BETA):
            told = _sigmoid(_columns(asked.ravel(), self.method) @ self.slopes + self.intercept)
        elif self.method is Method.ISOTONIC:
            told = np.interp(asked.ravel(), self.knots, self.values)
        else:
            told = np.full(asked.size, self.base_rate)
        return np.where(np.isnan(asked), np.nan, told.reshape(asked.shape))


def fit_calibration(scores: ArrayLike, outcomes: ArrayLike) -> Calibration:
    """The map from `scores`, (n,) float, to the probability that the outcome, (n,) of 0 and 1, is 1.

    With fewer than FEWEST_OUTCOMES, or outcomes of one kind only, it is the base rate, taken with one
    outcome of each kind more (Laplace). ValueError for no rows, unequal lengths, NaN or infinite scores,
    and outcomes other than 0 and 1.
    """
    score, outcome = _checked(scores, outcomes)
    if len(score) < FEWEST_OUTCOMES or outcome.min() == outcome.max() or score.min() == score.max():
        return _fit(Method.BASE_RATE, score, outcome)
    methods = [Method.BASE_RATE, Method.LOGISTIC, Method.ISOTONIC]
    if score.min() >= 0 and score.max() <= 1:
        methods.append(Method.BETA)
    briers = {method: _out_of_fold(method, score, outcome) for method in methods}
    best = min(methods, key=lambda method: briers[method])
    fitted = _fit(best, score, outcome)
    return replace(fitted, brier=briers[best], base_brier=briers[Method.BASE_RATE])


def expected_calibration_error(probabilities: ArrayLike, outcomes: ArrayLike, bins: int = 10) -> float:
    """Mean distance between promised and seen frequency over bins of equal count, weighted by count."""
    promised, seen = _checked(probabilities, outcomes)
    order = np.argsort(promised, kind="stable")
    parts = [part for part in np.array_split(order, min(bins, len(order))) if len(part)]
    gaps = [len(part) * abs(promised[part].mean() - seen[part].mean()) for part in parts]
    return float(sum(gaps) / len(order))


def _checked(scores: ArrayLike, outcomes: ArrayLike) -> tuple[FloatArray, FloatArray]:
    score, outcome = np.asarray(scores, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    if score.ndim != 1 or score.shape != outcome.shape or len(score) == 0:
        raise ValueError(f"one outcome a score, at least one: got {score.shape} and {outcome.shape}")
    if not np.isfinite(score).all():
        raise ValueError("scores must be finite")
    if not np.isin(outcome, (0.0, 1.0)).all():
        raise ValueError("outcomes are 0 or 1")
    return score, outcome


def _out_of_fold(method: Method, score: FloatArray, outcome: FloatArray) -> float:
    """The Brier score when each row is judged by a map fitted on the other folds."""
    fold = np.arange(len(score)) * RUNS // len(score) % FOLDS
    squared = np.zeros(len(score))
    for held_out in (fold == number for number in range(FOLDS)):
        told = _fit(method, score[~held_out], outcome[~held_out]).probability(score[held_out])
        squared[held_out] = (told - outcome[held_out]) ** 2
    return float(squared.mean())


def _fit(method: Method, score: FloatArray, outcome: FloatArray) -> Calibration:
    nothing = np.empty(0)
    rate = float((outcome.sum() + 1) / (len(outcome) + 2))
    slopes, intercept, knots, values = nothing, 0.0, nothing, nothing
    if method in (Method.LOGISTIC, Method.BETA):
        slopes, intercept = _rising(_columns(score, method), outcome)
    elif method is Method.ISOTONIC:
        knots, values = _isotonic(score, outcome, rate)
    return Calibration(method, len(score), rate, np.nan, np.nan, slopes, intercept, knots, values)


def _columns(score: FloatArray, method: Method) -> FloatArray:
    if method is Method.LOGISTIC:
        return score[:, None]
    inside = np.clip(score, CLIP, 1 - CLIP)
    return np.column_stack((np.log(inside), -np.log1p(-inside)))


def _sigmoid(margin: FloatArray) -> FloatArray:
    """Stays inside 0 and 1 for margins of any size: tanh does not overflow."""
    told: FloatArray = 0.5 * (1 + np.tanh(0.5 * margin))
    return told


def _rising(columns: FloatArray, outcome: FloatArray) -> tuple[FloatArray, float]:
    """Slopes below zero would turn the ranking round: such a column is left out."""
    kept = np.ones(columns.shape[1], dtype=bool)
    while True:
        slopes = np.zeros(columns.shape[1])
        slopes[kept], intercept = _logistic(columns[:, kept], outcome)
        if (slopes >= 0).all():
            return slopes, intercept
        kept &= slopes > slopes.min()


def _logistic(columns: FloatArray, outcome: FloatArray) -> tuple[FloatArray, float]:
    """Slopes and intercept by Newton's method, on standardised columns with a small ridge."""
    centre, spread = columns.mean(axis=0), columns.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    design = np.column_stack(((columns - centre) / spread, np.ones(len(outcome))))
    ridge = np.diag([*[RIDGE * len(outcome)] * columns.shape[1], 0.0])
    rate = np.clip(outcome.mean(), CLIP, 1 - CLIP)
    weights = np.zeros(design.shape[1])
    weights[-1] = np.log(rate / (1 - rate))
    for _ in range(NEWTON_STEPS):
        told = _sigmoid(design @ weights)
        slope = design.T @ (told - outcome) + ridge @ weights
        curvature = (design * (told * (1 - told))[:, None]).T @ design + ridge
        step = np.linalg.lstsq(curvature, slope, rcond=None)[0]
        weights = weights - np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-9:
            break
    slopes = weights[:-1] / spread
    return slopes, float(weights[-1] - slopes @ centre)


def _isotonic(score: FloatArray, outcome: FloatArray, rate: float) -> tuple[FloatArray, FloatArray]:
    """Pooled adjacent violators; each block is level over its scores and pulled a little to the base rate."""
    levels, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    sums = np.bincount(place, weights=outcome)
    blocks: list[
        tuple[float, float, float, float]
    ] = []  # outcomes that are 1, outcomes, first and last score
    for total, count, level in zip(sums, counts, levels, strict=True):
        block = (float(total), float(count), float(level), float(level))
        while blocks and _pulled(blocks[-1], rate) >= _pulled(block, rate):
            before = blocks.pop()
            block = (before[0] + block[0], before[1] + block[1], before[2], block[3])
        blocks.append(block)
    pooled = np.array(blocks)
    values = np.array([_pulled(block, rate) for block in blocks])
    return pooled[:, 2:].ravel(), np.repeat(values, 2)


def _pulled(block: tuple[float, float, float, float], rate: float) -> float:
    return (block[0] + PRIOR_OUTCOMES * rate) / (block[1] + PRIOR_OUTCOMES)
