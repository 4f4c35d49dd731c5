"""Answers to what a subscriber wrote or pressed. They are never sent twice: a lost one is on record."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.template.loader import render_to_string

from notifications.clients.telegram import Failure, TelegramClient, TelegramError
from notifications.models import Answer
from notifications.services.message import chosen_button, tidy
from notifications.services.update import Tap

# Before another try of what Telegram cannot have seen; whatever else fails may have arrived.
RETRY_SECONDS = (1.0, 3.0)


@dataclass(frozen=True, slots=True)
class TextReply:
    """A message of Telegram's HTML."""

    chat_id: int
    html: str


@dataclass(frozen=True, slots=True)
class AnswerReply:
    """The notice for a pressed button; with `message_id`, the buttons are replaced by the answer given."""

    callback_id: str
    text: str
    chat_id: int
    message_id: int | None = None
    delivery_id: UUID | None = None
    answer: Answer | None = None


Reply = TextReply | AnswerReply


def text_reply(chat_id: int, template: str, **context: Any) -> TextReply:
    """Render `templates/notifications/telegram/<template>.html` now, so that the reply says what was true then."""
    return TextReply(chat_id, tidy(render_to_string(f"notifications/telegram/{template}.html", context)))


def answer_reply(
    tap: Tap,
    *,
    known: bool = True,
    delivery_id: UUID | None = None,
    answer: Answer | None = None,
    first: bool = True,
) -> AnswerReply:
    context = {"known": known, "answer": answer.label.lower() if answer else "", "first": first}
    text = tidy(render_to_string("notifications/telegram/answer.txt", context))
    return AnswerReply(tap.callback_id, text, tap.user_id, tap.message_id, delivery_id, answer)


async def send_reply(reply: Reply) -> TelegramError | None:
    """Send once, again only while there is no connection; return what went wrong."""
    async with TelegramClient.configured() as client:
        error = await _tried(client, reply)
        for seconds in RETRY_SECONDS:
            if error is None or error.failure is not Failure.NOT_SENT:
                break
            await asyncio.sleep(seconds)
            error = await _tried(client, reply)
    return error


async def _tried(client: TelegramClient, reply: Reply) -> TelegramError | None:
    try:
        if isinstance(reply, TextReply):
            await client.send_message(chat_id=reply.chat_id, text=reply.html, html=True)
        else:
            await _answer(client, reply)
    except TelegramError as error:
        return error
    return None


async def _answer(client: TelegramClient, reply: AnswerReply) -> None:
    await client.answer_callback(callback_id=reply.callback_id, text=reply.text)
    if reply.message_id is not None and reply.delivery_id and reply.answer:
        buttons = chosen_button(reply.delivery_id, reply.answer)
        await client.replace_buttons(chat_id=reply.chat_id, message_id=reply.message_id, buttons=buttons)
