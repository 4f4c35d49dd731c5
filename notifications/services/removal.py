"""Personal data that this app keeps about a chat that is nobody's any more."""

from django.db import connection

FORGET = """
UPDATE notifications_telegramupdate
SET payload = '{}', processed_at = coalesce(processed_at, received_at),
    outcome = CASE WHEN processed_at IS NULL THEN 'forgotten' ELSE outcome END
WHERE %(chat_id)s::text IN (
    payload #>> '{message,chat,id}', payload #>> '{callback_query,from,id}', payload #>> '{my_chat_member,chat,id}')
"""


def forget_chat(*, chat_id: int) -> int:
    """Empty the stored updates of a chat (names, texts); that they came stays on record. Returns how many.

    Open deliveries need nothing: the sender judges the subscriber again before it sends.
    """
    with connection.cursor() as cursor:
        cursor.execute(FORGET, {"chat_id": str(chat_id)})
        return cursor.rowcount
