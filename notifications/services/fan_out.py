"""One signal becomes one delivery per eligible subscriber, or a reason why not."""

from django.db import connection
from psycopg import Cursor

from notifications.models import Delivery, DeliveryKind
from notifications.services.eligibility import Exclusion, candidates_sql, signal_parameters
from signals.models import Signal
from users.models import Subscriber

WAKE_CHANNEL = "copilot_deliveries"

# What each row costs sets a publication's pace. One random number for all names, which its hash makes different:
# a random number each takes longer than the rules. Who has it already is read once, not looked for by every row's
# ON CONFLICT; of two at the same time the unique constraint fails the later one.
FAN_OUT = f"""
INSERT INTO notifications_delivery
    (public_id, signal_id, subscriber_id, kind, state, reason, tier, tier_rank, weight,
     due_at, expires_at, next_attempt_at, attempts, is_repeat, is_plain)
SELECT md5((SELECT gen_random_uuid())::text || subscriber_id)::uuid, %(signal_id)s, subscriber_id,
    'signal', 'pending', '', tier, tier_rank, weight, due_at, %(expires_at)s,
    greatest(due_at, (SELECT awaited_until FROM notifications_signalpicture WHERE signal_id = %(signal_id)s)),
    0, false, false
FROM ({candidates_sql()}) AS candidate
WHERE reason IS NULL AND (%(capped)s::boolean IS NULL OR is_capped = %(capped)s)
    AND subscriber_id NOT IN (
        SELECT subscriber_id FROM notifications_delivery WHERE signal_id = %(signal_id)s AND kind = 'signal')
"""  # noqa: S608

EXCLUDED = f"""
SELECT subscriber_id, reason FROM ({candidates_sql()}) AS candidate
WHERE NOT EXISTS (
    SELECT FROM notifications_delivery d
    WHERE d.signal_id = %(signal_id)s AND d.subscriber_id = candidate.subscriber_id AND d.kind = 'signal')
"""  # noqa: S608


def fan_out(*, signal: Signal, capped: bool | None = None) -> int:
    """Write the deliveries of a signal, each due after its tier's delay; return how many. A repeat repeats none.

    `capped` limits it to subscribers with a daily cap (True) or without (False). They are looked at when the picture
    is there, or is not awaited any longer. Runs inside the caller's transaction: the sender is woken when it commits.
    """
    parameters = signal_parameters(signal) | {"signal_id": signal.pk, "capped": capped}
    connection.ensure_connection()
    # Planned once a connection, which Django's own cursors cannot do: planning takes half as long as the rules.
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.execute(FAN_OUT, parameters, prepare=True)
        written = cursor.rowcount
        if written:
            cursor.execute("SELECT pg_notify(%s, '')", [WAKE_CHANNEL])
    return written


def why_not(signal: Signal, subscriber: Subscriber) -> str:
    """In words: what became of the signal for this subscriber, or which rule excludes it as settings are now."""
    delivery = Delivery.objects.filter(signal=signal, subscriber=subscriber, kind=DeliveryKind.SIGNAL).first()
    if delivery is not None:
        return (
            f"There is a delivery: {delivery.get_state_display()}. {exclusion_words(delivery.reason)}".strip()
        )
    reason = excluded_subscribers(signal=signal)[subscriber.pk]
    if reason is None:
        return "As settings are now the subscriber would get it, but they were different at publication."
    return reason.words


def excluded_subscribers(*, signal: Signal) -> dict[int, Exclusion | None]:
    """Subscribers without a delivery of the signal, by id, with the rule that excludes them as settings are now.

    None where no rule does any more.
    """
    with connection.cursor() as cursor:
        cursor.execute(EXCLUDED, signal_parameters(signal) | {"signal_id": signal.pk})
        return {pk: Exclusion(reason) if reason else None for pk, reason in cursor.fetchall()}


def exclusion_words(reason: str) -> str:
    """The sentence behind a reason code; free text stays as it is."""
    return Exclusion(reason).words if reason in set(Exclusion) else reason
