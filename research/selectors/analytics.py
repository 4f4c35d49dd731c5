"""How published signals did, by what they have in common; every number by `signals.engine.performance`.

An account that risks `RISK` of what it has on every signal makes results in R comparable with returns: its Sharpe ratio
is of days, those without an end counting as zero. Intervals resample weeks, since markets move together, or days where
there are few weeks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from research.engine.ended_signals import ANSWERS, SESSIONS, EndedSignals
from research.selectors.ended_signals import ended_signals
from signals.engine.candle import FloatArray
from signals.engine.performance import (
    Interval,
    deepest_fall,
    expectancy,
    percentile_interval,
    resampled_totals,
    sharpe_of_sums,
    sharpe_ratio,
    win_rate,
)
from signals.market.models import Instrument
from users.models import Tier

DIMENSIONS = ("strategy", "source", "regime", "session", "instrument", "month", "tier", "answer")
RISK = 0.01
DAYS_OF_A_YEAR = 365.0
FEWEST_FOR_INTERVAL = 20
SAMPLES = 500
UNKNOWN = Interval(np.nan, np.nan)
DAY_SECONDS, WEEK_DAYS = 86_400, 7

IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Group:
    """Results in R after costs; NaN where there is none. Intervals at 95 %, of FEWEST_FOR_INTERVAL signals on so many
    days or more."""

    name: str
    n: int
    hit_rate: float
    hit_interval: Interval
    mean_r: float
    mean_interval: Interval
    total_r: float
    drawdown_r: float
    sharpe: float
    sharpe_interval: Interval


@dataclass(frozen=True, eq=False)
class Ended:
    """Signals that ended in the period, oldest end first."""

    r: FloatArray
    exited_at: FloatArray
    confidence: FloatArray


def analysed(*, dimension: str, start: datetime, end: datetime) -> tuple[Group, list[Group], Ended]:
    """All of the period together, each group of the dimension, and the rows behind them."""
    tiers = list(Tier.objects.order_by("rank")) if dimension == "tier" else []
    found = ended_signals(
        start=start, end=end, delays=sorted({each.delay_seconds for each in tiers if each.delay_seconds})
    )
    everything = Ended(*(found.column(name) for name in ("r", "exited", "confidence")))
    members = _of_tiers(found, tiers) if dimension == "tier" else _members(dimension, found, everything)
    groups = [measured(name, each) for name, each in members if len(each.r)]
    return measured("All signals", everything), groups, everything


def measured(name: str, found: Ended) -> Group:
    """`found` in the order of the ends."""
    results = found.r
    daily = daily_returns(results, found.exited_at)
    hit, mean, sharpe = _intervals(results, found.exited_at, daily)
    return Group(
        name=name,
        n=len(results),
        hit_rate=win_rate(results),
        hit_interval=hit,
        mean_r=expectancy(results),
        mean_interval=mean,
        total_r=float(results.sum()),
        drawdown_r=deepest_fall(results),
        sharpe=sharpe_ratio(daily, DAYS_OF_A_YEAR),
        sharpe_interval=sharpe,
    )


def daily_returns(results: FloatArray, exited_at: FloatArray) -> FloatArray:
    """Return of each day from the first end to the last, `RISK` of the account on each signal."""
    if not len(results):
        return np.empty(0)
    day = (exited_at // DAY_SECONDS).astype(np.int64)
    sums = np.bincount(day - day[0], weights=results * RISK).astype(np.float64)
    return np.maximum(sums, -1.0)


def _intervals(
    results: FloatArray, exited_at: FloatArray, daily: FloatArray
) -> tuple[Interval, Interval, Interval]:
    """Of hit rate, mean and Sharpe ratio, from the sums of each week or day, resampled together."""
    if len(results) < FEWEST_FOR_INTERVAL or len(daily) < FEWEST_FOR_INTERVAL:
        return UNKNOWN, UNKNOWN, UNKNOWN
    length = WEEK_DAYS if len(daily) >= FEWEST_FOR_INTERVAL * WEEK_DAYS else 1
    first = int(exited_at[0] // DAY_SECONDS)
    block = ((exited_at // DAY_SECONDS).astype(np.int64) - first) // length
    day_block = np.arange(len(daily)) // length
    sums = np.column_stack(
        [
            np.bincount(block),
            np.bincount(block, weights=results > 0),
            np.bincount(block, weights=results),
            np.bincount(day_block),
            np.bincount(day_block, weights=daily),
            np.bincount(day_block, weights=daily**2),
        ]
    )
    n, wins, total, days, earned, squares = resampled_totals(sums, samples=SAMPLES).T
    with np.errstate(invalid="ignore", divide="ignore"):
        hit, mean = wins / n, total / n
    sharpe = sharpe_of_sums(days, earned, squares, DAYS_OF_A_YEAR)
    return percentile_interval(hit), percentile_interval(mean), percentile_interval(sharpe)


def _members(dimension: str, found: EndedSignals, everything: Ended) -> Iterator[tuple[str, Ended]]:
    """The most frequent group first; months from the newest, answers and sessions in their own order."""
    rows = found.rows
    if dimension == "session":
        for number, name in enumerate(SESSIONS):
            yield name, _chosen(everything, np.flatnonzero(rows["session"] >> number & 1))
        yield "no session", _chosen(everything, np.flatnonzero(rows["session"] == 0))
        return
    code, names = _codes(dimension, found)
    counts = np.bincount(code, minlength=len(names))
    places = np.split(np.argsort(code, kind="stable"), np.cumsum(counts)[:-1]) if len(names) else []
    order = np.argsort(-counts, kind="stable")
    if dimension in ("month", "answer"):
        order = np.arange(len(names))[::-1]
    for number in order:
        yield names[number], _chosen(everything, places[number])


def _codes(dimension: str, found: EndedSignals) -> tuple[IntArray, list[str]]:
    rows = found.rows
    if dimension == "answer":
        return rows["answer"].astype(np.intp), list(ANSWERS)
    if dimension == "instrument":
        keys, code = np.unique(rows["instrument"], return_inverse=True)
        symbols: Mapping[int, str] = dict(
            Instrument.objects.filter(pk__in=keys.tolist()).values_list("pk", "symbol")
        )
        return code, [symbols[key] for key in keys.tolist()]
    if dimension == "month":
        months = rows["published"].astype("datetime64[s]").astype("datetime64[M]")
        names, code = np.unique(months, return_inverse=True)
        return code, [str(each) for each in names]
    return rows[dimension].astype(np.intp), [each or "not recorded" for each in found.names[dimension]]


def _of_tiers(found: EndedSignals, tiers: list[Tier]) -> Iterator[tuple[str, Ended]]:
    """What each tier's subscribers could have had, entered at the first open after the tier's delay.

    Left out: what had expired or ended by then, and a later entry that is still open or not followed yet.
    """
    rows = found.rows
    for tier in tiers:
        came = found.late[tier.delay_seconds] if tier.delay_seconds else rows
        allowed = np.isfinite(came["r"]) & (tier.experimental | ~rows["experimental"])
        places = np.flatnonzero(allowed)
        places = places[np.argsort(came["exited"][places], kind="stable")]
        yield (
            f"{tier.name}, after {tier.delay_seconds // 60} min",
            Ended(came["r"][places], came["exited"][places], rows["confidence"][places]),
        )


def _chosen(found: Ended, places: IntArray) -> Ended:
    return Ended(found.r[places], found.exited_at[places], found.confidence[places])
