"""What the bot answers to a subscriber's questions, rendered from what is true now."""

from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext, gettext_noop

from notifications.selectors import last_visible
from notifications.services.message.past import past_signal
from notifications.services.message.words import session_words
from notifications.services.reply import TextReply, text_reply
from signals.selectors import present_stop, sending_allowed
from users.engine.subscriber import SubscriberStatus
from users.models import Subscriber

LAST_SHOWN = 5
PROFILES = {
    "low": gettext_noop("Low"),
    "medium": gettext_noop("Medium"),
    "aggressive": gettext_noop("Aggressive"),
}
ACCOUNTS = {"demo": gettext_noop("Demo"), "live": gettext_noop("Live")}


def welcome(subscriber: Subscriber, *, chat_id: int) -> TextReply:
    return text_reply(
        chat_id, "welcome", subscriber=subscriber, delay=delay_words(subscriber), **kind_words(subscriber)
    )


def kind_words(subscriber: Subscriber) -> dict[str, Any]:
    """Account and risk profile, as they are written."""
    return {
        "account": gettext(ACCOUNTS[subscriber.account_type]),
        "profile": gettext(PROFILES[subscriber.risk_profile]),
    }


def delay_words(subscriber: Subscriber) -> str:
    """How long after publication signals arrive; empty for at once."""
    seconds = subscriber.tier.delay_seconds
    if not seconds:
        return ""
    if seconds % 60 == 0 and seconds > 60:
        return gettext("%(number)d minutes") % {"number": seconds // 60}
    return gettext("%(number)d seconds") % {"number": seconds}


def status(
    subscriber: Subscriber | None, *, chat_id: int, now: datetime, is_greeting: bool = False
) -> TextReply:
    """None: the chat is nobody's. A greeting begins with that it is linked."""
    return text_reply(
        chat_id,
        "status",
        subscriber=subscriber,
        is_greeting=is_greeting,
        active=bool(subscriber and subscriber.status == SubscriberStatus.ACTIVE),
        over=bool(subscriber and subscriber.has_ended(now)),
        sessions=session_words(chosen_sessions(subscriber)),
        paused_until=paused_until(subscriber, now),
        **(kind_words(subscriber) if subscriber else {}),
    )


def paused_until(subscriber: Subscriber | None, now: datetime) -> datetime | None:
    """None when nothing is paused."""
    if subscriber is None or not hasattr(subscriber, "preference"):
        return None
    until: datetime | None = subscriber.preference.paused_until
    return until if until and until > now else None


def chosen_sessions(subscriber: Subscriber | None) -> list[str]:
    """The first of those chosen, as many as the tier has: the others bring no signals."""
    if subscriber is None or not hasattr(subscriber, "preference"):
        return []
    return subscriber.preference.sessions[: subscriber.tier.max_sessions]


def last_signals(subscriber: Subscriber | None, *, chat_id: int, now: datetime) -> TextReply:
    """The kill switch is over signals by whatever way they leave."""
    stopped = not sending_allowed()
    shown = last_visible(subscriber, now, count=LAST_SHOWN) if subscriber and not stopped else []
    lines = [
        past_signal(
            row.signal,
            outcome.signal.outcome if outcome else None,
            present_stop(signal=row.signal, known_at=now - timedelta(seconds=subscriber.tier.delay_seconds))
            if subscriber
            else None,
        )
        for row, outcome in shown
    ]
    return text_reply(
        chat_id, "last", is_switched=bool(lines), subscriber=subscriber, stopped=stopped, lines=lines
    )
