"""Sentiment for readers: what is known of each instrument, and what the seed's clients ask for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from signals.engine.sentiment import LONGEST, Mood, Origin, Reading, SentimentSource, mood_at
from signals.market.models import Instrument, SentimentReading

MOST_READINGS = 1_000
DOLLARS = ("USD", "USDT", "USDC")


@dataclass(frozen=True, slots=True)
class InstrumentMood:
    instrument: Instrument
    mood: Mood
    newest: datetime | None


def pair(name: str) -> Instrument | None:
    """By symbol or alias; a pair in dollars is also the one in a coin that stands for dollars."""
    found = Instrument.objects.named(name).order_by("-is_active", "pk").first()
    if found is not None:
        return found
    base, _, quote = name.upper().replace("%2F", "/").replace("-", "/").partition("/")
    quotes = DOLLARS if quote in DOLLARS else ()
    return Instrument.objects.filter(base=base, quote__in=quotes).order_by("-is_active", "pk").first()


def asset(base: str) -> Instrument | None:
    return Instrument.objects.filter(base=base.upper()).order_by("-is_active", "pk").first()


def readings(
    *, instrument: Instrument, origin: Origin, start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """In the seed's shape, oldest first; the newest where there are too many. What does not count is not told."""
    rows = (
        SentimentReading.objects.filter(
            instrument=instrument,
            source__in=_of(origin),
            published_at__range=(start, end),
            is_degraded=False,
        )
        .order_by("-published_at", "-pk")
        .values_list("published_at", "score")[:MOST_READINGS]
    )
    return [
        {"timestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "sentiment_score": score}
        for moment, score in reversed(rows)
    ]


def moods(*, now: datetime) -> list[InstrumentMood]:
    """Of each active instrument what a close of now would know."""
    found = []
    for instrument in Instrument.objects.active().select_related("exchange"):
        known = SentimentReading.objects.filter(instrument=instrument).known_at(now).as_readings()
        newest = max((each.published_at for each in known), default=None)
        found.append(InstrumentMood(instrument, mood_at(known, now), newest))
    return found


def shown(*, instrument: Instrument, now: datetime, days: int) -> Sequence[SentimentReading]:
    """The readings of the last days, oldest first."""
    since = now - timedelta(days=days)
    own = SentimentReading.objects.filter(
        instrument=instrument, published_at__gt=since, published_at__lte=now
    )
    return list(reversed(own[:MOST_READINGS]))


def mood_history(
    known: Sequence[SentimentReading], *, now: datetime, days: int
) -> tuple[list[datetime], list[float | None]]:
    """The mood at each full hour, as it was known then."""
    hours = [now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=h) for h in range(24 * days)]
    hours.reverse()
    plain = [_as_reading(each) for each in known]
    scores = []
    for hour in hours:
        near = [each for each in plain if each.published_at > hour - LONGEST]
        scores.append(mood_at(near, hour).score)
    return hours, scores


def _as_reading(row: SentimentReading) -> Reading:
    return Reading(
        SentimentSource(row.source), row.published_at, row.fetched_at, row.score, row.n, row.is_degraded
    )


def _of(origin: Origin) -> list[str]:
    return [source.value for source in SentimentSource if source.origin is origin]
