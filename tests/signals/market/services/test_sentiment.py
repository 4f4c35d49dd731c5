"""Who is asked, how often, for how much; what is kept; and what happens when nobody answers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pytest_django import Settings

from signals.engine.sentiment import Origin, SentimentSource
from signals.market.models import Instrument, SentimentFeed, SentimentReading
from signals.market.services import sentiment_feeds
from signals.market.services.sentiment import GOOD_FOR, read_sentiment
from tests.factories import make_instrument
from tests.signals.market.providers.sentiment_server import Vendor, vendor
from tests.signals.market.providers.test_sentiment_adapters import post, responses, seed_rows

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
RESPONSES, SEED = SentimentSource.XAI_RESPONSES.value, SentimentSource.XAI_SEED.value


@pytest.fixture
def there(settings: Settings, db: None) -> Iterator[Vendor]:
    with vendor() as told:
        settings.XAI_API_URL = settings.FINNHUB_API_URL = told.url
        settings.XAI_API_KEY = settings.FINNHUB_API_KEY = "key"
        settings.SENTIMENT_SOURCES = (RESPONSES, "finnhub_news")
        settings.SENTIMENT_CALLS_PER_DAY, settings.SENTIMENT_USD_PER_DAY = 100, 1.0
        yield told


@pytest.fixture
def instrument(there: Vendor) -> Instrument:
    return make_instrument(symbol="BTC/USDT", base="BTC", quote="USDT")


def ask(instrument: Instrument, origin: Origin = Origin.X, after: timedelta = timedelta()) -> int:
    return read_sentiment(exchange=instrument.exchange, origin=origin, as_of=NOW + after, now=NOW + after)


def feed(source: str = RESPONSES) -> SentimentFeed:
    return SentimentFeed.objects.get(source=source)


def cost() -> float:
    return REGISTRY.get_sample_value("copilot_sentiment_cost_usd_total", {"source": RESPONSES}) or 0.0


def test_a_reading_is_kept_with_when_it_spoke_and_when_it_came(there: Vendor, instrument: Instrument) -> None:
    there.says(responses([post(0.5, at="2026-07-01T11:00:00Z")]))
    before = cost()
    assert ask(instrument) == 1
    reading = SentimentReading.objects.get()
    assert (reading.published_at, reading.fetched_at) == (NOW - timedelta(hours=1), NOW)
    assert (reading.score, reading.n, reading.model) == (0.5, 30, "grok-4.3")
    assert reading.citations == [{"title": "1", "url": "https://x.com/a/status/1"}]
    assert cost() - before == pytest.approx(0.00041215)
    assert (feed().calls, feed().answered_at) == (1, NOW)


def test_an_answer_is_good_for_its_time_even_an_empty_one(there: Vendor, instrument: Instrument) -> None:
    there.says(responses([]))
    ask(instrument)
    ask(instrument, after=GOOD_FOR[Origin.X] - timedelta(seconds=1))
    assert len(there.asked) == 1
    ask(instrument, after=GOOD_FOR[Origin.X])
    assert len(there.asked) == 2


def test_what_was_seen_once_is_never_revised(there: Vendor, instrument: Instrument) -> None:
    there.says(responses([post(0.5, at="2026-07-01T11:00:00Z")]))
    there.says(responses([post(-0.9, at="2026-07-01T11:00:00Z")]))
    ask(instrument)
    assert ask(instrument, after=timedelta(hours=1)) == 0
    assert SentimentReading.objects.get().score == 0.5


def test_news_serve_all_instruments_by_one_call(there: Vendor, instrument: Instrument) -> None:
    make_instrument(symbol="ETH/USDT", base="ETH")
    rows: list[dict[str, Any]] = [
        {"datetime": int(NOW.timestamp()) - 60, "headline": text, "id": n, "url": "https://a.example/"}
        for n, text in enumerate(["BTC plunges", "Ethereum rallies"])
    ]
    there.says(rows)
    assert ask(instrument, Origin.NEWS) == 2
    assert len(there.asked) == 1
    assert feed("finnhub_news").calls == 1


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (401, {}, timedelta(days=1)),
        (403, {}, timedelta(days=1)),
        (410, {}, timedelta(days=1)),
        (422, {}, timedelta(hours=1)),
        (429, {"Retry-After": "600"}, timedelta(seconds=600)),
        (429, {}, timedelta(minutes=1)),
        (500, {}, timedelta(minutes=1)),
    ],
)
def test_after_a_failure_it_is_left_alone_for_as_long_as_its_kind_lasts(
    there: Vendor, instrument: Instrument, status: int, headers: dict[str, str], wait: timedelta
) -> None:
    there.says({"error": "no"}, status, headers)
    assert ask(instrument) == 0
    assert feed().quiet_until == NOW + wait
    ask(instrument, after=wait - timedelta(seconds=1))
    assert len(there.asked) == 1
    there.answers = []
    there.says(responses([post(at=(NOW + wait).isoformat())]))
    assert ask(instrument, after=wait) == 1
    assert (feed().failures, feed().error, feed().quiet_until) == (0, "", None)


def test_waits_double_up_to_an_hour(there: Vendor, instrument: Instrument) -> None:
    there.says({}, 500)
    waits, after = [], timedelta()
    for _ in range(8):
        ask(instrument, after=after)
        quiet = feed().quiet_until
        assert quiet is not None
        waits.append((quiet - NOW - after).total_seconds() / 60)
        after = quiet - NOW
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_where_the_first_source_is_gone_the_next_of_its_origin_is_asked(
    there: Vendor, instrument: Instrument, settings: Settings
) -> None:
    settings.SENTIMENT_SOURCES = (SEED, RESPONSES)
    there.says({}, 410)
    there.says(responses([post()]))
    assert ask(instrument) == 1
    assert [path.split("?")[0] for _, path, _, _ in there.asked] == ["/v1/sentiment", "/v1/responses"]
    ask(instrument, after=timedelta(hours=2))
    assert [path for _, path, _, _ in there.asked][2:] == ["/v1/responses"]


def test_the_budget_of_calls_ends_with_the_day(
    there: Vendor, instrument: Instrument, settings: Settings
) -> None:
    settings.SENTIMENT_CALLS_PER_DAY = 2
    there.says(responses([post()]))
    for hours in (0, 1, 2, 3):
        ask(instrument, after=timedelta(hours=hours))
    assert len(there.asked) == 2
    ask(instrument, after=timedelta(hours=12))
    assert (len(there.asked), feed().calls) == (3, 1)


def test_the_budget_of_money_ends_with_the_day(
    there: Vendor, instrument: Instrument, settings: Settings
) -> None:
    settings.SENTIMENT_USD_PER_DAY = 0.0006
    there.says(responses([post()]))
    for hours in (0, 1, 2, 3):
        ask(instrument, after=timedelta(hours=hours))
    assert len(there.asked) == 2
    assert feed().total_cost_usd == pytest.approx(2 * 0.00041215)


def test_a_budget_that_ends_takes_turns(there: Vendor, instrument: Instrument, settings: Settings) -> None:
    other = make_instrument(symbol="ETH/USDT", base="ETH")
    settings.SENTIMENT_CALLS_PER_DAY = 1
    there.says(responses([post()]))
    ask(instrument)
    ask(instrument, after=timedelta(days=1))
    assert set(feed().asked) == {str(instrument.pk), str(other.pk)}


def test_without_a_key_nobody_is_asked(there: Vendor, instrument: Instrument, settings: Settings) -> None:
    settings.XAI_API_KEY = ""
    assert ask(instrument) == 0
    assert there.asked == []


def test_a_failure_of_one_instrument_keeps_what_another_gave(there: Vendor, instrument: Instrument) -> None:
    make_instrument(symbol="ETH/USDT", base="ETH")
    there.says(responses([post()]))
    there.says({}, 500)
    assert ask(instrument) == 1


def test_the_seeds_shape_is_kept_row_by_row(
    there: Vendor, instrument: Instrument, settings: Settings
) -> None:
    settings.SENTIMENT_SOURCES = (SEED,)
    there.says({"sentiments": seed_rows(0.1, 0.2, 0.3)})
    assert ask(instrument) == 3
    assert sentiment_feeds.may_be_asked(source=SentimentSource.XAI_SEED, now=NOW)
