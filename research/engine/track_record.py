"""The public record of published signals, from payloads of the ledger alone.

Every published signal counts, whether it was sent, held back by the kill switch or sent to nobody. Results are R
after costs. Intervals are of 95 %; signals of one week move together, so a week counts as a block.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from signals.engine.performance import bootstrap_interval, deepest_fall, expectancy, win_rate

CONFIDENCE_BINS = 10
Z = NormalDist().inv_cdf(0.975)

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TierRule:
    """What decides, from the ledger alone, whether a tier is given a signal at all."""

    code: str
    name: str
    delay_seconds: int
    experimental: bool

    def gets(self, signal: "Published") -> bool:
        released_at = signal.published_at + timedelta(seconds=self.delay_seconds)
        return released_at < signal.expires_at and (self.experimental or not signal.experimental)


@dataclass(frozen=True, slots=True)
class Published:
    """One signal with what came of it; `r_multiple` NaN and no exit while it is open."""

    published_at: datetime
    expires_at: datetime
    strategy: str
    confidence: float
    experimental: bool
    exit_reason: str = ""
    exited_at: datetime | None = None
    r_multiple: float = math.nan

    @property
    def week(self) -> tuple[int, int]:
        year, week, _ = self.published_at.isocalendar()
        return year, week


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the record. None: nothing to tell. Rates are 0 to 1; R after costs; the drawdown is 0 or less.

    held_back: published, and not given to this tier (experimental, or expired before its release).
    """

    name: str
    published: int
    held_back: int
    open: int
    ended: int
    targets: int
    stops: int
    expired: int
    weeks: int
    hit_rate: float | None
    hit_rate_low: float | None
    hit_rate_high: float | None
    mean_r: float | None
    mean_r_low: float | None
    mean_r_high: float | None
    total_r: float
    drawdown_r: float | None


@dataclass(frozen=True, slots=True)
class Bin:
    """Signals of like confidence: what was stated, and how often the result was above 0."""

    low: float
    high: float
    ended: int
    stated: float
    hit_rate: float
    hit_rate_low: float
    hit_rate_high: float


def signals_of(payloads: Iterable[Mapping[str, Any]]) -> list[Published]:
    """Signals in the order of the ledger, each with its outcome if that stands in it too."""
    signals: dict[str, dict[str, Any]] = {}
    for payload in payloads:
        if payload["kind"] == "signal":
            signals[payload["public_id"]] = {
                "published_at": datetime.fromisoformat(payload["published_at"]),
                "expires_at": datetime.fromisoformat(payload["expires_at"]),
                "strategy": payload["strategy"],
                "confidence": payload["confidence"],
                "experimental": payload["experimental"],
            }
        elif payload["kind"] == "outcome":
            signals[payload["signal"]] |= {
                "exit_reason": payload["exit_reason"],
                "exited_at": datetime.fromisoformat(payload["exited_at"]),
                "r_multiple": payload["r_multiple"],
            }
    return [Published(**facts) for facts in signals.values()]


def track_record(signals: Sequence[Published], tiers: Sequence[TierRule]) -> dict[str, Any]:
    """Everything that the page shows, as JSON: `total`, `strategies`, `tiers`, `months` and `calibration`."""
    strategies = sorted({signal.strategy for signal in signals})
    months = sorted({f"{signal.published_at:%Y-%m}" for signal in signals}, reverse=True)
    return {
        "total": asdict(line("All signals", signals)),
        "strategies": [
            asdict(line(name, [each for each in signals if each.strategy == name])) for name in strategies
        ],
        "tiers": [
            asdict(line(tier.name, [each for each in signals if tier.gets(each)], published=len(signals)))
            for tier in tiers
        ],
        "months": [
            asdict(line(name, [each for each in signals if f"{each.published_at:%Y-%m}" == name]))
            for name in months
        ],
        "calibration": [asdict(each) for each in calibration(signals)],
    }


def line(name: str, given: Sequence[Published], published: int | None = None) -> Line:
    """One row over the signals `given`, of which `published` there were in all (default: these)."""
    ended = sorted(
        (each for each in given if each.exited_at is not None),
        key=lambda each: (each.exited_at, each.published_at),
    )
    results = np.array([each.r_multiple for each in ended], dtype=np.float64)
    weeks = [each.week for each in ended]
    rate, mean = win_rate(results), expectancy(results)
    rate_low, rate_high = rate_interval(results > 0, weeks)
    block = max(1.0, len(results) / max(1, len(set(weeks))))
    mean_low, mean_high = (
        bootstrap_interval(results, expectancy, mean_block=block)
        if len(set(weeks)) > 1
        else (math.nan, math.nan)
    )
    reasons = [each.exit_reason for each in ended]
    total = len(given) if published is None else published
    return Line(
        name=name,
        published=total,
        held_back=total - len(given),
        open=len(given) - len(ended),
        ended=len(ended),
        targets=reasons.count("target"),
        stops=reasons.count("stop"),
        expired=reasons.count("expiry"),
        weeks=len(set(weeks)),
        hit_rate=known(rate),
        hit_rate_low=known(rate_low),
        hit_rate_high=known(rate_high),
        mean_r=known(mean),
        mean_r_low=known(mean_low),
        mean_r_high=known(mean_high),
        total_r=float(results.sum()),
        drawdown_r=known(deepest_fall(results)),
    )


def calibration(signals: Sequence[Published]) -> list[Bin]:
    """Ended signals by tenths of their stated confidence; empty bins are left out."""
    ended = [each for each in signals if each.exited_at is not None]
    bins = []
    for number in range(CONFIDENCE_BINS):
        inside = [
            each
            for each in ended
            if min(int(each.confidence * CONFIDENCE_BINS), CONFIDENCE_BINS - 1) == number
        ]
        if not inside:
            continue
        results = np.array([each.r_multiple for each in inside])
        low, high = rate_interval(results > 0, [each.week for each in inside])
        stated = float(np.mean([each.confidence for each in inside]))
        edges = number / CONFIDENCE_BINS, (number + 1) / CONFIDENCE_BINS
        bins.append(Bin(*edges, len(inside), stated, win_rate(results), low, high))
    return bins


def rate_interval(hits: npt.ArrayLike, clusters: Sequence[Any]) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, for as many independent trials as clusters leave of them.

    hits: 1-D booleans; clusters: to what each belongs. The number of trials is divided by the design effect,
    the variance of the share over clusters by that of independent trials, at least 1; where all are alike, which
    tells nothing of it, each cluster is one trial. NaN of nothing.
    Sources: Wilson (1927); Korn and Graubard, Confidence Intervals for Proportions (1998).
    """
    hit = np.asarray(hits, dtype=np.float64)
    if not len(hit):
        return math.nan, math.nan
    share, trials = float(hit.mean()), float(len(hit))
    numbers = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    if share in (0.0, 1.0) or len(numbers) < 2:
        trials = float(len(numbers))
    else:
        sums = np.bincount([numbers[each] for each in clusters], weights=hit - share)
        variance = len(numbers) / (len(numbers) - 1) * float((sums**2).sum()) / trials**2
        trials /= max(1.0, variance * trials / (share * (1 - share)))
    centre = (share + Z**2 / (2 * trials)) / (1 + Z**2 / trials)
    spread = Z / (1 + Z**2 / trials) * math.sqrt(share * (1 - share) / trials + Z**2 / (4 * trials**2))
    return max(0.0, centre - spread), min(1.0, centre + spread)


def known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
