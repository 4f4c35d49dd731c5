"""What a subscriber writes or presses, through the real inbox; what would be sent back is returned."""

from datetime import datetime
from itertools import count
from typing import Any

from notifications.models import Delivery, TelegramUpdate
from notifications.services import inbox
from notifications.services.reply import AnswerReply, Reply, TextReply

_ids = count(1)


def receive(payload: dict[str, Any], now: datetime) -> tuple[Reply | None, str]:
    """An update through the inbox: the reply, and the outcome on record."""
    update_id = next(_ids)
    inbox.store_update(payload=payload | {"update_id": update_id}, now=now)
    reply = inbox.process_update(update_id=update_id, now=now)
    return reply, TelegramUpdate.objects.get(pk=update_id).outcome


def command(text: str, chat_id: int, now: datetime) -> str:
    """Write to the bot in a private chat; the reply."""
    sender = {"id": chat_id, "is_bot": False, "first_name": "A"}
    message = {"message_id": 1, "from": sender, "chat": {"id": chat_id, "type": "private"}, "text": text}
    reply, _ = receive({"message": message}, now)
    assert isinstance(reply, TextReply)
    return reply.html


def tap(delivery: Delivery, chat_id: int, now: datetime) -> bool:
    """Press "acted" under a delivery's message; whether the button was known."""
    query = {
        "id": "1",
        "from": {"id": chat_id, "is_bot": False, "first_name": "A"},
        "data": "fa:" + delivery.public_id.hex,
    }
    reply, outcome = receive({"callback_query": query}, now)
    assert isinstance(reply, AnswerReply)
    return not outcome.startswith("not a button of this chat")


def press(data: str, chat_id: int, now: datetime) -> str:
    """Press any button; the outcome on record."""
    query = {"id": "1", "from": {"id": chat_id, "is_bot": False, "first_name": "A"}, "data": data}
    return receive({"callback_query": query}, now)[1]
