"""Answers to what a subscriber wrote or pressed. They are never sent twice: a lost one is on record."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.template.loader import render_to_string

from notifications.clients.telegram_call import Keyboard
from notifications.models import Answer
from notifications.services.message.words import tidy
from notifications.services.update import Tap


@dataclass(frozen=True, slots=True)
class Document:
    """A file that goes with a text."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class TextReply:
    """A message of Telegram's HTML. `is_switched`: it shows signals, so that the kill switch is over it."""

    chat_id: int
    html: str
    is_switched: bool = False
    rows: Keyboard = ()
    document: Document | None = None


@dataclass(frozen=True, slots=True)
class Invoice:
    """A bill in Telegram Stars. `payload` comes back with the payment."""

    chat_id: int
    title: str
    description: str
    payload: str
    stars: int
    is_switched: bool = False


@dataclass(frozen=True, slots=True)
class AnswerReply:
    """The notice for a pressed button; with `message_id`, the buttons are replaced by the answer given.

    With `html` the message that had the button becomes that text with `rows`; `followed_by` comes as one of its own.
    """

    callback_id: str
    text: str
    chat_id: int
    message_id: int | None = None
    delivery_id: UUID | None = None
    answer: Answer | None = None
    html: str = ""
    rows: Keyboard = ()
    followed_by: TextReply | Invoice | None = None

    @property
    def is_switched(self) -> bool:
        return self.followed_by is not None and self.followed_by.is_switched


Reply = TextReply | AnswerReply


@dataclass(frozen=True, slots=True)
class Effect:
    """What an update did, in words for the record, and what is to be answered once that is committed."""

    outcome: str
    reply: Reply | None = None


def text_reply(
    chat_id: int, template: str, *, is_switched: bool = False, rows: Keyboard = (), **context: Any
) -> TextReply:
    """Render `templates/notifications/telegram/<template>.html` now, so that the reply says what was true then."""
    return TextReply(chat_id, rendered(template, **context), is_switched, rows)


def rendered(template: str, **context: Any) -> str:
    """Telegram's HTML in the language that is active."""
    return tidy(render_to_string(f"notifications/telegram/{template}.html", context))


def answer_reply(
    tap: Tap,
    *,
    known: bool = True,
    delivery_id: UUID | None = None,
    answer: Answer | None = None,
    is_late: bool = False,
) -> AnswerReply:
    """`is_late`: the answer that is given is the earlier one, which stands."""
    context = {"known": known, "answer": answer.value if answer else "", "is_late": is_late}
    text = tidy(render_to_string("notifications/telegram/answer.txt", context))
    return AnswerReply(tap.callback_id, text, tap.user_id, tap.message_id, delivery_id, answer)
