"""Answers to what a subscriber wrote or pressed. They are never sent twice: a lost one is on record."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.template.loader import render_to_string

from notifications.models import Answer
from notifications.services.message import tidy
from notifications.services.update import Tap


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
