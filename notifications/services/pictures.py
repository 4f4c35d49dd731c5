"""Which pictures are wanted, which are there, and how long a signal waits for its own. Draws nothing."""

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, QuerySet

from notifications.models import SignalPicture
from notifications.services.fan_out import WAKE_CHANNEL
from signals.models import Signal

PATIENCE = timedelta(seconds=3)
# With more than that waiting to be drawn the next one will not be there in time, and nobody waits for it. Publications
# at the same time do not see each other's.
LONGEST_QUEUE = 4
RECENT = timedelta(minutes=1)
MOST_ATTEMPTS = 3
SWEPT_AT_ONCE = 20

# One statement, since every publication waits for it.
REQUEST = """
INSERT INTO notifications_signalpicture (signal_id, file_id, error, attempts, requested_at, awaited_until)
SELECT %(signal_id)s, '', '', 0, %(requested_at)s, CASE WHEN %(longest_queue)s > (
    SELECT count(*) FROM (
        SELECT FROM notifications_signalpicture
        WHERE png IS NULL AND error = '' AND attempts < %(most_attempts)s AND requested_at > %(recent)s
        LIMIT %(longest_queue)s) AS queue) THEN %(awaited_until)s END
RETURNING awaited_until IS NOT NULL
"""

# Rows that wait for nothing but their picture.
RELEASE = """
UPDATE notifications_delivery SET next_attempt_at = due_at
WHERE signal_id = %(signal_id)s AND kind = 'signal' AND state = 'pending' AND attempts = 0
    AND next_attempt_at > due_at AND next_attempt_at > now()
"""


def request_picture(*, signal: Signal) -> bool:
    """Want a picture of a signal that is just being published; whether its deliveries will wait for it."""
    with connection.cursor() as cursor:
        cursor.execute(
            REQUEST,
            {
                "signal_id": signal.pk,
                "requested_at": signal.published_at,
                "recent": signal.published_at - RECENT,
                "awaited_until": signal.published_at + PATIENCE,
                "longest_queue": LONGEST_QUEUE,
                "most_attempts": MOST_ATTEMPTS,
            },
        )
        (is_awaited,) = cursor.fetchone()
    return bool(is_awaited)


def undrawn_pictures(*, requested_before: datetime, now: datetime) -> list[int]:
    """Signals, newest first, whose picture is still worth drawing and whose wake-up may have been lost."""
    waiting = _undrawn().filter(requested_at__lte=requested_before, signal__expires_at__gt=now)
    return list(waiting.order_by("-requested_at").values_list("signal_id", flat=True)[:SWEPT_AT_ONCE])


def begin_drawing(*, signal_id: int) -> bool:
    """Whether the picture is still to be drawn. The attempt is counted before it is made: one that kills its

    worker is given up after three.
    """
    return bool(_undrawn().filter(signal_id=signal_id).update(attempts=F("attempts") + 1))


def keep_picture(*, signal_id: int, png: bytes, now: datetime) -> None:
    """Store it and let those go who waited for it."""
    with transaction.atomic():
        SignalPicture.objects.filter(signal_id=signal_id, png=None).update(png=png, drawn_at=now)
        _release(signal_id)


def give_up_picture(*, signal_id: int, error: str) -> None:
    with transaction.atomic():
        SignalPicture.objects.filter(signal_id=signal_id, png=None).update(error=error[:300])
        _release(signal_id)


def _undrawn() -> QuerySet[SignalPicture]:
    return SignalPicture.objects.filter(png=None, error="", attempts__lt=MOST_ATTEMPTS)


def _release(signal_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(RELEASE, {"signal_id": signal_id})
        if cursor.rowcount:
            cursor.execute("SELECT pg_notify(%s, '')", [WAKE_CHANNEL])
