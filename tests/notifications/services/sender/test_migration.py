"""A chat that Telegram gave a new id, as the sender's statements take it."""

import asyncio
import random

import pytest
from psycopg import AsyncConnection
from telegram.error import ChatMigrated

from copilot_project.sandbox.config import DEFAULT_TOKEN
from notifications.clients.telegram import TelegramClient
from notifications.models import Delivery
from notifications.services.fan_out import fan_out
from notifications.services.sender import claiming, settling
from notifications.services.sender.conninfo import conninfo
from notifications.services.sender.lease import Lease
from notifications.services.sender.transition import after_failure
from tests.notifications.rows import make_signal, make_subscriber

pytestmark = pytest.mark.django_db(transaction=True)

NEW_CHAT = 6_000_000_001


async def send_into_a_chat_that_moved() -> bool:
    client = TelegramClient(token=DEFAULT_TOKEN, api_url="http://127.0.0.1:9")
    error = client._translated(ChatMigrated(NEW_CHAT))
    async with await AsyncConnection.connect(conninfo(), autocommit=True) as connection:
        lease = Lease(30)
        assert await lease.take(connection)
        (row,) = await claiming.claim(connection, limit=1, busy=[], lease=lease)
        transition = after_failure(error, row.attempt, random.Random(1))
        return await settling.record_failure(connection, row=row, transition=transition)


def test_subscriber_follows_a_chat_that_moved_and_the_signal_is_tried_there() -> None:
    subscriber = make_subscriber()
    fan_out(signal=make_signal())

    assert asyncio.run(send_into_a_chat_that_moved())

    subscriber.refresh_from_db()
    assert subscriber.chat_id == NEW_CHAT
    assert Delivery.objects.values_list("state", "attempts", "is_repeat").get() == ("retry", 0, False)


def test_chat_that_moved_onto_anothers_is_gone_with_all_that_waits_for_it() -> None:
    subscriber = make_subscriber()
    first = make_signal()
    fan_out(signal=first)
    fan_out(signal=make_signal())
    other = make_subscriber(chat_id=NEW_CHAT)

    assert asyncio.run(send_into_a_chat_that_moved())

    subscriber.refresh_from_db()
    other.refresh_from_db()
    assert subscriber.chat_id != NEW_CHAT
    assert "linked to another subscriber" in subscriber.unreachable_reason
    assert other.unreachable_reason == ""
    assert list(Delivery.objects.values_list("state", flat=True)) == ["dead", "dead"]
