"""Personal data that this app keeps: of a chat that is nobody's any more, of a person who is removed."""

from datetime import datetime

from django.db import connection

from notifications.models import (
    ChatState,
    DeliveryPreference,
    PreferenceInstrument,
    ReplyTurn,
    TelegramUpdate,
)
from users.models import Subscriber

# Of any kind of update, also of those that nobody here acts on.
CHATS = """(
    SELECT unnest(ARRAY[part #>> '{chat,id}', part #>> '{from,id}']) FROM jsonb_each(payload) AS parts (name, part)
    WHERE jsonb_typeof(part) = 'object')"""
# Not one that is worked off at this moment: whoever does that may wait for the subscriber, whom the caller holds.
# `forget_strangers` finds it afterwards.
FORGET = f"""
UPDATE notifications_telegramupdate
SET payload = '{{}}', processed_at = coalesce(processed_at, received_at),
    outcome = CASE WHEN processed_at IS NULL THEN 'forgotten' ELSE outcome END
WHERE update_id IN (
    SELECT update_id FROM notifications_telegramupdate WHERE %(chat_id)s::text IN {CHATS}
    FOR UPDATE SKIP LOCKED)
"""  # noqa: S608
STRANGERS = f"""
UPDATE notifications_telegramupdate SET payload = '{{}}'
WHERE processed_at IS NOT NULL AND payload <> '{{}}'
  AND NOT EXISTS (SELECT FROM users_subscriber s WHERE s.chat_id::text IN {CHATS})
"""  # noqa: S608


def forget_chat(*, chat_id: int) -> int:
    """Empty the stored updates of a chat (names, texts); that they came stays on record. Returns how many.

    Open deliveries need nothing: the sender judges the subscriber again before it sends.
    """
    ReplyTurn.objects.filter(chat_id=chat_id).delete()
    ChatState.objects.filter(chat_id=chat_id).delete()
    with connection.cursor() as cursor:
        cursor.execute(FORGET, {"chat_id": str(chat_id)})
        return cursor.rowcount


def forget_strangers() -> int:
    """Empty what was worked off of chats that belong to nobody: who was removed may go on typing."""
    with connection.cursor() as cursor:
        cursor.execute(STRANGERS)
        return cursor.rowcount


def forget_preferences(*, subscriber: Subscriber) -> None:
    """What was set, and the history of it: when a person sleeps is theirs."""
    gone = list(DeliveryPreference.objects.filter(subscriber=subscriber).values_list("pk", flat=True))
    DeliveryPreference.objects.filter(pk__in=gone).delete()
    history = DeliveryPreference.pgh_event_model.objects  # type: ignore[attr-defined]  # pghistory adds it
    history.filter(pgh_obj_id__in=gone).delete()
    chosen = PreferenceInstrument.pgh_event_model.objects
    chosen.filter(deliverypreference_id__in=gone).delete()


def forget_old_updates(*, received_before: datetime) -> int:
    """Delete updates that were worked off; Telegram brings none again after a day."""
    old = TelegramUpdate.objects.filter(processed_at__isnull=False, received_at__lt=received_before)
    return old.delete()[0]
