"""The state table, row by row: real Postgres, real python-telegram-bot, faults made by the sandbox."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from psycopg import AsyncConnection

from copilot_project.sandbox.config import DEFAULT_TOKEN
from notifications import telemetry
from notifications.clients.telegram import TelegramClient
from notifications.clients.telegram_call import Failure, TelegramError
from notifications.models import Delivery, SenderState
from notifications.services.fan_out import fan_out
from notifications.services.message.compose import Message
from notifications.services.message.facts import Draft
from notifications.services.sender import claiming, settling, transmission
from notifications.services.sender.conninfo import conninfo
from notifications.services.sender.in_flight import now
from notifications.services.sender.lease import Lease
from notifications.services.sender.loop import Sender, SenderOptions
from notifications.services.sender.pace import Pace
from notifications.services.sender.transition import Attempt, after_failure
from tests.factories import make_instrument
from tests.notifications import rows
from tests.notifications.rows import (
    ALL_SETTLED,
    Controls,
    make_signal,
    make_subscriber,
    make_tier,
    send_until,
)
from users.models import Subscriber

pytestmark = pytest.mark.django_db(transaction=True)


def one_delivery(telegram: Controls, **signal: Any) -> Delivery:
    subscriber = make_subscriber(tier=make_tier(max_sessions=None))
    telegram.open_chats(subscriber)
    assert fan_out(signal=make_signal(**signal)) == 1
    return Delivery.objects.get()


def test_accepted_message_is_sent_with_its_id_and_time(telegram: Controls) -> None:
    delivery = one_delivery(telegram)
    send_until(telegram.url)
    after = datetime.now(UTC)
    delivery.refresh_from_db()
    (record,) = telegram.sent()
    assert (delivery.state, delivery.attempts, delivery.reason) == ("sent", 1, "")
    assert delivery.telegram_message_id == record["message_id"]
    assert delivery.due_at <= delivery.sent_at <= after
    assert not record["disable_notification"]
    assert {button["callback_data"] for button in record["reply_markup"]["inline_keyboard"][0]} == {
        f"fa:{delivery.public_id.hex}",
        f"fi:{delivery.public_id.hex}",
    }


def test_message_sizes_in_the_steps_that_the_instrument_has(telegram: Controls) -> None:
    """100 at risk over a stop 5 away are 20; a step of 3 leaves 18."""
    one_delivery(telegram, instrument=make_instrument(lot_step=Decimal(3), minimum_notional=Decimal(5)))
    send_until(telegram.url)
    (record,) = telegram.sent()
    assert "in steps of 3" in record["text"]
    assert "18 T" in record["text"]


def test_rate_limit_pauses_the_whole_bot_and_counts_no_attempt(telegram: Controls) -> None:
    delivery = one_delivery(telegram)
    telegram.fault("429", retry_after=2)
    before = datetime.now(UTC)
    send_until(telegram.url)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.is_repeat) == ("sent", 1, False)
    assert delivery.sent_at >= before + timedelta(seconds=2)
    assert SenderState.objects.get().paused_until >= before + timedelta(seconds=2)


def test_rate_limit_of_several_chats_at_once_loses_and_repeats_nothing(telegram: Controls) -> None:
    people = [make_subscriber(tier=make_tier(max_sessions=None)) for _ in range(4)]
    telegram.open_chats(*people)
    for person in people[:3]:
        telegram.fault("429", chat_id=person.chat_id, retry_after=1)
    fan_out(signal=make_signal())
    send_until(telegram.url)
    assert sorted(record["chat_id"] for record in telegram.sent()) == [person.chat_id for person in people]
    rows = Delivery.objects.values_list("state", "attempts", "is_repeat")
    assert list(rows) == [("sent", 1, False)] * 4


@pytest.mark.parametrize(
    ("fault", "copies"),
    [("500", 1), ("close", 2), ("garbage", 2)],
)
def test_ambiguous_failure_is_repeated_once_silently_and_marked(
    telegram: Controls, fault: str, copies: int
) -> None:
    delivery = one_delivery(telegram)
    telegram.fault(fault)
    send_until(telegram.url)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.is_repeat) == ("sent", 2, True)
    sent = telegram.sent()
    assert len(sent) == copies
    assert sent[-1]["disable_notification"]
    assert "(repeat)" in sent[-1]["text"]


def test_second_ambiguous_failure_leaves_it_unknown(telegram: Controls) -> None:
    delivery = one_delivery(telegram)
    telegram.fault("close", count=5)
    send_until(telegram.url)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("unknown", 2)
    assert len(telegram.sent()) == 2


@pytest.mark.parametrize(("fault", "word"), [("403", "blocked"), ("400", "chat not found")])
def test_chat_that_is_gone_ends_all_open_rows_of_its_subscriber(
    telegram: Controls, fault: str, word: str
) -> None:
    one_delivery(telegram)
    fan_out(signal=make_signal())
    telegram.fault(fault, count=9)
    counted = telemetry.deliveries.labels(state="dead")._value
    before = counted.get()
    send_until(telegram.url)
    assert counted.get() - before == 2
    assert set(Delivery.objects.values_list("state", flat=True)) == {"dead"}
    assert word in Subscriber.objects.get().unreachable_reason.lower()
    assert {word in reason.lower() for reason in Delivery.objects.values_list("reason", flat=True)} == {
        True,
        False,
    }
    assert sum(Delivery.objects.values_list("attempts", flat=True)) == 1


def test_refusal_of_a_chat_that_is_not_the_subscribers_any_more_ends_nothing_else(telegram: Controls) -> None:
    one_delivery(telegram)
    fan_out(signal=make_signal())
    refused = after_failure(TelegramError("blocked", Failure.CHAT_GONE), Attempt(0, False, False), Random(1))

    async def play() -> None:
        async with await AsyncConnection.connect(conninfo(), autocommit=True) as connection:
            lease = Lease(30)
            await lease.take(connection)
            (row,) = await claiming.claim(connection, limit=9, busy=[], lease=lease)
            await connection.execute("UPDATE users_subscriber SET chat_id = chat_id + 1")
            assert await settling.record_failure(connection, row=row, transition=refused)

    asyncio.run(play())
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["dead", "pending"]
    assert Subscriber.objects.get().unreachable_reason == ""


def test_text_that_telegram_cannot_parse_goes_out_plain(telegram: Controls) -> None:
    delivery = one_delivery(telegram)
    telegram.fault("400", description="Bad Request: can't parse entities: Unclosed start tag")
    send_until(telegram.url)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.is_plain) == ("sent", 2, True)
    assert "entities" not in telegram.sent()[0]["message"]


def test_refused_token_halts_the_sender_until_a_start_with_a_good_one(
    telegram: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = one_delivery(telegram)
    with monkeypatch.context() as patch:
        patch.setattr(rows, "DEFAULT_TOKEN", "1:wrong")
        send_until(
            telegram.url, "SELECT EXISTS (SELECT FROM notifications_senderstate WHERE halted_reason <> '')"
        )
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("pending", 0)
    assert "1:wrong" not in SenderState.objects.get().halted_reason
    send_until(telegram.url)
    assert Delivery.objects.get().state == "sent"
    assert SenderState.objects.get().halted_reason == ""


def test_unreachable_server_is_tried_again_without_marking_a_repeat(telegram: Controls) -> None:
    delivery = one_delivery(telegram)
    send_until("http://127.0.0.1:9", "SELECT attempts >= 2 FROM notifications_delivery")
    delivery.refresh_from_db()
    assert (delivery.state, delivery.is_repeat) == ("retry", False)
    send_until(telegram.url)
    assert len(telegram.sent()) == 1


def test_row_of_a_sender_that_died_is_repeated_marked_after_its_lease(telegram: Controls) -> None:
    delivery = one_delivery(telegram)
    Delivery.objects.update(
        state="sending", attempt_id=delivery.public_id, lease_until=datetime.now(UTC) - timedelta(seconds=1)
    )
    send_until(telegram.url)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.is_repeat, delivery.attempts) == ("sent", True, 2)
    assert "(repeat)" in telegram.sent()[0]["text"]


def test_repeat_that_died_too_is_unknown_and_never_sent_again(telegram: Controls) -> None:
    delivery = one_delivery(telegram)
    Delivery.objects.update(
        state="sending",
        is_repeat=True,
        attempt_id=delivery.public_id,
        lease_until=datetime.now(UTC) - timedelta(seconds=1),
    )
    send_until(telegram.url)
    assert Delivery.objects.get().state == "unknown"
    assert telegram.sent() == []


def test_message_that_we_cannot_make_is_dead_at_once_and_takes_no_other_with_it(
    telegram: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, (ann, bob) = transmission.compose, [make_subscriber() for _ in range(2)]
    telegram.open_chats(ann, bob)
    fan_out(signal=make_signal())

    def fails_for_ann(draft: Draft) -> Message:
        if draft.recipient.chat_id == ann.chat_id:
            raise KeyError("a mistake of ours")
        return make(draft)

    monkeypatch.setattr(transmission, "compose", fails_for_ann)
    send_until(telegram.url)
    assert [record["chat_id"] for record in telegram.sent()] == [bob.chat_id]
    row = Delivery.objects.get(subscriber=ann)
    assert (row.state, row.attempts) == ("dead", 1)
    assert row.reason == "Our own mistake, the message could not be made: KeyError: 'a mistake of ours'"


def test_message_that_the_machine_was_too_short_to_make_is_tried_again(
    telegram: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = one_delivery(telegram)
    make, failures = transmission.compose, [OSError("too many open files")]

    def fails_once(draft: Draft) -> Message:
        if failures:
            raise failures.pop()
        return make(draft)

    monkeypatch.setattr(transmission, "compose", fails_once)
    send_until(telegram.url)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.is_repeat) == ("sent", 2, False)


def test_sender_that_may_not_send_does_not_spin(telegram: Controls) -> None:
    """The kill switch engages after a burst: chats whose second is over since are no reason to look again."""

    async def play() -> None:
        client = TelegramClient(token=DEFAULT_TOKEN, api_url=telegram.url)
        sender = Sender(client, SenderOptions(conninfo()), Pace())
        async with await AsyncConnection.connect(conninfo(), autocommit=True) as connection:
            sender._pace.finished(1, now() - 10)
            assert not sender._switch.lets_send()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(sender._wait(connection), 1.0)

    asyncio.run(play())


def test_backlog_of_expired_rows_does_not_keep_a_claim_from_what_can_be_sent() -> None:
    subscribers = [make_subscriber(tier=make_tier()) for _ in range(3)]
    for minutes in range(60, 0, -1):
        fan_out(signal=make_signal(published_at=datetime.now(UTC) - timedelta(minutes=minutes)))
    Delivery.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    fan_out(signal=make_signal())

    async def claimed() -> list[claiming.Claimed]:
        async with await AsyncConnection.connect(conninfo(), autocommit=True) as connection:
            lease = Lease(30.0)
            await lease.take(connection)
            return await claiming.claim(connection, limit=3, busy=[], lease=lease)

    found = asyncio.run(claimed())
    assert [row.state for row in found] == ["sending"] * len(subscribers)


def test_paused_bot_asks_telegram_nothing_not_even_for_its_name(telegram: Controls) -> None:
    one_delivery(telegram)
    SenderState.objects.create(paused_until=datetime.now(UTC) + timedelta(seconds=2))
    telegram.fault("429", method="getMe", retry_after=3600)
    send_until(telegram.url)
    assert len(telegram.sent()) == 1
    assert SenderState.objects.get().halted_reason == ""


def test_halted_sender_that_is_paused_too_asks_when_the_pause_is_over(telegram: Controls) -> None:
    one_delivery(telegram)
    paused_until = datetime.now(UTC) + timedelta(seconds=2)
    SenderState.objects.create(paused_until=paused_until, halted_reason="Unauthorized")
    send_until(telegram.url)
    assert Delivery.objects.get().sent_at > paused_until
    assert SenderState.objects.get().halted_reason == ""


def test_halted_sender_without_an_answer_settles_what_is_overdue(telegram: Controls) -> None:
    """A row that was under way must not stay so for as long as Telegram is away."""
    one_delivery(telegram)
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    Delivery.objects.update(state="sending", attempt_id=uuid4(), lease_until=an_hour_ago)
    SenderState.objects.create(halted_reason="Unauthorized")
    telegram.fault("500", method="getMe", count=1000)
    send_until(telegram.url, "SELECT state = 'retry' AND is_repeat FROM notifications_delivery")
    assert telegram.sent() == []


def test_429_for_the_bots_name_pauses_the_bot(telegram: Controls) -> None:
    one_delivery(telegram)
    telegram.fault("429", method="getMe", retry_after=2)
    began = datetime.now(UTC)
    send_until(telegram.url)
    assert Delivery.objects.get().sent_at - began > timedelta(seconds=2)


def test_expired_row_is_never_sent(telegram: Controls) -> None:
    moment = datetime.now(UTC) - timedelta(hours=5)
    one_delivery(telegram, published_at=moment)
    send_until(telegram.url)
    assert Delivery.objects.get().state == "expired"
    assert telegram.sent() == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "archived"}, "not_active"),
        ({"chat_id": None}, "not_linked"),
        ({"unreachable_reason": "blocked"}, "unreachable"),
        ({"subscription_ends_at": datetime(2026, 1, 1, tzinfo=UTC)}, "subscription_over"),
        ({"risk_profile": "low"}, "confidence"),
    ],
)
def test_change_between_fan_out_and_sending_holds(
    telegram: Controls, change: dict[str, Any], reason: str
) -> None:
    one_delivery(telegram, confidence=0.6)
    Subscriber.objects.update(**change)
    send_until(telegram.url)
    assert Delivery.objects.values_list("state", "reason").get() == ("dead", reason)
    assert telegram.sent() == []


def test_downgrade_before_sending_postpones_to_the_lower_tiers_release(telegram: Controls) -> None:
    delivery = one_delivery(telegram)
    slow = make_tier(code="slow", delay_seconds=600)
    Subscriber.objects.update(tier=slow)
    send_until(telegram.url, "SELECT tier = 'slow' FROM notifications_delivery")
    before = delivery.due_at
    delivery.refresh_from_db()
    assert (delivery.state, delivery.due_at) == ("pending", before + timedelta(seconds=600))
    assert telegram.sent() == []


def test_higher_tier_is_served_first(telegram: Controls) -> None:
    people = [make_subscriber(tier=make_tier(rank=rank)) for rank in (1001, 1003, 1002)]
    telegram.open_chats(*people)
    fan_out(signal=make_signal())
    send_until(telegram.url, in_flight=1)
    assert [record["chat_id"] for record in telegram.sent()] == [people[i].chat_id for i in (1, 2, 0)]


def test_one_chat_is_never_faster_than_telegram_allows(telegram: Controls) -> None:
    one_delivery(telegram)
    for _ in range(3):
        fan_out(signal=make_signal())
    send_until(telegram.url, ALL_SETTLED)
    instants = [record["monotonic"] for record in telegram.sent()]
    assert len(instants) == 4
    assert min(later - earlier for earlier, later in itertools.pairwise(instants)) >= 1.0
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}
