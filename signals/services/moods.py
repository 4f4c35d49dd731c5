"""What was known of sentiment at a close, from stored readings only: live, replay and backtest read the same."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.db.models import Min

from signals.engine.candle import FloatArray, TimeArray
from signals.engine.moment import instant
from signals.engine.sentiment import LONGEST, Mood, Reading, mood_at
from signals.engine.standing import standing
from signals.engine.timeframe import BASE_TIMEFRAME
from signals.market.models import SentimentReading, SentimentReadingQuerySet

# As far back as a strategy remembers an event, and more: a mood that stands is no news at each close.
BARS = 24
PERIOD = timedelta(seconds=BASE_TIMEFRAME.seconds)


@dataclass(frozen=True, slots=True)
class KnownMood:
    """newest: at the close itself. history: at each of the last closes, for the context; None where none was known."""

    newest: Mood
    history: FloatArray | None


def known_mood(*, instrument_id: int, as_of: datetime) -> KnownMood:
    closes = [as_of - place * PERIOD for place in reversed(range(BARS))]
    moods = _moods(instrument_id, closes)
    return KnownMood(moods[-1], _scores(moods))


def moods_at_closes(*, instrument_id: int, closes: TimeArray) -> FloatArray | None:
    """The mood that each close (UTC ms, rising) knew, NaN where it knew none; None where no close did."""
    if not SentimentReading.objects.filter(instrument_id=instrument_id).exists() or not len(closes):
        return None
    return _scores(_moods(instrument_id, [instant(int(close)) for close in closes]))


def _moods(instrument_id: int, closes: list[datetime]) -> list[Mood]:
    any_known = standing(
        ("moods", instrument_id),
        closes[-1],
        changes=lambda: _of(instrument_id).aggregate(first=Min("fetched_at")).values(),
        ask=lambda: _of(instrument_id).filter(fetched_at__lte=closes[-1]).exists(),
    )
    if not any_known:
        return [mood_at([], close) for close in closes]
    stored = (
        _of(instrument_id)
        .filter(
            fetched_at__lte=closes[-1],
            published_at__gt=closes[0] - LONGEST,
        )
        .order_by("published_at", "pk")
        .as_readings()
    )
    published = [each.published_at for each in stored]

    def near(close: datetime) -> list[Reading]:
        return stored[bisect_right(published, close - LONGEST) : bisect_right(published, close)]

    return [mood_at(near(close), close) for close in closes]


def _of(instrument_id: int) -> SentimentReadingQuerySet:
    return SentimentReading.objects.filter(instrument_id=instrument_id)


def _scores(moods: list[Mood]) -> FloatArray | None:
    scores = np.array([np.nan if each.score is None else each.score for each in moods])
    return None if np.isnan(scores).all() else scores
