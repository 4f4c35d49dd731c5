"""From what was written or pressed to the file that answers."""

from dataclasses import replace
from datetime import datetime

from django.utils.translation import override

from notifications.services import update
from notifications.services.bot import commands, feedback, typed
from notifications.services.bot.ask import Ask, not_linked
from notifications.services.bot.chat_state import expect_nothing, take_expected
from notifications.services.bot.registry import BUTTONS, COMMANDS, STAFF_BUTTONS, STAFF_COMMANDS, TYPED
from notifications.services.reply import Effect, text_reply
from users.engine.subscriber import Language
from users.models import Subscriber
from users.services import staff_of

__all__ = ["answer", "commands", "only_asks", "typed"]


def only_asks(parsed: update.Parsed) -> bool:
    """Whether it changes nothing, so that it may wait for its turn."""
    match parsed:
        case update.Start(token=""):
            return True
        case update.Asked(command=name):
            known = COMMANDS.get(name)
            return known.only_asks if known else name not in STAFF_COMMANDS
        case update.GroupAsked():
            return True
    return False


def answer(parsed: update.Parsed, *, now: datetime) -> Effect:
    """What the update does; its texts are in the language of whoever asks."""
    match parsed:
        case update.Start() | update.Asked() | update.Typed() | update.Paid() | update.Refunded():
            chat_id = parsed.chat_id
        case update.Tap():
            chat_id = parsed.user_id
        case update.GroupAsked(chat_id=group):
            return Effect("refused: a group", text_reply(group, "group"))
        case _:
            return Effect("ignored")
    subscriber, staff = subscriber_of(chat_id), staff_of(chat_id=chat_id)
    ask = Ask(chat_id=chat_id, now=now, subscriber=subscriber, staff=staff, language=parsed.language)
    with override(language_of(subscriber, parsed.language)):
        return _routed(parsed, ask)


def subscriber_of(chat_id: int) -> Subscriber | None:
    return Subscriber.objects.select_related("tier", "preference").filter(chat_id=chat_id).first()


def language_of(subscriber: Subscriber | None, telegrams: str) -> str:
    """The subscriber's own, else that of the phone where the bot speaks it."""
    if subscriber is not None:
        return subscriber.language
    short = telegrams.partition("-")[0].lower()
    return short if short in set(Language) else Language.ENGLISH.value


def _routed(parsed: update.Parsed, ask: Ask) -> Effect:
    match parsed:
        case update.Start(token=token, username=username, first_name=first_name):
            expect_nothing(chat_id=ask.chat_id)
            asked = replace(ask, argument=token, username=username, first_name=first_name)
            effect = COMMANDS["start"].answer(asked)
        case update.Asked(command=name, argument=argument):
            expect_nothing(chat_id=ask.chat_id)
            effect = _command(name, replace(ask, argument=argument))
        case update.Typed(text=text):
            effect = _text(replace(ask, argument=text))
        case update.Paid() as payment:
            effect = commands.buy.paid(payment, ask)
        case update.Refunded() as refund:
            effect = commands.buy.refunded(refund, ask)
        case update.Tap() as tap:
            effect = _button(tap, ask)
        case _:
            effect = Effect("ignored")
    return effect


def _command(name: str, ask: Ask) -> Effect:
    """Staff have their own commands first; a name that nobody knows gets help."""
    if ask.staff is not None and name in STAFF_COMMANDS:
        return STAFF_COMMANDS[name].answer(ask)
    known = COMMANDS.get(name, COMMANDS["help"])
    if ask.subscriber is None and not known.for_anybody:
        return not_linked(ask)
    return known.answer(ask)


def _text(ask: Ask) -> Effect:
    """The answer to what the chat was asked, else help."""
    setting = take_expected(chat_id=ask.chat_id, now=ask.now)
    if setting in TYPED and ask.subscriber is not None:
        return TYPED[setting](ask)
    return COMMANDS["help"].answer(ask)


def _button(tap: update.Tap, ask: Ask) -> Effect:
    if feedback.is_feedback(tap.data):
        return feedback.answer_feedback(tap, ask)
    prefix, _, rest = tap.data.partition(":")
    pressed = replace(ask, argument=rest, callback_id=tap.callback_id, message_id=tap.message_id)
    if prefix in STAFF_BUTTONS and ask.staff is not None:
        return STAFF_BUTTONS[prefix](pressed)
    if prefix not in BUTTONS or ask.subscriber is None:
        return not_linked(pressed) if ask.subscriber is None else feedback.unknown_button(tap)
    return BUTTONS[prefix](pressed)
