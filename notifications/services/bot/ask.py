"""Who asks the bot for what, and the answers that everybody gets alike."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pghistory
from django.utils.translation import gettext

from notifications.clients.telegram_call import Keyboard
from notifications.services.reply import AnswerReply, Effect, Invoice, TextReply, rendered, text_reply
from users.engine.subscriber import SubscriberStatus
from users.models import Subscriber, User
from users.services import SettingError

BY_CHAT = "Telegram: the subscriber's chat"


@dataclass(frozen=True, slots=True)
class Ask:
    """A command with its argument, a typed text, or what stands behind a button's prefix."""

    chat_id: int
    now: datetime
    argument: str = ""
    subscriber: Subscriber | None = None
    staff: User | None = None
    username: str = ""
    first_name: str = ""
    language: str = ""
    callback_id: str = ""
    message_id: int | None = None

    @property
    def person(self) -> Subscriber:
        """Of whom the router has made sure that there is one."""
        if self.subscriber is None:
            raise ValueError("this chat belongs to no subscriber")
        return self.subscriber

    @property
    def is_active(self) -> bool:
        return self.subscriber is not None and self.subscriber.status == SubscriberStatus.ACTIVE


def say(ask: Ask, outcome: str, template: str, *, rows: Keyboard = (), **context: Any) -> Effect:
    """A new message."""
    return Effect(outcome, text_reply(ask.chat_id, template, rows=rows, **context))


def show(ask: Ask, outcome: str, html: str, *, rows: Keyboard = (), notice: str = "") -> Effect:
    """The message that had the pressed button becomes this one; a typed question gets it as a new message."""
    if not ask.callback_id:
        return Effect(outcome, TextReply(ask.chat_id, html, rows=rows))
    return Effect(
        outcome, AnswerReply(ask.callback_id, notice, ask.chat_id, ask.message_id, html=html, rows=rows)
    )


def notice(ask: Ask, outcome: str, text: str, *, followed_by: TextReply | Invoice | None = None) -> Effect:
    """Only the short notice over the chat, and a message after it."""
    return Effect(outcome, AnswerReply(ask.callback_id, text, ask.chat_id, followed_by=followed_by))


def not_linked(ask: Ask) -> Effect:
    """What a chat hears that is nobody's."""
    if ask.callback_id:
        return notice(ask, "not a button of this chat", gettext("This chat is not linked."))
    return Effect("not linked", TextReply(ask.chat_id, rendered("nobody")))


def by_the_chat(why: str) -> pghistory.context:
    """The history says that the subscriber did it, and by which command."""
    return pghistory.context(actor=BY_CHAT, user=BY_CHAT, why=why)


def refusal_words(error: SettingError) -> str:
    """Why a setting was not taken."""
    words = {
        "account_type": gettext("Your tier is not open to this account type."),
        "capital": gettext("The capital must be a number from 0 to 99999999999999, for example 2500."),
        "risk_fraction": gettext("The risk must be a percentage from 0 to 100, for example 1.5."),
        "sessions": gettext("Your tier has no more sessions: drop one first."),
        "timezone": gettext("I do not know this time zone. Write for example Europe/Berlin."),
        "quiet_hours": gettext("Write two different times, for example 22:00-07:00."),
        "daily_cap": gettext("The daily number must be a whole number from 1 to 1000."),
        "instrument": gettext("This instrument is not traded here any more."),
    }
    return words.get(error.reason, gettext("This cannot be set."))
