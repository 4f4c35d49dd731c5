"""The seed's two contracts from our store; our own adapters of the seed are the clients."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from signals.market.models import Instrument, SentimentReading
from signals.market.providers.finnhub_seed import FinnhubSeed
from signals.market.providers.mood_source import SentimentError, Subject, Trouble
from signals.market.providers.xai_seed import XaiSeed
from tests.factories import make_instrument
from users.engine.api_key import ApiScope
from users.models import User
from users.services import create_api_key

pytestmark = pytest.mark.django_db
END = datetime(2026, 6, 1, 12, tzinfo=UTC)
BITCOIN = Subject("BTC", "USD", ("BTC",))
PAIR = {"pair": "BTC/USD", "start_date": "2026-06-01T00:00:00Z", "end_date": "2026-06-01T12:00:00Z"}
NEWS = {"symbol": "BTC", "from": "2026-06-01T00:00:00Z", "to": "2026-06-01T12:00:00Z"}


@pytest.fixture
def key(settings: Settings) -> str:
    cache.clear()
    settings.SERVE_SENTIMENT = True
    boss = User.objects.create_superuser("boss", "boss@example.com", "a-password-1")
    return create_api_key(user=boss, name="x", scopes=[ApiScope.READ], now=timezone.now())[1]


@pytest.fixture
def instrument() -> Instrument:
    found = make_instrument(symbol="BTC/USDT", base="BTC", quote="USDT")
    for source, score, hours in [
        ("xai_responses", 0.7, 2),
        ("xai_seed", -0.5, 1),
        ("finnhub_news", 0.4, 3),
        ("finnhub_news", 0.1, 30),
    ]:
        at = END - timedelta(hours=hours)
        SentimentReading.objects.create(
            instrument=found, source=source, score=score, published_at=at, fetched_at=at
        )
    SentimentReading.objects.create(
        instrument=found,
        source="xai_responses",
        score=1.0,
        published_at=END,
        fetched_at=END,
        is_degraded=True,
    )
    return found


def test_both_answer_in_the_seeds_words(key: str, instrument: Instrument, client: Client) -> None:
    answer = client.get("/v1/sentiment", PAIR, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.content
    assert answer.json() == {
        "sentiments": [
            {"timestamp": "2026-06-01T10:00:00Z", "sentiment_score": 0.7},
            {"timestamp": "2026-06-01T11:00:00Z", "sentiment_score": -0.5},
        ]
    }
    answer = client.get("/api/v1/news-sentiment", NEWS, headers={"X-Finnhub-Token": key})
    assert answer.json() == {
        "symbol": "BTC",
        "sentiment": [{"timestamp": "2026-06-01T09:00:00Z", "sentiment_score": 0.4}],
    }


@pytest.mark.parametrize(
    ("path", "query"), [("/v1/sentiment", PAIR), ("/api/v1/news-sentiment", NEWS)], ids=["x", "news"]
)
def test_off_wrong_and_odd_are_refused(
    key: str, instrument: Instrument, client: Client, settings: Settings, path: str, query: dict[str, str]
) -> None:
    first, begins, ends = list(query)
    good = {"Authorization": f"Bearer {key}"}
    assert client.get(path, query).status_code == 401
    assert client.get(path, query, headers={"X-Finnhub-Token": "wrong"}).status_code == 401
    assert client.post(path, query, headers=good).status_code == 405
    assert client.get(path, {}, headers=good).status_code == 400
    assert client.get(path, query | {first: "NOPE/XYZ"}, headers=good).status_code == 400
    assert client.get(path, query | {begins: "yesterday"}, headers=good).status_code == 400
    assert (
        client.get(path, query | {begins: query[ends], ends: query[begins]}, headers=good).status_code == 400
    )
    assert client.get(path, query | {begins: "2020-01-01T00:00:00Z"}, headers=good).status_code == 400
    settings.SERVE_SENTIMENT = False
    assert client.get(path, query, headers=good).status_code == 404


def test_it_is_off_by_default() -> None:
    from copilot_project.config import Configuration  # noqa: PLC0415

    assert Configuration.model_fields["serve_sentiment"].default is False


def test_a_key_without_the_right_reads_nothing(settings: Settings, instrument: Instrument) -> None:
    cache.clear()
    settings.SERVE_SENTIMENT = True
    reader = User.objects.create_user("reader", "reader@example.com", "a-password-1", is_staff=True)
    sent = create_api_key(user=reader, name="x", scopes=[ApiScope.READ], now=timezone.now())[1]
    answer = Client().get("/v1/sentiment", PAIR, headers={"Authorization": f"Bearer {sent}"})
    assert answer.status_code == 403


@pytest.mark.django_db(transaction=True)
def test_a_client_of_the_seed_works_against_us(
    key: str, instrument: Instrument, live_server: LiveServer
) -> None:
    start = END - timedelta(hours=24)
    told = XaiSeed(base_url=live_server.url, key=key).read(BITCOIN, start=start, end=END)
    assert [point.score for point in told.points] == [0.7, -0.5]
    told = FinnhubSeed(base_url=live_server.url, key=key).read(BITCOIN, start=start, end=END)
    assert [point.score for point in told.points] == [0.4]
    with pytest.raises(SentimentError) as caught:
        XaiSeed(base_url=live_server.url, key="wrong").read(BITCOIN, start=start, end=END)
    assert caught.value.kind is Trouble.KEY
