"""Reading sentiment: who is asked, how often, for how much, and what is kept.

Of each origin the first source that may be asked is; where it fails, the next of the same origin. Nothing here raises
for what a source does: no reading is neutral, and the row of the source says why.
"""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.utils.module_loading import import_string

from signals.engine.asset_names import names_of
from signals.engine.sentiment import LONGEST, Origin, SentimentSource
from signals.engine.session import AssetClass
from signals.market.models import Exchange, Instrument, SentimentReading
from signals.market.providers.mood_source import SentimentAdapter, SentimentError, Subject, Told
from signals.market.services import sentiment_feeds
from signals.telemetry import SENTIMENT_DROPPED, SENTIMENT_READINGS

logger = structlog.get_logger(__name__)

# An answer is good for so long; asked again sooner, a source would say the same, and take money for it.
GOOD_FOR: Mapping[Origin, timedelta] = {Origin.X: timedelta(minutes=58), Origin.NEWS: timedelta(minutes=9)}
# A task is ended after 60 seconds and the longest question takes 35: what is not asked by then is the next tick's.
SECONDS_OF_ASKING = 20.0
ADAPTERS: Mapping[SentimentSource, str] = {
    SentimentSource.XAI_RESPONSES: "signals.market.providers.xai_responses.XaiResponses",
    SentimentSource.XAI_SEED: "signals.market.providers.xai_seed.XaiSeed",
    SentimentSource.FINNHUB_NEWS: "signals.market.providers.finnhub_news.FinnhubNews",
    SentimentSource.FINNHUB_SEED: "signals.market.providers.finnhub_seed.FinnhubSeed",
}
CATEGORIES = {AssetClass.CRYPTO.value: "crypto", AssetClass.FOREX.value: "forex"}
DOLLARS = frozenset({"USDT", "USDC", "FDUSD", "BUSD", "TUSD"})


def read_sentiment(*, exchange: Exchange, origin: Origin, as_of: datetime, now: datetime) -> int:
    """Ask about the exchange's active instruments that are due; how many readings were kept.

    as_of: the exchange's time, from which a close knows them; now: ours, by which days and waits are counted.
    """
    sources = sources_of(origin)
    instruments = list(exchange.instruments.active().order_by("symbol"))
    adapters = {source: adapter_for(source) for source in sources}
    began, kept = time.monotonic(), 0
    for instrument in sentiment_feeds.due(instruments, sources, good_for=GOOD_FOR[origin], now=now):
        if time.monotonic() - began > SECONDS_OF_ASKING:
            break
        for source in sources:
            found = _ask(adapters[source], source, instrument, as_of=as_of, now=now)
            if found is not None:
                kept += found
                break
    return kept


def sources_of(origin: Origin) -> list[SentimentSource]:
    """Those that the settings name and have a key for, in their order."""
    keys = {Origin.X: settings.XAI_API_KEY, Origin.NEWS: settings.FINNHUB_API_KEY}
    named = [SentimentSource(each) for each in settings.SENTIMENT_SOURCES]
    return [each for each in named if each.origin is origin and keys[origin]]


def adapter_for(source: SentimentSource) -> SentimentAdapter:
    """By dotted path: who never asks loads no HTTP client."""
    asked = {"base_url": settings.XAI_API_URL, "key": settings.XAI_API_KEY}
    if source.origin is Origin.NEWS:
        asked = {"base_url": settings.FINNHUB_API_URL, "key": settings.FINNHUB_API_KEY}
    if source is SentimentSource.XAI_RESPONSES:
        asked["model"] = settings.XAI_MODEL
    adapter: SentimentAdapter = import_string(ADAPTERS[source])(**asked)
    return adapter


def subject_of(instrument: Instrument) -> Subject:
    category = CATEGORIES.get(instrument.asset_class, "general")
    quote = "USD" if instrument.quote in DOLLARS else instrument.quote
    return Subject(instrument.base, quote, names_of(instrument.base), category)


def _ask(
    adapter: SentimentAdapter,
    source: SentimentSource,
    instrument: Instrument,
    *,
    as_of: datetime,
    now: datetime,
) -> int | None:
    """How many readings it gave; None where it may not be asked, or gave no answer."""
    if not sentiment_feeds.may_be_asked(source=source, now=now):
        return None
    try:
        told = adapter.read(subject_of(instrument), start=as_of - LONGEST, end=as_of)
    except SentimentError as error:
        sentiment_feeds.note_failure(source=source, error=error, now=now)
        logger.warning("no sentiment", source=source, instrument=str(instrument), error=str(error))
        return None
    sentiment_feeds.note_answer(source=source, instrument=instrument, told=told, now=now)
    if told.dropped:
        SENTIMENT_DROPPED.labels(source=source).inc(len(told.dropped))
        logger.warning("readings not believed", source=source, count=len(told.dropped), why=told.dropped[0])
    return keep(source=source, instrument=instrument, told=told, as_of=as_of)


def keep(*, source: SentimentSource, instrument: Instrument, told: Told, as_of: datetime) -> int:
    """Write what was not known yet. What was seen before stays as it was seen then."""
    rows = [
        SentimentReading(
            instrument=instrument,
            source=source.value,
            published_at=point.published_at,
            fetched_at=as_of,
            score=point.score,
            n=point.n,
            confidence=point.confidence,
            citations=[dict(each) for each in point.citations],
            model=point.model,
            reference=point.reference,
            is_degraded=point.is_degraded,
        )
        for point in told.points
    ]
    own = SentimentReading.objects.filter(instrument=instrument, source=source.value)
    before = own.count()
    SentimentReading.objects.bulk_create(rows, ignore_conflicts=True)
    added = own.count() - before
    SENTIMENT_READINGS.labels(source=source).inc(added)
    return added
