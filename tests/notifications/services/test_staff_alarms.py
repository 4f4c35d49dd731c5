"""An alarm reaches a person, once, and its end as well."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count
from time import sleep

import pytest
from pytest_django import Settings

from copilot_project.sandbox.config import DEFAULT_TOKEN
from notifications.management.commands import send_deliveries
from notifications.services.staff_alarms import message_of, staff_chat_ids, tell_staff
from signals.models import Alarm
from signals.services.alarms import set_alarm
from tests.notifications.rows import Controls
from users.models import StaffChat, User

NOW = datetime.now(UTC)
NUMBERS = count(770_001)
pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(telegram: Controls, settings: Settings) -> Controls:
    chats = (
        -next(NUMBERS),
        next(NUMBERS),
    )  # of each test its own: the sandbox takes one message a second in a chat
    for chat in chats:
        telegram.post("/chats", {"id": chat, "first_name": "Staff"})
    settings.STAFF_CHAT_IDS = chats
    settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_API_URL = DEFAULT_TOKEN, telegram.url
    return telegram


def texts(telegram: Controls, chat: int) -> list[str]:
    return [record["text"] for record in telegram.sent(chat)]


def test_alarms_and_their_end_are_told_once_in_every_chat(staff: Controls, settings: Settings) -> None:
    set_alarm(name="worker", detail="no sign of life since <noon>", now=NOW)
    set_alarm(name="beat", detail="silent", now=NOW)
    assert tell_staff(now=NOW) == 2
    assert tell_staff(now=NOW) == 0
    set_alarm(name="worker", detail="", now=NOW)
    sleep(1.1)
    assert tell_staff(now=NOW) == 1
    assert tell_staff(now=NOW) == 0
    for chat in settings.STAFF_CHAT_IDS:
        first, second = texts(staff, chat)
        assert "CoPilot: beat" in first
        assert "CoPilot: worker" in first
        assert "no sign of life since" in first
        assert "docs/runbook.md" in first
        assert "worker works again" in second


def test_what_telegram_has_not_seen_is_told_again(staff: Controls, settings: Settings) -> None:
    url, settings.TELEGRAM_API_URL = settings.TELEGRAM_API_URL, "http://127.0.0.1:1"
    set_alarm(name="beat", detail="silent", now=NOW)
    assert tell_staff(now=NOW) == 0
    settings.TELEGRAM_API_URL = url
    assert tell_staff(now=NOW) == 1
    assert len(texts(staff, settings.STAFF_CHAT_IDS[0])) == 1


def test_one_chat_that_is_gone_takes_nothing_from_the_other(staff: Controls, settings: Settings) -> None:
    there = settings.STAFF_CHAT_IDS[1]
    settings.STAFF_CHAT_IDS = (404_404, there)
    set_alarm(name="beat", detail="silent", now=NOW)
    assert tell_staff(now=NOW) == 1
    assert len(texts(staff, there)) == 1


def test_chat_that_staff_linked_is_told_until_they_are_staff_no_more(
    staff: Controls, settings: Settings, django_user_model: type[User]
) -> None:
    linked = settings.STAFF_CHAT_IDS[1]
    settings.STAFF_CHAT_IDS = ()
    user = django_user_model.objects.create_user("ada", "ada@desk.test", is_staff=True)
    StaffChat.objects.create(user=user, chat_id=linked, linked_at=NOW)
    set_alarm(name="beat", detail="silent", now=NOW)
    assert tell_staff(now=NOW) == 1
    assert len(texts(staff, linked)) == 1
    user.is_active = False
    user.save()
    assert staff_chat_ids() == []


def test_old_alarms_and_ends_that_were_never_announced_are_not_told(staff: Controls) -> None:
    Alarm.objects.create(name="web", raised_at=NOW - timedelta(days=2), detail="silent")
    Alarm.objects.create(name="beat", raised_at=NOW, cleared_at=NOW, detail="silent")
    assert tell_staff(now=NOW) == 0


def test_without_a_chat_the_alarm_waits_for_one(staff: Controls, settings: Settings) -> None:
    settings.STAFF_CHAT_IDS = ()
    set_alarm(name="beat", detail="silent", now=NOW)
    assert tell_staff(now=NOW) == 0
    assert Alarm.objects.get().told_at is None


def test_message_is_html_without_foreign_tags() -> None:
    text = message_of([Alarm(name="task <b>", raised_at=NOW, detail="a < b & c")] * 11)
    assert "and 3 more" in text
    assert "task &lt;b&gt;" in text
    assert "a &lt; b &amp; c" in text


@pytest.mark.django_db(transaction=True)
def test_the_sender_tells_when_nobody_else_does(
    staff: Controls, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_alarm(name="worker", detail="silent", now=NOW)
    monkeypatch.setattr(send_deliveries, "TELL_EVERY_SECONDS", 0.05)

    async def tell_for_a_while() -> None:
        task = asyncio.create_task(send_deliveries.tell_alarms())
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(staff.sent, settings.STAFF_CHAT_IDS[0]):
                await asyncio.sleep(0.1)
        task.cancel()

    asyncio.run(tell_for_a_while())
    assert len(texts(staff, settings.STAFF_CHAT_IDS[0])) == 1
