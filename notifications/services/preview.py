"""Any message as any subscriber would read it: the facts that a claim would read, through the sender's own code."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.utils.translation import override
from psycopg.types.json import JsonbLoader

from notifications.models import DeliveryKind, SignalPicture
from notifications.selectors import visible_to
from notifications.services.answers import last_signals, status, welcome
from notifications.services.bot.ask import Ask
from notifications.services.bot.commands import COMMANDS
from notifications.services.message.compose import LONGEST_CAPTION, LONGEST_MESSAGE, Message, compose
from notifications.services.message.facts import Draft, outcome_facts, recipient, signal_facts
from notifications.services.message.reading import FACT_COLUMNS, FACT_NAMES, FACTS_FROM, record_of
from notifications.services.reply import TextReply
from signals.models import Signal, SignalOutcome, StopRaise
from users.models import Subscriber

# What a command answers without changing anything.
ASKED = ("settings", "tier", "performance", "verify", "help")
NOBODYS = UUID(int=0)  # a preview's buttons name no delivery
WOULD_BE = f"""
WITH d AS (
    SELECT %(kind)s::text AS kind, %(signal_id)s::bigint AS signal_id, %(subscriber_id)s::bigint AS subscriber_id
), {record_of("SELECT signal_id FROM d WHERE kind = 'signal'")}
SELECT {FACT_COLUMNS} FROM d {FACTS_FROM} CROSS JOIN (SELECT 0 AS long, 0 AS short) AS others
"""  # noqa: S608  (constants only)


@dataclass(frozen=True, slots=True)
class Preview:
    """`png` is the picture that would be sent, None where the text goes alone.

    `released_at` is the subscriber's by the tier as it is now; `is_visible` whether it has been sent already.
    """

    message: Message
    plain: Message
    repeat: Message
    png: bytes | None
    limit: int
    released_at: datetime
    is_visible: bool


def preview(*, signal: Signal, subscriber: Subscriber, kind: DeliveryKind, now: datetime) -> Preview | None:
    """None for the follow-up of a signal that has not ended. What else is open for the subscriber is not shown."""
    outcome = SignalOutcome.objects.filter(signal=signal).first()
    raised = StopRaise.objects.filter(signal=signal, passes_entry=True).order_by("candle_open_time").first()
    if (kind is DeliveryKind.OUTCOME and outcome is None) or (kind is DeliveryKind.UPDATE and raised is None):
        return None
    picture = SignalPicture.objects.filter(signal=signal, png__isnull=False).first()
    draft = previewed(signal=signal, subscriber=subscriber, kind=kind, picture=picture)
    message = compose(draft)
    known_at = signal.published_at
    if kind is DeliveryKind.OUTCOME and outcome:
        known_at = outcome.recorded_at
    elif kind is DeliveryKind.UPDATE and raised:
        known_at = raised.recorded_at
    return Preview(
        message=message,
        plain=compose(replace(draft, is_plain=True)),
        repeat=compose(replace(draft, is_repeat=True)),
        png=bytes(picture.png) if picture and picture.png and message.with_picture else None,
        limit=LONGEST_CAPTION if message.with_picture else LONGEST_MESSAGE,
        released_at=known_at + timedelta(seconds=subscriber.tier.delay_seconds),
        is_visible=visible_to(subscriber, now).filter(signal=signal, kind=kind).exists(),
    )


def preview_answers(*, subscriber: Subscriber, now: datetime) -> dict[str, str]:
    """Telegram's HTML of each answer, by what the subscriber does for it, in the subscriber's language."""
    chat_id = subscriber.chat_id or 0
    ask = Ask(chat_id=chat_id, now=now, subscriber=subscriber)
    with override(subscriber.language):
        answers = {
            "Opening the link": welcome(subscriber, chat_id=chat_id).html,
            "/status": status(subscriber, chat_id=chat_id, now=now).html,
            "/last": last_signals(subscriber, chat_id=chat_id, now=now).html,
        }
        for name in ASKED:
            reply = COMMANDS[name].answer(ask).reply
            if isinstance(reply, TextReply):
                answers[f"/{name}"] = reply.html
    return answers


def previewed(
    *, signal: Signal, subscriber: Subscriber, kind: DeliveryKind, picture: SignalPicture | None = None
) -> Draft:
    """The facts as a claim at the moment of release would read them."""
    with connection.cursor() as cursor:
        cursor.cursor.adapters.register_loader("jsonb", JsonbLoader)  # Django's own leaves text
        asked: dict[str, str | int] = {
            "kind": kind.value,
            "signal_id": signal.pk,
            "subscriber_id": subscriber.pk,
        }
        cursor.execute(WOULD_BE, asked)
        row = dict(zip(FACT_NAMES, cursor.fetchone(), strict=True))
    return Draft(
        kind=kind.value,
        public_id=NOBODYS,
        signal=signal_facts(row),
        recipient=recipient(row),
        outcome=outcome_facts(row),
        age_seconds=float(subscriber.tier.delay_seconds),
        picture_id=picture.pk if picture and kind is DeliveryKind.SIGNAL else None,
    )
