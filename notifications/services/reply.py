"""Answers to what a subscriber wrote or pressed. They are never sent twice: a lost one is on record."""

from dataclasses import dataclass
from time import monotonic
from typing import Any
from uuid import UUID

from django.template.loader import render_to_string

from notifications.clients.aiohttp_request import may_begin
from notifications.clients.telegram import Failure, TelegramClient, TelegramError
from notifications.models import Answer
from notifications.services.message import chosen_button, tidy
from notifications.services.update import Tap

FRESH_SECONDS = 0.8


@dataclass(frozen=True, slots=True)
class TextReply:
    """A message of Telegram's HTML. `is_switched`: it shows signals, so that the kill switch is over it."""

    chat_id: int
    html: str
    is_switched: bool = False


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


def text_reply(chat_id: int, template: str, *, is_switched: bool = False, **context: Any) -> TextReply:
    """Render `templates/notifications/telegram/<template>.html` now, so that the reply says what was true then."""
    html = tidy(render_to_string(f"notifications/telegram/{template}.html", context))
    return TextReply(chat_id, html, is_switched)


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
    """Send once; return what went wrong.

    Whoever calls has just looked at the kill switch: that holds for less than a second.
    """
    if isinstance(reply, TextReply) and reply.is_switched:
        looked_at = monotonic()
        may_begin.set(lambda: monotonic() - looked_at < FRESH_SECONDS)
    async with TelegramClient.configured() as client:
        try:
            if isinstance(reply, TextReply):
                await client.send_message(chat_id=reply.chat_id, text=reply.html, html=True)
            else:
                await _answer(client, reply)
        except TelegramError as error:
            return error
    return None


async def _answer(client: TelegramClient, reply: AnswerReply) -> None:
    """The buttons show the answer even where the notice comes too late for Telegram."""
    too_late = None
    try:
        await client.answer_callback(callback_id=reply.callback_id, text=reply.text)
    except TelegramError as error:
        if error.failure is not Failure.REFUSED:
            raise
        too_late = error
    if reply.message_id is not None and reply.delivery_id and reply.answer:
        buttons = chosen_button(reply.delivery_id, reply.answer)
        await client.replace_buttons(chat_id=reply.chat_id, message_id=reply.message_id, buttons=buttons)
    if too_late:
        raise too_late
