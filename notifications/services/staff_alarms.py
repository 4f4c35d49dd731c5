"""Alarms reach staff in Telegram, with or without Prometheus.

Worker and sender both look, so that whichever is silent is told of by the other. An alarm is claimed before it is sent:
of two that look, one tells it.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.template.loader import render_to_string

from notifications.clients.telegram import TelegramClient
from notifications.clients.telegram_call import Failure, TelegramError
from signals.models import Alarm
from users.models import StaffChat

logger = structlog.get_logger(__name__)

TOLD_FOR = timedelta(days=1)  # what is older is history, which the console shows
MOST_IN_A_MESSAGE = 8
# Telegram has not seen the message: it may be tried again.
UNSEEN = {Failure.NOT_SENT, Failure.RATE_LIMITED, Failure.HELD_BACK}


def tell_staff(*, now: datetime) -> int:
    """Tell each alarm that is new or over to every chat of the staff; how many were told."""
    chats = staff_chat_ids()
    if not chats or not settings.TELEGRAM_BOT_TOKEN:
        return 0
    alarms = _claim(now=now)
    if not alarms:
        return 0
    # One message for all: Telegram takes one a second in a chat.
    if send_to_staff(message_of(alarms), chats):
        return len(alarms)
    for alarm in alarms:
        field = "told_at" if alarm.cleared_at is None else "told_over_at"
        Alarm.objects.filter(pk=alarm.pk).update(**{field: None})
    return 0


def staff_chat_ids() -> list[int]:
    """Chats of STAFF_CHAT_IDS, and those that active staff have linked to their accounts."""
    chats = set(settings.STAFF_CHAT_IDS)
    linked = StaffChat.objects.filter(
        chat_id__isnull=False, user__is_active=True, user__is_staff=True
    ).values_list("chat_id", flat=True)
    chats.update(chat for chat in linked if chat is not None)
    return sorted(chats)


def message_of(alarms: Sequence[Alarm]) -> str:
    """What staff read, as HTML; Telegram takes 4096 characters."""
    shown, more = alarms[:MOST_IN_A_MESSAGE], len(alarms[MOST_IN_A_MESSAGE:])
    return render_to_string("notifications/telegram/alarms.html", {"alarms": shown, "more": more}).strip()


@transaction.atomic
def _claim(*, now: datetime) -> list[Alarm]:
    is_new = Q(told_at=None, cleared_at=None)
    is_over = Q(told_at__isnull=False, cleared_at__isnull=False, told_over_at=None)
    found = list(
        Alarm.objects.select_for_update(skip_locked=True)
        .filter(is_new | is_over, raised_at__gt=now - TOLD_FOR)
        .order_by("raised_at")
    )
    for alarm in found:
        if alarm.cleared_at is None:
            alarm.told_at = now
        else:
            alarm.told_over_at = now
    Alarm.objects.bulk_update(found, ["told_at", "told_over_at"])
    return found


def send_to_staff(text: str, chats: Sequence[int]) -> bool:
    """Whether Telegram has seen the message for one chat at least; else it may be tried again."""
    return asyncio.run(_send_all(text, chats))


async def _send_all(text: str, chats: Sequence[int]) -> bool:
    async with TelegramClient.configured() as client:
        failures = [await _send(client, chat, text) for chat in chats]
    return not all(failure in UNSEEN for failure in failures)


async def _send(client: TelegramClient, chat: int, text: str) -> Failure | None:
    try:
        await client.send_message(chat_id=chat, text=text, html=True)
    except TelegramError as error:
        logger.warning("a message did not reach a staff chat", failure=error.failure.value)
        return error.failure
    return None
