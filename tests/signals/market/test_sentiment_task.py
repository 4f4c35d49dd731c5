"""From the sandbox's xAI and Finnhub to the mood that a close knows."""

from datetime import timedelta

import httpx
import pytest
from pytest_django import Settings

from copilot_project.config import SANDBOX_SENTIMENT_KEY
from signals.engine.sentiment import Origin
from signals.market.models import Instrument, SentimentFeed, SentimentReading
from signals.market.services.clock import exchange_time
from signals.market.tasks import read_sentiment
from signals.services.moods import known_mood


@pytest.fixture
def vendors(exchange: httpx.Client, settings: Settings) -> httpx.Client:
    sandbox = str(exchange.base_url).rstrip("/")
    settings.XAI_API_URL, settings.FINNHUB_API_URL = f"{sandbox}/xai", f"{sandbox}/finnhub"
    settings.XAI_API_KEY = settings.FINNHUB_API_KEY = SANDBOX_SENTIMENT_KEY
    settings.SENTIMENT_SOURCES = ("xai_responses", "finnhub_news")
    return exchange


def test_both_origins_are_read_and_a_later_outage_fades_to_neutral(
    vendors: httpx.Client, bitcoin: Instrument
) -> None:
    read_sentiment("x")
    assert known_mood(instrument_id=bitcoin.pk, as_of=exchange_time(exchange_code="binance")).history is None
    read_sentiment("news")
    now = exchange_time(exchange_code="binance")
    mood = known_mood(instrument_id=bitcoin.pk, as_of=now).newest
    assert mood.score is not None
    assert set(mood.origins) == set(Origin)
    assert SentimentReading.objects.filter(fetched_at__gt=now).count() == 0

    fault = {"target": "xai", "kind": "500"}
    vendors.post("/_sandbox/faults", json=fault).raise_for_status()
    SentimentFeed.objects.update(asked={})
    read_sentiment("x")
    feed = SentimentFeed.objects.get(source="xai_responses")
    assert (feed.failures, feed.calls) == (1, 2)
    later = known_mood(instrument_id=bitcoin.pk, as_of=now + timedelta(days=1, hours=1)).newest
    assert later.score is None
    assert later.fallback
