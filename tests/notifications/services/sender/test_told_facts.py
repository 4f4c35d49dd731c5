"""What the claim adds to a signal: how earlier ones ended, what else is open, how old its prices are."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection

from notifications.models import Delivery, DeliveryKind, Feedback
from notifications.services.fan_out import fan_out
from notifications.services.preview import previewed
from notifications.services.sender.claiming import Claimed, claim
from notifications.services.sender.conninfo import conninfo
from notifications.services.sender.lease import Lease
from signals.models import Signal
from tests.notifications.rows import make_outcome, make_signal, make_subscriber, make_tier
from users.models import Subscriber

pytestmark = pytest.mark.django_db(transaction=True)

SHORT: dict[str, Any] = {"direction": "short", "stop_loss": 105.0, "take_profit": 90.0}


def claimed() -> list[Claimed]:
    async def take() -> list[Claimed]:
        async with await AsyncConnection.connect(conninfo(), autocommit=True) as connection:
            lease = Lease(30.0)
            assert await lease.take(connection)
            return await claim(connection, limit=10, busy=[], lease=lease)

    return asyncio.run(take())


def given(subscriber: Subscriber, **values: Any) -> Delivery:
    """A signal that the subscriber was sent an hour ago."""
    moment = datetime.now(UTC) - timedelta(hours=1)
    return Delivery.objects.create(
        signal=make_signal(published_at=moment, **values),
        subscriber=subscriber,
        state="sent",
        sent_at=moment,
        tier="x",
        tier_rank=1,
        due_at=moment,
        next_attempt_at=moment,
        expires_at=moment + timedelta(hours=4),
    )


def test_record_is_of_the_signals_that_had_ended_at_publication() -> None:
    subscriber = make_subscriber()
    now = datetime.now(UTC)
    for r_multiple in (1.5, -1.0, -1.0, 0.5):
        make_outcome(signal=make_signal(), r_multiple=r_multiple, recorded_at=now - timedelta(hours=1))
    make_outcome(signal=make_signal(), r_multiple=9.0, recorded_at=now + timedelta(hours=1))
    fan_out(signal=make_signal(published_at=now))

    [row] = claimed()
    assert (row.state, row.draft.signal.record_ended, row.draft.signal.record_won) == ("sending", 4, 2)
    assert row.draft.signal.record_mean_r == pytest.approx(0.0)
    signal = Signal.objects.get(public_id=row.draft.signal.signal_id)
    shown = previewed(signal=signal, subscriber=subscriber, kind=DeliveryKind.SIGNAL)
    assert (shown.signal, shown.recipient) == (row.draft.signal, row.draft.recipient), (
        "claim and preview read the same"
    )


def test_open_signals_are_those_sent_not_ignored_and_not_known_to_have_ended() -> None:
    subscriber, stranger = make_subscriber(tier=make_tier(delay_seconds=0)), make_subscriber()
    given(subscriber)
    given(subscriber, **SHORT)
    given(stranger)
    Feedback.objects.create(delivery=given(subscriber), answer="ignored", answered_at=datetime.now(UTC))
    Feedback.objects.create(
        delivery=given(subscriber, **SHORT), answer="acted", answered_at=datetime.now(UTC)
    )
    make_outcome(signal=given(subscriber).signal, recorded_at=datetime.now(UTC) - timedelta(minutes=1))
    fan_out(signal=make_signal())

    rows = {row.subscriber_id: row.draft.recipient for row in claimed()}
    assert (rows[subscriber.pk].open_longs, rows[subscriber.pk].open_shorts) == (1, 2)
    assert (rows[stranger.pk].open_longs, rows[stranger.pk].open_shorts) == (1, 0)


def test_what_ended_stays_open_for_a_tier_that_may_not_know_yet() -> None:
    delayed = make_subscriber(tier=make_tier(delay_seconds=900))
    make_outcome(signal=given(delayed).signal, recorded_at=datetime.now(UTC) - timedelta(seconds=600))
    fan_out(signal=make_signal(published_at=datetime.now(UTC) - timedelta(seconds=905)))

    [row] = claimed()
    assert row.draft.recipient.open_longs == 1
    assert row.draft.recipient.delay_seconds == 900
    assert row.draft.age_seconds == pytest.approx(905, abs=60)
