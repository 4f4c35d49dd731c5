"""What Telegram tells us: committed first, worked off from the row, each effect once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DataError, transaction
from django.db.models import Case, F, Q, Value, When

from notifications.models import TelegramUpdate
from notifications.services import update
from notifications.services.bot import router
from notifications.services.reply import Effect, Reply
from signals.crash_points import CrashPoint, reach
from users.models import Subscriber
from users.services import mark_reachable, mark_unreachable

MOST_ATTEMPTS = 5
GIVEN_UP = "failed: given up, its errors are in the worker's log"
NOBODY_KNOWS = "; reply unknown"  # stands until the worker that sends the reply says how it went
BLOCKED = "The subscriber blocked the bot."


@dataclass(frozen=True, slots=True)
class Question:
    """`turn_at`: when it is to be answered; None before a turn was taken for it."""

    chat_id: int
    turn_at: datetime | None


def store_update(*, payload: Any, now: datetime) -> int | None:
    """Keep an update and return its id; None when this is none that the database can keep. A repeat is harmless."""
    update_id = payload.get("update_id") if isinstance(payload, dict) else None
    payload = update.redacted(payload)
    if not isinstance(update_id, int) or isinstance(update_id, bool) or not 0 <= update_id < 2**63:
        return None
    try:
        with transaction.atomic():
            TelegramUpdate.objects.bulk_create(
                [TelegramUpdate(update_id=update_id, payload=payload, received_at=now)], ignore_conflicts=True
            )
    except (DataError, RecursionError):
        # NUL characters, numbers beyond JSON; depths that can be read but not written.
        return None
    reach(CrashPoint.AFTER_UPDATE_INSERT)
    return update_id


def open_question(*, update_id: int) -> Question | None:
    """An open update that only asks for a text; None for anything else. A link that is opened is more."""
    row = TelegramUpdate.objects.filter(update_id=update_id, processed_at=None).first()
    parsed = update.parse(row.payload) if row else None
    match parsed:
        case (
            update.Start(chat_id=chat_id) | update.Asked(chat_id=chat_id) | update.GroupAsked(chat_id=chat_id)
        ):
            return Question(chat_id, row.turn_at if row else None) if router.only_asks(parsed) else None
    return None


def keep_turn(*, update_id: int, turn_at: datetime) -> None:
    """Whoever is woken for the question before that leaves it alone."""
    TelegramUpdate.objects.filter(update_id=update_id).update(turn_at=turn_at)


def process_update(*, update_id: int, now: datetime) -> Reply | None:
    """Apply an update exactly once and record what came of it; the reply is the caller's to send.

    An attempt is counted before it is made, and the last one is also written off before: so an update that
    always fails, or kills its worker, is given up after five.
    Returns None also when the update is worked off already or another worker has it.
    """
    if not _count_attempt(update_id, now):
        return None
    with transaction.atomic():
        open_rows = TelegramUpdate.objects.filter(Q(processed_at=None) | Q(outcome=GIVEN_UP))
        row = open_rows.filter(update_id=update_id).select_for_update(skip_locked=True).first()
        if row is None:
            return None
        effect = _apply(row, now)
        row.outcome, row.processed_at = effect.outcome, now
        if effect.reply:
            row.outcome += NOBODY_KNOWS
        if not Subscriber.objects.filter(chat_id__in=update.chats_of(row.payload)).exists():
            row.payload = {}  # nobody's chat: what was typed there is nothing to us
        row.save(update_fields=["outcome", "processed_at", "payload"])
        reach(CrashPoint.AFTER_EFFECT_BEFORE_COMMIT)
    return effect.reply


def _count_attempt(update_id: int, now: datetime) -> bool:
    """Whether the update was still to be worked off."""
    is_last = When(attempts__gte=MOST_ATTEMPTS - 1, then=Value(now))
    says_so = When(attempts__gte=MOST_ATTEMPTS - 1, then=Value(GIVEN_UP))
    waiting = TelegramUpdate.objects.filter(update_id=update_id, processed_at=None)
    return bool(
        waiting.update(
            attempts=F("attempts") + 1,
            processed_at=Case(is_last, default=None),
            outcome=Case(says_so, default=Value("")),
        )
    )


def _apply(row: TelegramUpdate, now: datetime) -> Effect:
    match update.parse(row.payload):
        case update.Membership() as membership:
            return Effect(_membership(membership, row.update_id))
        case None:
            return Effect("ignored")
        case update.Start(token=token) as start if token:
            effect = router.answer(start, now=now)
            row.payload["message"]["text"] = "/start"  # the token is kept as a hash only
            return effect
        case parsed:
            return router.answer(parsed, now=now)


def _membership(membership: update.Membership, update_id: int) -> str:
    """Updates may be worked off out of order: only the newest of a chat says how it is now.

    By Telegram's clock, and by the id within one second only: after a quiet week ids begin anywhere.
    """
    of_the_chat = TelegramUpdate.objects.filter(payload__my_chat_member__chat__id=membership.chat_id)
    later = Q(payload__my_chat_member__date__gt=membership.date)
    later |= Q(payload__my_chat_member__date=membership.date, update_id__gt=update_id)
    if of_the_chat.filter(later).exists():
        return "superseded"
    if membership.is_member:
        return "reachable" if mark_reachable(chat_id=membership.chat_id) else "ignored: nobody's chat"
    blocked = mark_unreachable(chat_id=membership.chat_id, reason=BLOCKED)
    return "unreachable" if blocked else "ignored: nobody's chat"


def record_reply(*, update_id: int, result: str) -> None:
    """Add to an update's outcome what became of the reply."""
    row = TelegramUpdate.objects.get(update_id=update_id)
    row.outcome = f"{row.outcome.removesuffix(NOBODY_KNOWS)}; {result}"[:200]
    row.save(update_fields=["outcome"])


def waiting_updates(*, received_before: datetime) -> list[int]:
    """Ids of updates that nobody has worked off, oldest first."""
    rows = TelegramUpdate.objects.filter(processed_at=None, received_at__lte=received_before)
    return list(rows.order_by("received_at", "update_id").values_list("update_id", flat=True)[:1000])
