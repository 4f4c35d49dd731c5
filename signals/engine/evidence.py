"""What may be published: arithmetic on outcomes, after costs, in units of the planned risk (R).

The error of a mean takes weeks as clusters, for markets move together and trades of one week are not independent.
A kind of signal is PROVEN while its mean less PROVEN_ERRORS standard errors is above zero. So many errors are asked
for because the question is put again every day: of kinds that earn nothing at most one in twenty ever passes in two
years (`research.engine.gate_study`, docs/evidence.md). PROMISING asks for PROMISING_ERRORS only, and only of
candidates that were registered beforehand (`candidates`). Everything else abstains.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from math import isfinite, nan, sqrt
from typing import TYPE_CHECKING

from signals.engine.exit_plan import PlanKind

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from signals.engine.candle import FloatArray

    IntArray = npt.NDArray[np.int64]

FEWEST_OUTCOMES = 30
FEWEST_WEEKS = 20
PROVEN_ERRORS = 3.0
PROMISING_ERRORS = 1.0
HIGHEST_COST_R = 0.06
COST_ROUNDING = (
    1e-9  # 24 bps over a stop 4 % away are 0.06 R whatever the price, and binary fractions may say more
)
HISTORY_FROM = datetime(2024, 1, 1, tzinfo=UTC)  # what was decided before it chose the settings
WEEK_MS = 7 * 86_400_000
NINETY_FIVE = 1.96


class Standing(StrEnum):
    PROVEN = "proven"
    PROMISING = "promising"
    UNPROVEN = "unproven"
    TOO_FEW = "too_few"

    @property
    def in_words(self) -> str:
        return {
            Standing.PROVEN: "proven",
            Standing.PROMISING: "promising, not proven",
            Standing.UNPROVEN: "not proven",
            Standing.TOO_FEW: "too little is known",
        }[self]


@dataclass(frozen=True, slots=True, order=True)
class SignalKind:
    """What is judged as one: outcomes of one kind stand for the next of it."""

    source: str
    group: str
    side: str
    plan: PlanKind
    asset_class: str

    def __str__(self) -> str:
        return (
            f"{self.source} {self.group.replace('_', ' ')} {self.side}, {self.plan} exit, {self.asset_class}"
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """A mean and its clustered standard error, in R. NaN where there are no outcomes, or less than two weeks."""

    n: int
    weeks: int
    mean: float
    standard_error: float

    @property
    def interval(self) -> tuple[float, float]:
        """95 % of the mean."""
        reach = NINETY_FIVE * self.standard_error
        return self.mean - reach, self.mean + reach


NOTHING = Measured(0, 0, nan, nan)


def week_of(moments: "npt.ArrayLike") -> "IntArray":
    """Number of the week in which each instant (UTC ms) lies; weeks begin at multiples of 7 days since the epoch."""
    import numpy as np  # noqa: PLC0415  (web, beat and sender need the names above only)

    weeks: IntArray = np.asarray(moments, dtype=np.int64) // WEEK_MS
    return weeks


def measure(r_multiples: "npt.ArrayLike", weeks: "npt.ArrayLike") -> Measured:
    """Mean R of finished trades (NaN is left out) and its error with `weeks`, one a trade, as clusters.

    ValueError for unequal lengths and infinite values.
    """
    import numpy as np  # noqa: PLC0415

    r, week = np.asarray(r_multiples, dtype=np.float64), np.asarray(weeks, dtype=np.int64)
    if r.ndim != 1 or r.shape != week.shape:
        raise ValueError(f"one week a trade: got {r.shape} and {week.shape}")
    if np.isinf(r).any():
        raise ValueError("an R is infinite: no trade earned that")
    known = ~np.isnan(r)
    r, week = r[known], week[known]
    if len(r) == 0:
        return NOTHING
    mean = float(r.mean())
    _, group = np.unique(week, return_inverse=True)
    sums = np.bincount(group, weights=r - mean)
    count = len(sums)
    error = sqrt(float((sums**2).sum()) * count / (count - 1)) / len(r) if count > 1 else nan
    return Measured(len(r), count, mean, error)


def running(r_multiples: "FloatArray", weeks: "IntArray") -> "tuple[IntArray, FloatArray, FloatArray]":
    """Weeks, mean and error as `measure` has them of the first 1, 2, … trades; weeks in ascending order."""
    import numpy as np  # noqa: PLC0415

    r, count = np.asarray(r_multiples, dtype=np.float64), np.arange(1, len(r_multiples) + 1)
    first = np.diff(weeks, prepend=weeks[0] - 1 if len(weeks) else 0) != 0
    begins = np.flatnonzero(first)
    group = np.cumsum(first) - 1
    total = np.cumsum(r)
    before = np.concatenate(([0.0], total))[begins]
    inside, trades = total - before[group], count - begins[group]
    ends = np.append(begins[1:], len(r)) - 1
    sums, sizes = inside[ends], trades[ends]

    def so_far(complete: "FloatArray", partial: "FloatArray") -> "FloatArray":
        earlier: FloatArray = np.concatenate(([0.0], np.cumsum(complete)))[group] + partial
        return earlier

    mean, seen = total / count, group + 1
    squares = so_far(sums**2, inside**2)
    crossed = so_far(sums * sizes, inside * trades)
    sized = so_far(sizes.astype(np.float64) ** 2, trades.astype(np.float64) ** 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.maximum(squares - 2 * mean * crossed + mean**2 * sized, 0.0)
        error = np.where(seen > 1, np.sqrt(spread * seen / (seen - 1)) / count, np.nan)
    return seen.astype(np.int64), mean, error


def passes(
    count: "npt.ArrayLike",
    weeks: "npt.ArrayLike",
    mean: "npt.ArrayLike",
    error: "npt.ArrayLike",
    errors: float,
) -> "npt.NDArray[np.bool_]":
    """Whether there is enough and the mean less so many errors is above zero; False where either is NaN."""
    import numpy as np  # noqa: PLC0415

    enough = (np.asarray(count) >= FEWEST_OUTCOMES) & (np.asarray(weeks) >= FEWEST_WEEKS)
    return np.asarray(enough & (np.asarray(mean) - errors * np.asarray(error) > 0))


def shrink(measured: Mapping[SignalKind, Measured]) -> dict[SignalKind, Measured]:
    """Each kind's mean drawn towards the mean of its group, the more the less is known of it.

    A group are the kinds of one source and asset class. How far kinds truly differ is estimated from what they
    differ beyond their errors (DerSimonian & Laird 1986); a kind that is alone in its group stays as it is. Kinds
    without an error stay too and do not count.
    """
    groups: dict[tuple[str, str], list[SignalKind]] = {}
    for kind, each in measured.items():
        if isfinite(each.standard_error) and each.standard_error > 0:
            groups.setdefault((kind.source, kind.asset_class), []).append(kind)
    shrunk = dict(measured)
    for kinds in groups.values():
        if len(kinds) > 1:
            shrunk |= dict(zip(kinds, _drawn([measured[kind] for kind in kinds]), strict=True))
    return shrunk


def _drawn(group: Sequence[Measured]) -> list[Measured]:
    import numpy as np  # noqa: PLC0415

    mean = np.array([each.mean for each in group])
    variance = np.array([each.standard_error**2 for each in group])
    weight = 1 / variance
    centre = float((weight * mean).sum() / weight.sum())
    spread = float((weight * (mean - centre) ** 2).sum()) - (len(group) - 1)
    between = max(0.0, spread / float(weight.sum() - (weight**2).sum() / weight.sum()))
    trust = 1 / (variance + between)
    centre = float((trust * mean).sum() / trust.sum())
    own = between / (between + variance)
    drawn = own * mean + (1 - own) * centre
    # Where kinds do not differ, what is left is the error of their common mean.
    error = np.sqrt(own * variance + (1 - own) ** 2 / trust.sum())
    return [
        Measured(each.n, each.weeks, float(told), float(wide))
        for each, told, wide in zip(group, drawn, error, strict=True)
    ]


def standing(measured: Measured, *, registered: bool) -> Standing:
    """Of a kind by all that is known of it; `registered` opens the lower bound."""
    if measured.n < FEWEST_OUTCOMES or measured.weeks < FEWEST_WEEKS:
        return Standing.TOO_FEW
    if measured.mean - PROVEN_ERRORS * measured.standard_error > 0:
        return Standing.PROVEN
    if registered and measured.mean - PROMISING_ERRORS * measured.standard_error > 0:
        return Standing.PROMISING
    return Standing.UNPROVEN


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a signal may be published, and why, in words that stand in the Evaluation and in the message."""

    publishes: bool
    standing: Standing
    reason: str


