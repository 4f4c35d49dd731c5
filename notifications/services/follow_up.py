"""What became of a signal goes, as a reply, to those whom the signal itself was given."""

from collections.abc import Sequence

from django.db import connection

from notifications.models import DeliveryKind
from notifications.services.fan_out import WAKE_CHANNEL

# Due when the tier may know that the signal has ended, and never before the signal itself. `now()` is the instant
# of the transaction that writes the outcome; the claim counts from the same one, which is in `created_at`.
# A signal still on its way gets its row too: the claim lets it wait for the signal, and ends it when that never
# arrived. A day later the news is old.
FOLLOW_UP = """
INSERT INTO notifications_delivery
    (public_id, signal_id, subscriber_id, kind, state, reason, tier, tier_rank, weight,
     due_at, expires_at, next_attempt_at, attempts, is_repeat, is_plain, created_at)
SELECT gen_random_uuid(), o.signal_id, o.subscriber_id, %(kind)s, 'pending', '', t.code, t.rank, o.weight,
    due.at, due.at + interval '1 day', due.at, 0, false, false, now()
FROM notifications_delivery o
    JOIN users_subscriber s ON s.id = o.subscriber_id
    JOIN users_tier t ON t.id = s.tier_id
    CROSS JOIN LATERAL (SELECT greatest(now() + make_interval(secs => t.delay_seconds), o.due_at) AS at) AS due
WHERE o.signal_id = ANY (%(signal_ids)s) AND o.kind = 'signal'
    AND o.state IN ('pending', 'sending', 'retry', 'sent')
    AND CASE %(kind)s WHEN 'outcome'
        THEN EXISTS (SELECT FROM signals_signaloutcome WHERE signal_id = o.signal_id)
        ELSE EXISTS (SELECT FROM signals_stopraise WHERE signal_id = o.signal_id AND passes_entry) END
ON CONFLICT (signal_id, subscriber_id, kind) DO NOTHING
"""


def follow_up(*, signal_ids: Sequence[int]) -> int:
    """Write the deliveries of recorded outcomes, each due after its tier's delay; return how many.

    A repeat adds none. Runs inside the caller's transaction: the sender is woken when that commits.
    """
    return _write(signal_ids, DeliveryKind.OUTCOME)


def tell_raised(*, signal_ids: Sequence[int]) -> int:
    """The same for signals whose stop has passed the entry: one message each, whatever the stop does later."""
    return _write(signal_ids, DeliveryKind.UPDATE)


def _write(signal_ids: Sequence[int], kind: DeliveryKind) -> int:
    with connection.cursor() as cursor:
        cursor.execute(FOLLOW_UP, {"signal_ids": list(signal_ids), "kind": kind.value})
        written = cursor.rowcount
        if written:
            cursor.execute("SELECT pg_notify(%s, '')", [WAKE_CHANNEL])
    return written
