"""A/B tests that may be looked at every day: whatever the day on which one stops, 5 % of false findings are 5 %.

One value per unit of randomisation (a subscriber, a block of signal time), averaged within the unit by `by_unit`: what
was drawn together is no independent evidence. Sources: Johari, Koomen, Pekelis and Walsh, Peeking at A/B Tests (2017);
Lindon and Malek, Anytime-Valid Inference for Multinomial Count Data (2022).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf, isfinite, lgamma, log

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray

LEAST_UNITS = 30  # per arm, below which a variance is not known well enough
TYPICAL_EFFECT = 0.2  # of a deviation: the size of difference that the sequence finds soonest
RATIO_ALPHA = 0.01
RATIO_PRIOR = 100.0  # how many units' worth of belief in the planned shares

Numbers = FloatArray | float


class Metric(StrEnum):
    R_MULTIPLE = "R"
    HIT_RATE = "hit rate"
    ACTED_SHARE = "acted share"


class Finding(StrEnum):
    RATIO_BROKEN = "ratio_broken"
    TOO_EARLY = "too_early"
    UNDECIDED = "undecided"
    BETTER = "better"
    WORSE = "worse"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True, eq=False)
class ArmRecord:
    """share: planned, 0 to 1; assigned: units that are in the arm; the rest one value per unit that has one."""

    name: str
    share: float
    assigned: int
    r_multiple: FloatArray
    hit_rate: FloatArray
    acted_share: FloatArray

    def values(self, metric: Metric) -> FloatArray:
        found = {
            Metric.R_MULTIPLE: self.r_multiple,
            Metric.HIT_RATE: self.hit_rate,
            Metric.ACTED_SHARE: self.acted_share,
        }[metric]
        values = np.asarray(found, dtype=np.float64)
        if values.ndim != 1 or not np.isfinite(values).all():
            raise ValueError(f"{self.name}: {metric} must be 1-D and finite, one value per unit")
        return values


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """p_value: always valid; below RATIO_ALPHA the units are not split as planned, and no comparison is fair."""

    p_value: float
    assigned: tuple[int, ...]
    expected: tuple[float, ...]

    @property
    def broken(self) -> bool:
        return self.p_value < RATIO_ALPHA


@dataclass(frozen=True, slots=True)
class Difference:
    """Of a variant to the control in one metric; low and high hold at every look at once (infinite: too few units)."""

    variant: str
    metric: Metric
    control_units: int
    variant_units: int
    control_mean: float
    variant_mean: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Judgement:
    sample_ratio: SampleRatio
    differences: tuple[Difference, ...]
    finding: Finding
    sentence: str


def by_unit(values: npt.ArrayLike, units: Sequence[object]) -> FloatArray:
    """Mean of the values of each unit, NaN left out; in the order in which the units sort. 1-D, of equal length."""
    each = np.asarray(values, dtype=np.float64)
    if each.ndim != 1 or len(each) != len(units):
        raise ValueError("values and units must be 1-D and of one length")
    known = ~np.isnan(each)
    places = np.unique(np.asarray([str(unit) for unit in units])[known], return_inverse=True)[1]
    if not len(places):
        return np.empty(0)
    means: FloatArray = np.bincount(places, weights=each[known]) / np.bincount(places)
    return means


def sample_ratio_check(assigned: Sequence[int], shares: Sequence[float]) -> SampleRatio:
    """Whether units went to the arms in the planned shares, a p-value that holds however often one looks."""
    if len(assigned) != len(shares) or len(shares) < 2:
        raise ValueError("assigned and shares must be of one length, two arms at least")
    if any(count < 0 for count in assigned):
        raise ValueError("assigned: no arm has fewer than 0 units")
    if not all(isfinite(share) and share > 0 for share in shares):
        raise ValueError("shares must be positive")
    whole, units = sum(shares), sum(assigned)
    planned = [share / whole for share in shares]
    prior = [RATIO_PRIOR * share for share in planned]
    evidence = lgamma(RATIO_PRIOR) - lgamma(RATIO_PRIOR + units)
    for count, belief, share in zip(assigned, prior, planned, strict=True):
        evidence += lgamma(belief + count) - lgamma(belief) - count * log(share)
    expected = tuple(share * units for share in planned)
    return SampleRatio(float(np.exp(min(-evidence, 0.0))), tuple(assigned), expected)


def sequence_radius(variance: Numbers, deviation: Numbers, alpha: float) -> Numbers:
    """Half width of the always-valid interval of a difference with this `variance` (of the estimate).

    deviation: of a single value; the mixing distribution has a deviation of TYPICAL_EFFECT of it. Broadcasts.
    """
    mixing = (TYPICAL_EFFECT * np.asarray(deviation)) ** 2
    both = variance + mixing
    found: Numbers = np.sqrt(2 * variance * both / mixing * (log(1 / alpha) + np.log(both / variance) / 2))
    return found


def compare(control: ArmRecord, variant: ArmRecord, metric: Metric, *, alpha: float = 0.05) -> Difference:
    """The variant's mean less the control's, with an interval that holds at all looks together with 1 - alpha."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1, not {alpha}")
    base, other = control.values(metric), variant.values(metric)
    means = [float(each.mean()) if len(each) else np.nan for each in (base, other)]
    radius = inf
    if min(len(base), len(other)) >= LEAST_UNITS:
        spreads = np.array([base.var(ddof=1), other.var(ddof=1)])
        if (spreads > 0).all():
            variance = float((spreads / (len(base), len(other))).sum())
            radius = float(sequence_radius(variance, float(np.sqrt(spreads.mean())), alpha))
    difference = means[1] - means[0]
    low, high = (difference - radius, difference + radius) if isfinite(radius) else (-inf, inf)
    return Difference(variant.name, metric, len(base), len(other), means[0], means[1], difference, low, high)


