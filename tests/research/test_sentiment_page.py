"""The sentiment page: moods, readings, sources; headlines are shown as data."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from signals.market.models import Instrument, SentimentFeed, SentimentReading
from tests.factories import make_instrument
from users.models import User

pytestmark = pytest.mark.django_db


def reader(*rights: str) -> Client:
    user = User.objects.create_user("eve", "eve@example.org", "a-password-1", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def client() -> Client:
    return reader("view_sentimentreading", "view_instrument")


def text(client: Client, query: str = "") -> str:
    answer = client.get(reverse("research:sentiment") + query)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def said(instrument: Instrument, source: str, score: float, **values: Any) -> None:
    at = timezone.now() - timedelta(hours=1)
    SentimentReading.objects.create(
        **{"instrument": instrument, "source": source, "score": score, "published_at": at, "fetched_at": at}
        | values
    )


def test_empty_it_says_when_the_first_will_come(client: Client) -> None:
    assert "No instrument is active." in text(client)
    make_instrument()
    shown = text(client)
    assert "neutral" in shown
    assert "Fallback: no reading of x and news in the last 24 hours" in shown
    assert "Readings come within five minutes" in shown


def test_moods_readings_and_sources_are_shown_and_headlines_are_text(client: Client) -> None:
    bitcoin, ether = make_instrument(symbol="BTC/USDT"), make_instrument(symbol="ETH/USDT")
    link = {"title": "<script>alert(1)</script> BTC gains", "url": "https://a.example/1"}
    said(bitcoin, "xai_responses", 0.8)
    said(bitcoin, "finnhub_news", 0.4, citations=[link])
    said(ether, "finnhub_news", -0.5)
    SentimentFeed.objects.create(
        source="xai_responses", day=timezone.now().date(), calls=7, cost_usd=0.25, total_cost_usd=1.5, failures=2,
        quiet_until=timezone.now(), error="xai: 429 Rate limit reached",
    )  # fmt: skip
    shown = text(client, f"?instrument={bitcoin.pk}")
    assert "+0.57" in shown  # (0.6 * 0.8 + 0.4 * 0.4) an hour later
    assert "Both origins" in shown
    assert "no reading of x in the last" in shown
    assert "xai: 429 Rate limit reached" in shown
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown


def test_the_figure_holds_points_and_the_line_that_closes_knew(client: Client) -> None:
    instrument = make_instrument()
    said(instrument, "xai_seed", 0.5)
    said(instrument, "finnhub_seed", 0.5)
    answer = client.get(reverse("research:sentiment_figure", args=[instrument.pk]))
    mood, *points = answer.json()["data"]
    assert [trace["name"] for trace in points] == ["finnhub seed", "xai seed"]
    assert [trace["y"] for trace in points] == [[0.5], [0.5]]
    assert len(mood["x"]) == 7 * 24
    assert set(mood["y"][:-2]) == {None}


def test_who_may_not_read_is_refused() -> None:
    client = reader("view_instrument")
    assert client.get(reverse("research:sentiment")).status_code == 403
    instrument = make_instrument()
    assert client.get(reverse("research:sentiment_figure", args=[instrument.pk])).status_code == 403
