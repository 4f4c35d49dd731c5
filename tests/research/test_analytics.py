"""Analytics against plain arithmetic."""

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifications.models import Delivery, Feedback
from notifications.services.fan_out import fan_out
from research.models import EndedChunk
from research.selectors.analytics import DIMENSIONS, RISK, analysed
from research.services.ended_chunks import pack_ended_signals
from signals.market.models import Candle
from signals.models import Signal
from signals.services.outcomes import record_outcomes
from tests.factories import make_instrument
from tests.notifications.rows import make_outcome, make_signal, make_subscriber, make_tier
from users.models import Tier, User

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)
START = NOW - timedelta(days=90)


def ended(r: float, *, strategy: str, hours: float, days_ago: float = 2, **columns: Any) -> None:
    published = NOW - timedelta(days=days_ago)
    signal = make_signal(published_at=published, strategy=strategy, **columns)
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


def make_tiers() -> None:
    Tier.objects.all().delete()
    for rank, (code, delay, experimental) in enumerate((("late", 900, False), ("now", 0, True)), start=1):
        Tier.objects.create(
            code=code, name=code.title(), rank=rank, delay_seconds=delay, experimental=experimental,
            account_types=["demo"],
        )  # fmt: skip


def on_candles(*, opens: list[float], experimental: bool = False) -> Signal:
    """Decided at the close of the first hour at 100 (stop 95, target 110) and followed on flat bars at `opens`."""
    begun = NOW.replace(minute=0) - timedelta(days=5)
    signal = make_signal(
        instrument=make_instrument(), candle_open_time=begun, entry_price=100.0, stop_loss=95.0, take_profit=110.0,
        published_at=begun + timedelta(hours=1, seconds=2), expires_at=begun + timedelta(hours=5),
        experimental=experimental,
    )  # fmt: skip
    for number, price in enumerate((100.0, *opens)):
        Candle.objects.create(
            instrument=signal.instrument, timeframe="1h", open_time=begun + timedelta(hours=number),
            open=price, high=price, low=price, close=price, volume=1,
        )  # fmt: skip
    return signal


@pytest.mark.django_db
def test_a_delayed_tier_has_what_could_be_entered_after_its_delay() -> None:
    make_tiers()
    both = on_candles(opens=[100.0, 104.0, 112.0])  # entered at 100, or an hour later at 104, left at 112
    gone = on_candles(opens=[112.0, 112.0, 112.0])  # beyond its target before the delayed could enter
    on_candles(opens=[100.0, 100.0, 112.0], experimental=True)
    record_outcomes(exchange_code=both.instrument.exchange.code, as_of=NOW, now=NOW)
    assert pack_ended_signals(now=NOW) == 1
    _, groups, _ = analysed(dimension="tier", start=START, end=NOW)
    late, now = groups
    assert (late.name, late.n, now.name, now.n) == ("Late, after 15 min", 1, "Now, after 0 min", 3)
    costs = both.outcome.r_multiple - (112 - 100) / 5
    assert late.total_r == pytest.approx((112 - 104) / 5 + costs, abs=0.01)
    assert gone.outcome.exited_at < NOW


@pytest.mark.django_db
def test_packed_and_straight_from_the_rows_are_the_same() -> None:
    Tier.objects.update(delay_seconds=0)  # what came of later entries is known of packed signals only
    strategies = ("rsi", "macd", "dca")
    sessions: tuple[list[str], ...] = ([], ["london"], ["london", "new_york"])
    instrument = make_instrument()
    for number, r in enumerate(np.random.default_rng(5).normal(0.1, 1.0, 45)):
        ended(
            float(r), strategy=strategies[number % 3], hours=1 + number % 5, days_ago=80 - 1.5 * number,
            experimental=number % 4 == 0, sessions=sessions[number % 3], instrument=instrument,
        )  # fmt: skip

    def everything() -> list[Any]:
        return [analysed(dimension=each, start=START, end=NOW)[:2] for each in DIMENSIONS]

    straight = everything()
    with patch("research.services.ended_chunks.ROWS", 20):
        assert pack_ended_signals(now=NOW) == 3
        assert everything() == straight
        ended(0.5, strategy="rsi", hours=1, days_ago=1)
        grown = everything()
        assert grown[0][0].n == 46
        assert pack_ended_signals(now=NOW) == 1
        assert everything() == grown
        assert pack_ended_signals(now=NOW) == 0


@pytest.mark.django_db
def test_a_block_with_room_takes_up_those_behind_it() -> None:
    ended(1.0, strategy="rsi", hours=1)
    pack_ended_signals(now=NOW)
    ended(2.0, strategy="rsi", hours=1)
    with patch(
        "research.services.ended_chunks._is_stale", return_value=False
    ):  # it ended while the first was packed
        assert pack_ended_signals(now=NOW) == 1
    assert EndedChunk.objects.count() == 2
    ended(-1.0, strategy="rsi", hours=1)
    assert pack_ended_signals(now=NOW) == 1
    (block,) = EndedChunk.objects.all()
    assert block.count == 3


@pytest.mark.django_db
def test_an_answer_reaches_its_block() -> None:
    make_subscriber(tier=make_tier(delay_seconds=0))
    signal = make_signal(published_at=NOW - timedelta(days=2), strategy="rsi")
    make_outcome(
        signal=signal, r_multiple=1.0, exited_at=NOW - timedelta(days=1), entered_at=NOW - timedelta(days=2)
    )
    pack_ended_signals(now=NOW - timedelta(hours=1))
    fan_out(signal=signal)
    Feedback.objects.create(
        delivery=Delivery.objects.get(), answer="acted", answered_at=NOW - timedelta(minutes=9)
    )
    assert [each.name for each in analysed(dimension="answer", start=START, end=NOW)[1]] == ["no answer"]
    assert pack_ended_signals(now=NOW) == 1
    assert [each.name for each in analysed(dimension="answer", start=START, end=NOW)[1]] == ["acted"]
    assert pack_ended_signals(now=NOW + timedelta(hours=1)) == 0


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
    if dimension == DIMENSIONS[0]:
        pack_ended_signals(now=timezone.now())
        assert "+1.00 R" in client.get(address).content.decode()
