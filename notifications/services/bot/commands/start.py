"""/start: link a chat by a deep link or a typed code, or greet one that is linked."""

import pghistory
from django.utils.translation import gettext_noop, override

from notifications.services import update
from notifications.services.answers import status, welcome
from notifications.services.bot.ask import BY_CHAT, Ask, by_the_chat, say
from notifications.services.bot.chat_state import count_wrong_code, may_try_code
from notifications.services.bot.registry import command
from notifications.services.reply import Effect, text_reply
from users.engine.subscriber import Language
from users.models import Subscriber
from users.services import (
    LinkError,
    LinkRefusal,
    change_settings,
    link_hash,
    redeem_invitation_hash,
    redeem_link_hash,
    redeem_staff_hash,
)


@command("start", gettext_noop("Link this chat"), for_anybody=True)
def answer(ask: Ask) -> Effect:
    return _link(ask) if ask.argument else _greet(ask)


def _greet(ask: Ask) -> Effect:
    """`/start` without a token: a linked chat is told that it is, and how it stands."""
    if ask.subscriber is None:
        return Effect("asked for help", text_reply(ask.chat_id, "start"))
    return Effect(
        "asked for status", status(ask.subscriber, chat_id=ask.chat_id, now=ask.now, is_greeting=True)
    )


def _link(ask: Ask) -> Effect:
    if not may_try_code(chat_id=ask.chat_id, now=ask.now):
        return say(ask, "not linked: too many codes", "not_linked", reason="throttled")
    token_hash = hash_of(ask.argument)
    staff = redeem_staff_hash(token_hash=token_hash, chat_id=ask.chat_id, now=ask.now)
    if staff is not None:
        return say(ask, "linked: staff", "staff_welcome", staff=staff)
    try:
        with pghistory.context(actor="Telegram: the subscriber's chat"):
            subscriber = redeem_link_hash(
                token_hash=token_hash, chat_id=ask.chat_id, telegram_username=ask.username, now=ask.now
            )
    except LinkError as error:
        if error.reason is LinkRefusal.UNKNOWN:
            return _invited(ask, token_hash)
        return say(ask, f"not linked: {error.reason}", "not_linked", reason=error.reason.value)
    return welcomed(ask, subscriber)


def _invited(ask: Ask, code_hash: str) -> Effect:
    """By an invitation a chat that is nobody's becomes a subscriber's."""
    try:
        with pghistory.context(actor=BY_CHAT, user=BY_CHAT, why="invitation"):
            subscriber = redeem_invitation_hash(
                code_hash=code_hash,
                chat_id=ask.chat_id,
                display_name=ask.first_name,
                telegram_username=ask.username,
                now=ask.now,
            )
    except LinkError as error:
        return say(ask, f"not linked: {error.reason}", "not_linked", reason=error.reason.value)
    if subscriber is None:
        count_wrong_code(chat_id=ask.chat_id, now=ask.now)
        return say(ask, f"not linked: {LinkRefusal.UNKNOWN}", "not_linked", reason=LinkRefusal.UNKNOWN.value)
    return welcomed(ask, subscriber)


def welcomed(ask: Ask, subscriber: Subscriber) -> Effect:
    """In the language of the phone, which becomes the subscriber's where the chat is the first."""
    short = ask.language.partition("-")[0].lower()
    if ask.subscriber is None and short in set(Language):
        with by_the_chat("/start"):
            subscriber = change_settings(subscriber_id=subscriber.pk, language=Language(short))
    with override(subscriber.language):
        return Effect("linked", welcome(subscriber, chat_id=ask.chat_id))


def hash_of(token: str) -> str:
    """The inbox keeps a token's hash in its place."""
    return token.removeprefix(update.HASHED) if token.startswith(update.HASHED) else link_hash(token)
