"""What replies may take of Telegram's limits: one a second in a chat, two questions answered a second overall.

Two at once are let through in a chat, as Telegram lets them. Rows, because every worker replies; nobody sleeps until a
turn, for a worker that sleeps draws no picture and judges no candle.
"""

from datetime import datetime, timedelta

from django.db import connection
from django.db.models.functions import Greatest, Now

from notifications.models import ReplyTurn

ALL_CHATS = 0  # no chat of Telegram has this number
SECONDS_BETWEEN_TEXTS = 0.5  # the sender plans 28 of 30 a second
LONGEST_WAIT_SECONDS = 25.0  # shorter than from sweep to sweep
SECONDS_PER_CHAT = 1.2  # Telegram allows one; the rest is for ways to it of different length
BURST = 2
SECONDS_PER_GROUP = 60.0  # a group may ask as often as it likes: it is refused once a minute

# In one statement, so that two workers never take the same turn. `free_at` runs ahead of the clock by what was taken.
TAKE = """
INSERT INTO notifications_replyturn AS turn (chat_id, free_at)
VALUES (%(chat_id)s, clock_timestamp() + make_interval(secs => %(pause)s))
ON CONFLICT (chat_id) DO UPDATE
    SET free_at = greatest(turn.free_at, clock_timestamp()) + make_interval(secs => %(pause)s)
    WHERE turn.free_at <= clock_timestamp() + make_interval(secs => %(ahead)s)
RETURNING extract(epoch FROM free_at - clock_timestamp())::float8
"""


def take_turn(*, chat_id: int) -> bool:
    """Whether a reply may go to that chat now; then the turn is taken."""
    if chat_id < 0:
        return _taken(chat_id, pause=SECONDS_PER_GROUP, ahead=0.0) is not None
    return _taken(chat_id, pause=SECONDS_PER_CHAT, ahead=SECONDS_PER_CHAT * (BURST - 1)) is not None


def reserve_turn(*, chat_id: int) -> float | None:
    """Seconds until the question of that chat may be answered; None when so many wait that nobody can say.

    Until then the chat has no other turn.
    """
    ahead = _taken(ALL_CHATS, pause=SECONDS_BETWEEN_TEXTS, ahead=LONGEST_WAIT_SECONDS)
    if ahead is None:
        return None
    wait = max(0.0, ahead - SECONDS_BETWEEN_TEXTS)
    if wait:
        free_at = Greatest("free_at", Now() + timedelta(seconds=wait + SECONDS_PER_CHAT))
        ReplyTurn.objects.filter(chat_id=chat_id).update(free_at=free_at)
    return wait


def _taken(chat_id: int, *, pause: float, ahead: float) -> float | None:
    """Take a turn unless the next free one is further ahead; return the seconds until the one after it."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE, {"chat_id": chat_id, "pause": pause, "ahead": ahead})
        row = cursor.fetchone()
    return row[0] if row else None


def forget_turns(*, free_before: datetime) -> None:
    """Drop those that are over: strangers write, too."""
    ReplyTurn.objects.filter(free_at__lt=free_before).delete()
