"""What replies may take of Telegram's limits: two texts a second overall beside the sender's, one a second in a chat.

Rows, because every worker replies. Nobody queues for longer than a second, which would keep a worker from its work.
"""

from datetime import datetime

from django.db import connection

from notifications.models import ReplyTurn

ALL_CHATS = 0  # no chat of Telegram has this number
SECONDS_BETWEEN_TEXTS = 0.5  # the sender plans 28 of 30 a second
SECONDS_PER_CHAT = 1.0
LONGEST_WAIT_SECONDS = 1.0

# In one statement, so that two workers never take the same turn.
TAKE = """
INSERT INTO notifications_replyturn AS turn (chat_id, free_at)
VALUES (%(chat_id)s, clock_timestamp() + make_interval(secs => %(pause)s))
ON CONFLICT (chat_id) DO UPDATE
    SET free_at = greatest(turn.free_at, clock_timestamp()) + make_interval(secs => %(pause)s)
    WHERE turn.free_at <= clock_timestamp() + make_interval(secs => %(longest_wait)s)
RETURNING greatest(0, extract(epoch FROM free_at - clock_timestamp()) - %(pause)s)::float8
"""


def take_turn(*, chat_id: int) -> float | None:
    """Seconds until the next reply may go to that chat, or to ALL_CHATS; None when others wait for it already."""
    pause = SECONDS_BETWEEN_TEXTS if chat_id == ALL_CHATS else SECONDS_PER_CHAT
    with connection.cursor() as cursor:
        cursor.execute(TAKE, {"chat_id": chat_id, "pause": pause, "longest_wait": LONGEST_WAIT_SECONDS})
        row = cursor.fetchone()
    return row[0] if row else None


def forget_turns(*, free_before: datetime) -> None:
    """Drop what no reply waits for any more: strangers write, too."""
    ReplyTurn.objects.filter(free_at__lt=free_before).delete()