def judge(
    arms: Sequence[ArmRecord], *, alpha: float = 0.05, metrics: Sequence[Metric] = tuple(Metric)
) -> Judgement:
    """All variants against the first arm, the control; alpha is shared among all comparisons (Bonferroni)."""
    if len(arms) < 2 or not metrics:
        raise ValueError("a test needs a control, a variant and a metric")
    ratio = sample_ratio_check([arm.assigned for arm in arms], [arm.share for arm in arms])
    each = alpha / (len(metrics) * (len(arms) - 1))
    differences = tuple(
        compare(arms[0], variant, metric, alpha=each) for variant in arms[1:] for metric in metrics
    )
    finding, sentence = _finding(ratio, differences, alpha, arms[0].name)
    return Judgement(ratio, differences, finding, sentence)


def _finding(
    ratio: SampleRatio, differences: Sequence[Difference], alpha: float, control: str
) -> tuple[Finding, str]:
    if ratio.broken:
        found = " : ".join(str(count) for count in ratio.assigned)
        planned = " : ".join(f"{count:.0f}" for count in ratio.expected)
        return Finding.RATIO_BROKEN, (
            f"Nothing may be concluded: the arms have {found} units where {planned} were planned "
            f"(p = {ratio.p_value:.2g}); find out why first."
        )
    above = [each for each in differences if each.low > 0]
    below = [each for each in differences if each.high < 0]
    told = "; ".join(_told(each, control) for each in (*above, *below))
    if above and below:
        return (
            Finding.MIXED,
            f"Better in one thing and worse in another, at {1 - alpha:.0%} for all looks: {told}.",
        )
    if above or below:
        finding, word = (Finding.BETTER, "better") if above else (Finding.WORSE, "worse")
        return finding, f"Shown to be {word}, at {1 - alpha:.0%} for all looks together: {told}."
    if all(each.high == inf for each in differences):
        fewest = min(min(each.control_units, each.variant_units) for each in differences)
        return Finding.TOO_EARLY, (
            f"Too early to say: an arm has results of {fewest} units, and {LEAST_UNITS} with differing results are the "
            "least that can be judged."
        )
    widest = min(differences, key=lambda each: each.high - each.low)
    return Finding.UNDECIDED, f"No difference is shown yet: {_told(widest, control)}."


def _told(found: Difference, control: str) -> str:
    return (
        f"{found.metric} of {found.variant} {found.difference:+.3f} against {control} "
        f"({found.low:+.3f} to {found.high:+.3f}, {found.variant_units} and {found.control_units} units)"
    )
