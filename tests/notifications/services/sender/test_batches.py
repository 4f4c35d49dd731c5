"""What a sender that is faster than Telegram usually allows does in batches: nothing else may change by it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import AsyncConnection, errors
from psycopg_pool import AsyncConnectionPool

from notifications.models import Delivery
from notifications.services.fan_out import fan_out
from notifications.services.sender import claiming, overdue
from notifications.services.sender.acknowledgements import Acknowledgements
from notifications.services.sender.conninfo import conninfo
from notifications.services.sender.lease import Lease
from notifications.services.sender.loop import in_flight_at
from notifications.services.sender.pace import Pace
from notifications.services.sender.settling import Sent
from tests.notifications.rows import Controls, make_signal, make_subscriber, make_tier, send_until

pytestmark = pytest.mark.django_db(transaction=True)


def deliveries(number: int, telegram: Controls | None = None, **signal: object) -> list[Delivery]:
    tier = make_tier(max_sessions=None)
    people = [make_subscriber(tier=tier) for _ in range(number)]
    if telegram:
        telegram.open_chats(*people)
    assert fan_out(signal=make_signal(**signal)) == number
    return list(Delivery.objects.order_by("id"))


def test_every_message_of_a_fast_sender_is_sent_once_and_settled(telegram: Controls) -> None:
    owed = deliveries(30, telegram)
    telegram.post("/limits", {"enabled": False})
    try:
        send_until(telegram.url, in_flight=24, pace=Pace(per_second=10_000, seconds_per_chat=0))
    finally:
        telegram.post("/limits", {"enabled": True})
    sent = {record["chat_id"]: record["message_id"] for record in telegram.sent()}
    assert len(telegram.sent()) == len(sent) == 30
    found = Delivery.objects.values_list("subscriber__chat_id", "telegram_message_id", "state", "attempts")
    assert sorted(found) == sorted((chat, message, "sent", 1) for chat, message in sent.items())
    assert len(owed) == 30


def test_row_that_the_database_refuses_takes_no_other_with_it() -> None:
    deliveries(3)

    async def play() -> list[object]:
        lease = Lease(60)
        async with (
            AsyncConnectionPool(conninfo(), min_size=1, max_size=1, open=False) as pool,
            await AsyncConnection.connect(conninfo(), autocommit=True) as connection,
        ):
            await lease.take(connection)
            claimed = await claiming.claim(connection, limit=3, busy=[], lease=lease)
            await connection.execute(
                "UPDATE notifications_delivery SET due_at = now() + interval '1 h' WHERE id = %s",
                [claimed[1].id],
            )
            answers = Acknowledgements(pool)
            waiting = [answers.record(row, Sent(number)) for number, row in enumerate(claimed, start=1)]
            return await asyncio.gather(*waiting, return_exceptions=True)

    first, refused, last = asyncio.run(play())
    assert (first, last) == (True, True)
    assert isinstance(refused, errors.CheckViolation)
    found = Delivery.objects.order_by("telegram_message_id").values_list("telegram_message_id", "state")
    assert list(found) == [(1, "sent"), (3, "sent"), (None, "sending")]


def test_answer_for_a_row_that_another_attempt_has_is_told_from_those_beside_it() -> None:
    deliveries(2)

    async def play() -> list[bool]:
        lease = Lease(60)
        async with (
            AsyncConnectionPool(conninfo(), min_size=1, max_size=1, open=False) as pool,
            await AsyncConnection.connect(conninfo(), autocommit=True) as connection,
        ):
            await lease.take(connection)
            claimed = await claiming.claim(connection, limit=2, busy=[], lease=lease)
            await connection.execute(
                "UPDATE notifications_delivery SET attempt_id = gen_random_uuid() WHERE id = %s",
                [claimed[0].id],
            )
            answers = Acknowledgements(pool)
            return await asyncio.gather(*(answers.record(row, Sent(row.id)) for row in claimed))

    assert asyncio.run(play()) == [False, True]


def test_more_expired_rows_than_one_step_takes_all_expire(
    telegram: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overdue, "MOST_EXPIRED", 2)
    deliveries(5, published_at=datetime.now(UTC) - timedelta(hours=5))
    send_until(telegram.url)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"expired"}
    assert telegram.sent() == []


@pytest.mark.parametrize(("per_second", "calls"), [(1, 8), (28, 8), (200, 20), (1_000, 100), (100_000, 100)])
def test_calls_in_flight_are_what_the_pace_needs(per_second: int, calls: int) -> None:
    assert in_flight_at(per_second) == calls
