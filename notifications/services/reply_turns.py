"""What replies may take of Telegram's limits: one a second in a chat, two questions answered a second overall.

Two at once are let through, as Telegram lets them. Rows, because every worker replies; nobody waits for a turn, for a
worker that sleeps draws no picture and judges no candle.
"""

from datetime import datetime

from django.db import connection

from notifications.models import ReplyTurn

ALL_CHATS = 0  # no chat of Telegram has this number
SECONDS_BETWEEN_TEXTS = 0.5  # the sender plans 28 of 30 a second
SECONDS_PER_CHAT = 1.2  # Telegram allows one; the rest is for ways to it of different length
BURST = 2

# In one statement, so that two workers never take the same turn. `free_at` runs ahead of the clock by what was taken.
TAKE = """
INSERT INTO notifications_replyturn AS turn (chat_id, free_at)
VALUES (%(chat_id)s, clock_timestamp() + make_interval(secs => %(pause)s))
ON CONFLICT (chat_id) DO UPDATE
    SET free_at = greatest(turn.free_at, clock_timestamp()) + make_interval(secs => %(pause)s)
    WHERE turn.free_at <= clock_timestamp() + make_interval(secs => %(ahead)s)
"""


def take_turn(*, chat_id: int) -> bool:
    """Whether a reply may go to that chat now, or a question be answered at all (ALL_CHATS); then the turn is taken."""
    pause = SECONDS_BETWEEN_TEXTS if chat_id == ALL_CHATS else SECONDS_PER_CHAT
    with connection.cursor() as cursor:
        cursor.execute(TAKE, {"chat_id": chat_id, "pause": pause, "ahead": pause * (BURST - 1)})
        return cursor.rowcount == 1


def forget_turns(*, free_before: datetime) -> None:
    """Drop those that are over: strangers write, too."""
    ReplyTurn.objects.filter(free_at__lt=free_before).delete()