def verdict(standing: Standing, measured: Measured, *, cost_r: float) -> Verdict:
    """One of the two bounds must hold, and costs be at most HIGHEST_COST_R of the planned risk.

    cost_r: what a round trip of this signal costs, in R.
    """
    if standing not in (Standing.PROVEN, Standing.PROMISING):
        return Verdict(False, standing, f"abstained: {_lacking(standing, measured)}")
    if not cost_r <= HIGHEST_COST_R + COST_ROUNDING:
        found = f"a round trip costs {cost_r:.3f} R, {HIGHEST_COST_R:g} R is allowed"
        return Verdict(False, standing, f"abstained: {found}")
    return Verdict(True, standing, f"{standing.in_words}: {figures(measured)}")


def _lacking(standing: Standing, measured: Measured) -> str:
    if standing is Standing.TOO_FEW:
        return (
            f"{measured.n} outcomes in {measured.weeks} weeks, at least {FEWEST_OUTCOMES} in {FEWEST_WEEKS} weeks "
            "are asked for"
        )
    return f"not proven to earn its costs: {figures(measured)}"


def figures(measured: Measured) -> str:
    """Mean, interval and n; "no outcomes" without any."""
    if measured.n == 0:
        return "no outcomes"
    low, high = measured.interval
    bounds = f" [{low:+.2f}, {high:+.2f}]" if isfinite(low) else ""
    return f"mean {measured.mean:+.2f} R{bounds}, n {measured.n}"


def cost_in_r(*, round_trip_cost: float, entry_price: float, stop_loss: float) -> float:
    """A round trip's cost (a ratio of the entry) in units of the planned risk; infinite without a risk."""
    risk = abs(entry_price - stop_loss) / entry_price
    return round_trip_cost / risk if risk > 0 else float("inf")
