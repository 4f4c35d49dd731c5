"""How often the gate lets luck through, and how often it keeps skill out: kinds of signals whose truth is known.

Outcomes are drawn with a mean of `skill` R in one of three shapes, so many a day, moving together within a week
(a Gaussian copula). The gate is asked at the end of every day, as it is in life.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from signals.engine.candle import FloatArray
from signals.engine.evidence import passes, running

IntArray = npt.NDArray[np.int64]

DAYS = 2 * 365
RATES = (0.15, 4.0)  # outcomes a day: from fewer than the gate asks for to thousands
TOGETHER = 0.1  # what share of an outcome's variance a week's trades have in common


def _by_target(chance: FloatArray) -> FloatArray:
    """Stop at -1, target at +1.5: 40 % hits earn nothing."""
    return np.where(chance > 0.6, 1.5, -1.0)


def _near_target(chance: FloatArray) -> FloatArray:
    """Stop at -1, target at +0.5: two of three hits earn nothing."""
    return np.where(chance > 1 / 3, 0.5, -1.0)


def _by_trail(chance: FloatArray) -> FloatArray:
    """Many small losses and a few large gains, as a trailing stop without a target leaves them."""
    spread = np.exp(np.clip(ndtri(chance), -6, 6))
    return np.asarray(0.75 * (spread - np.exp(0.5)))


SHAPES: Mapping[str, Callable[[FloatArray], FloatArray]] = MappingProxyType(
    {
        "stop 1, target 1.5": _by_target,
        "stop 1, target 0.5": _near_target,
        "trailing stop": _by_trail,
    }
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One kind's outcomes in the order in which they end; days and weeks are counted from 0."""

    r_multiple: FloatArray
    days: IntArray


def draw(shape: str, *, per_day: float, skill: float, days: int, rng: np.random.Generator) -> Drawn:
    day = np.repeat(np.arange(days), rng.poisson(per_day, days))
    shared = rng.standard_normal(days // 7 + 1)[day // 7]
    own = rng.standard_normal(len(day))
    chance = ndtr(np.sqrt(TOGETHER) * shared + np.sqrt(1 - TOGETHER) * own)
    return Drawn(SHAPES[shape](chance) + skill, day.astype(np.int64))


def highest_errors(drawn: Drawn) -> float:
    """At how many standard errors the mean stood at its best day, of those with enough outcomes; -inf without any."""
    if len(drawn.days) == 0:
        return -np.inf
    weeks, mean, error = running(drawn.r_multiple, drawn.days // 7)
    last_of_day = np.append(np.diff(drawn.days) > 0, True)
    count = np.arange(1, len(mean) + 1)
    asked = last_of_day & passes(count, weeks, np.ones(len(mean)), np.zeros(len(mean)), 0.0) & (error > 0)
    return float((mean[asked] / error[asked]).max()) if asked.any() else -np.inf


def noise(shape: str, *, kinds: int, seed: int) -> FloatArray:
    """`highest_errors` of kinds that earn nothing, with rates spread evenly (in logarithms) over RATES."""
    rng = np.random.default_rng(seed)
    rates = np.exp(rng.uniform(np.log(RATES[0]), np.log(RATES[1]), kinds))
    return np.array(
        [highest_errors(draw(shape, per_day=float(rate), skill=0.0, days=DAYS, rng=rng)) for rate in rates]
    )


def share_passing(highest: FloatArray, errors: float) -> float:
    return float((highest > errors).mean())


def power(shape: str, *, errors: float, kinds: int, outcomes: int, skill: float, seed: int) -> float:
    """Of kinds with `skill` R and about so many outcomes in two years, the share that ever passes."""
    rng = np.random.default_rng(seed)
    found = [
        highest_errors(draw(shape, per_day=outcomes / DAYS, skill=skill, days=DAYS, rng=rng))
        for _ in range(kinds)
    ]
    return share_passing(np.array(found), errors)
