"""What readings of sentiment say together at a moment: two independent sources, or nothing.

A reading counts half after HALF_LIFE and nothing after LONGEST. The readings of one origin (posts on X, news) become
one score: their mean by age, times what is left of the newest, so that silence ends in neutral. The origins are
weighted as the seed document does. One origin alone moves nothing, for whoever can write in one place cannot easily
write in two; where they contradict each other, the mood is neutral.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from math import isfinite

HALF_LIFE = timedelta(hours=6)
LONGEST = timedelta(hours=24)
VETO = 0.5  # a mood so strong against a signal ends it


class SentimentSource(StrEnum):
    """Adapters, by the contract that they speak."""

    XAI_RESPONSES = "xai_responses"
    XAI_SEED = "xai_seed"
    FINNHUB_NEWS = "finnhub_news"
    FINNHUB_SEED = "finnhub_seed"

    @property
    def origin(self) -> "Origin":
        return Origin.X if self in (SentimentSource.XAI_RESPONSES, SentimentSource.XAI_SEED) else Origin.NEWS


class Origin(StrEnum):
    """Who is heard in the end. Two adapters of one origin are not independent."""

    X = "x"
    NEWS = "news"


ORIGIN_WEIGHTS: Mapping[Origin, float] = {Origin.X: 0.6, Origin.NEWS: 0.4}


@dataclass(frozen=True, slots=True)
class Reading:
    """One score, -1 (bearish) to 1 (bullish), of the moment `published_at`; known to us since `fetched_at`.

    n: on how many posts or articles it stands. is_degraded: kept, but not counted (an answer without citations).
    """

    source: SentimentSource
    published_at: datetime
    fetched_at: datetime
    score: float
    n: int = 1
    is_degraded: bool = False


@dataclass(frozen=True, slots=True)
class Mood:
    """score: None where it is not known; `fallback` says why, and the mood is then neutral.

    origins: the score of each origin that was heard; n: posts and articles behind them.
    """

    score: float | None
    fallback: str = ""
    origins: Mapping[Origin, float] = field(default_factory=dict)
    n: int = 0

    def features(self) -> dict[str, float | str]:
        """What an evaluation keeps of it."""
        said: dict[str, float | str] = {"sentiment": self.score or 0.0, "sentiment_n": float(self.n)}
        said |= {f"sentiment_{origin}": score for origin, score in self.origins.items()}
        if self.fallback:
            said["sentiment_fallback"] = self.fallback
        return said


def mood_at(readings: Iterable[Reading], as_of: datetime) -> Mood:
    """What was known at `as_of`: what was fetched later, or speaks of later, does not exist yet."""
    known = [each for each in readings if _counts(each, as_of)]
    origins: dict[Origin, float] = {}
    for origin in Origin:
        own = [each for each in known if each.source.origin is origin]
        if own:
            origins[origin] = _of_origin(own, as_of)
    n = sum(each.n for each in known)
    if len(origins) < len(Origin):
        silent = " and ".join(origin for origin in Origin if origin not in origins)
        return Mood(None, f"no reading of {silent} in the last {_hours(LONGEST)} hours", origins, n)
    if min(origins.values()) < 0 < max(origins.values()):
        return Mood(0.0, "", origins, n)
    total = sum(ORIGIN_WEIGHTS[origin] for origin in origins)
    return Mood(
        sum(ORIGIN_WEIGHTS[origin] * score for origin, score in origins.items()) / total, "", origins, n
    )


def left_of(age: timedelta) -> float:
    """What a reading counts at that age."""
    return float(0.5 ** (age / HALF_LIFE)) if age < LONGEST else 0.0


def _of_origin(readings: Sequence[Reading], as_of: datetime) -> float:
    weights = [left_of(as_of - each.published_at) for each in readings]
    mean = sum(w * each.score for w, each in zip(weights, readings, strict=True)) / sum(weights)
    return mean * max(weights)


def _counts(reading: Reading, as_of: datetime) -> bool:
    if not isfinite(reading.score) or abs(reading.score) > 1 or reading.is_degraded or reading.n < 1:
        return False
    return max(reading.published_at, reading.fetched_at) <= as_of < reading.published_at + LONGEST


def _hours(span: timedelta) -> int:
    return int(span.total_seconds() // 3600)
