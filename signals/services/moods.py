"""What was known of sentiment at a close, from stored readings only."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from signals.engine.candle import FloatArray
from signals.engine.sentiment import LONGEST, Mood, mood_at
from signals.engine.timeframe import BASE_TIMEFRAME
from signals.market.models import SentimentReading

# As far back as a strategy remembers an event, and more: a mood that stands is no news at each close.
BARS = 24
PERIOD = timedelta(seconds=BASE_TIMEFRAME.seconds)


@dataclass(frozen=True, slots=True)
class KnownMood:
    """newest: at the close itself. history: at each of the last closes, for the context; None where none was known."""

    newest: Mood
    history: FloatArray | None


def known_mood(*, instrument_id: int, as_of: datetime) -> KnownMood:
    """Of each close what was known by then, so that live, a replay and a backtest read the same."""
    stored = SentimentReading.objects.filter(
        instrument_id=instrument_id,
        fetched_at__lte=as_of,
        published_at__gt=as_of - LONGEST - BARS * PERIOD,
    ).as_readings()
    moods = [mood_at(stored, as_of - place * PERIOD) for place in reversed(range(BARS))]
    scores = np.array([np.nan if each.score is None else each.score for each in moods])
    return KnownMood(moods[-1], None if np.isnan(scores).all() else scores)
