"""Analytics against plain arithmetic."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from research.selectors.analytics import DIMENSIONS, RISK, analysed
from tests.notifications.rows import make_outcome, make_signal
from users.models import Tier, User

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)
START = NOW - timedelta(days=90)


def ended(r: float, *, strategy: str, hours: float, days_ago: float = 2, experimental: bool = False) -> None:
    published = NOW - timedelta(days=days_ago)
    signal = make_signal(published_at=published, strategy=strategy, experimental=experimental)
    make_outcome(
        signal=signal, r_multiple=r, exited_at=published + timedelta(hours=hours), entered_at=published
    )


@pytest.mark.django_db
def test_groups_are_plain_arithmetic() -> None:
    for r, strategy, days_ago in ((1.0, "rsi", 5), (-1.0, "rsi", 4), (2.0, "macd", 3), (-0.5, "rsi", 3)):
        ended(r, strategy=strategy, hours=1, days_ago=days_ago)
    everything, groups, _ = analysed(dimension="strategy", start=START, end=NOW)
    assert (everything.n, everything.hit_rate, everything.total_r) == (4, 0.5, 1.5)
    assert everything.drawdown_r == -1.0
    by_day = np.array([1.0, -1.0, 1.5]) * RISK
    assert everything.sharpe == pytest.approx(by_day.mean() / by_day.std(ddof=1) * np.sqrt(365))
    assert [(each.name, each.n) for each in groups] == [("rsi", 3), ("macd", 1)]
    assert np.isnan(everything.hit_interval.low)


@pytest.mark.django_db
def test_an_interval_needs_twenty_signals_and_encloses_the_mean() -> None:
    results = np.random.default_rng(3).normal(0.2, 1.0, 40)
    for number, r in enumerate(results):
        ended(float(r), strategy="rsi", hours=1, days_ago=80 - number)
    everything, _, _ = analysed(dimension="source", start=START, end=NOW)
    assert everything.mean_interval.low < everything.mean_r < everything.mean_interval.high
    assert everything.hit_interval.low < everything.hit_rate < everything.hit_interval.high


@pytest.mark.django_db
def test_a_delayed_tier_has_only_what_was_open_and_a_tier_without_experiments_none_of_them() -> None:
    Tier.objects.all().delete()
    Tier.objects.create(
        code="late", name="Late", rank=1, delay_seconds=900, experimental=False, account_types=["demo"]
    )
    Tier.objects.create(
        code="now", name="Now", rank=2, delay_seconds=0, experimental=True, account_types=["demo"]
    )
    ended(1.0, strategy="rsi", hours=0.1)
    ended(2.0, strategy="macd", hours=2, days_ago=3)
    ended(4.0, strategy="dca", hours=2, days_ago=4, experimental=True)
    _, groups, _ = analysed(dimension="tier", start=START, end=NOW)
    assert {each.name: each.total_r for each in groups} == {
        "Late, after 15 min": 2.0,
        "Now, after 0 min": 7.0,
    }


@pytest.mark.django_db
@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_the_page_shows_every_dimension_with_and_without_signals(dimension: str, client: Client) -> None:
    cache.clear()
    client.force_login(User.objects.create_superuser("boss", "boss@example.org", "a-password-1"))
    address = reverse("research:analytics") + f"?by={dimension}&period=all"
    assert "No signal ended" in client.get(address).content.decode()
    ended(1.0, strategy="rsi", hours=1)
    text = client.get(address).content.decode()
    assert "+1.00 R" in text
