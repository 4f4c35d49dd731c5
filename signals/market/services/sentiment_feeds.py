"""The rows of the sources: budgets of the day, waits after failures, and what was asked when."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from signals.engine.sentiment import SentimentSource
from signals.market.models import Instrument, SentimentFeed
from signals.market.providers.mood_source import SentimentError, Told, Trouble
from signals.telemetry import SENTIMENT_COST

# A key that may not, or an endpoint that is not there, will be the same in an hour: people must act.
WAITS = {
    Trouble.KEY: timedelta(days=1),
    Trouble.GONE: timedelta(days=1),
    Trouble.REFUSED: timedelta(hours=1),
}
SHORTEST_WAIT, LONGEST_BACK_OFF = timedelta(minutes=1), timedelta(hours=1)


def may_be_asked(*, source: SentimentSource, now: datetime) -> bool:
    """Neither within a wait nor beyond its budget of today."""
    feed = SentimentFeed.objects.filter(source=source.value).first()
    if feed is None:
        return settings.SENTIMENT_CALLS_PER_DAY > 0
    if feed.quiet_until and now < feed.quiet_until:
        return False
    if feed.day != now.date():
        return settings.SENTIMENT_CALLS_PER_DAY > 0
    spent = feed.cost_usd > 0 and feed.cost_usd >= settings.SENTIMENT_USD_PER_DAY
    return feed.calls < settings.SENTIMENT_CALLS_PER_DAY and not spent


def due(
    instruments: Sequence[Instrument],
    sources: Sequence[SentimentSource],
    *,
    good_for: timedelta,
    now: datetime,
) -> list[Instrument]:
    """Those of which no source has spoken for so long, who waited longest first: a budget that ends takes turns."""
    asked: dict[str, datetime] = {}
    for feed in SentimentFeed.objects.filter(source__in=[source.value for source in sources]):
        for number, text in feed.asked.items():
            moment = datetime.fromisoformat(text)
            asked[number] = max(moment, asked.get(number, moment))
    waiting = [each for each in instruments if now - asked.get(str(each.pk), now - good_for) >= good_for]
    return sorted(waiting, key=lambda each: asked.get(str(each.pk), datetime.min.replace(tzinfo=now.tzinfo)))


@transaction.atomic
def note_answer(*, source: SentimentSource, instrument: Instrument, told: Told, now: datetime) -> None:
    feed = _of_today(source, now)
    feed.asked[str(instrument.pk)] = now.isoformat()
    _paid(feed, told.calls, told.cost_usd)
    feed.failures, feed.quiet_until, feed.error, feed.answered_at = 0, None, "", now
    feed.save()


@transaction.atomic
def note_failure(*, source: SentimentSource, error: SentimentError, now: datetime) -> None:
    """It is left alone: as long as it said, as long as its kind of trouble lasts, or twice as long each time."""
    feed = _of_today(source, now)
    _paid(feed, 1, error.cost_usd)
    back_off = min(SHORTEST_WAIT * 2 ** min(feed.failures, 10), LONGEST_BACK_OFF)
    wait = error.retry_after or WAITS.get(error.kind, back_off)
    feed.failures += 1
    feed.quiet_until, feed.failed_at, feed.error = now + wait, now, str(error)
    feed.save()


def _of_today(source: SentimentSource, now: datetime) -> SentimentFeed:
    """Locked, its budget begun anew where the day is another."""
    SentimentFeed.objects.get_or_create(source=source.value, defaults={"day": now.date()})
    feed = SentimentFeed.objects.select_for_update().get(source=source.value)
    if feed.day != now.date():
        feed.day, feed.calls, feed.cost_usd = now.date(), 0, 0.0
    return feed


def _paid(feed: SentimentFeed, calls: int, cost_usd: float) -> None:
    feed.calls += calls
    feed.cost_usd += cost_usd
    feed.total_cost_usd += cost_usd
    SENTIMENT_COST.labels(source=feed.source).inc(cost_usd)
