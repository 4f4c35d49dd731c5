"""One signal becomes one delivery per eligible subscriber, or a reason why not."""

from dataclasses import dataclass
from typing import Any

from django.db import connection
from psycopg import Connection, Cursor

from notifications.models import Delivery, DeliveryKind, ExclusionRecord
from notifications.services.eligibility import (
    FIGURES,
    SUBSCRIBERS,
    Exclusion,
    candidates_sql,
    signal_parameters,
)
from signals.models import Signal
from signals.selectors import standing_of_other_sources
from signals.services.arms import subscribers_of
from users.models import Subscriber

WAKE_CHANNEL = "copilot_deliveries"

# What each row costs sets a publication's pace. One random number for all names, which its hash makes different:
# a random number each takes longer than the rules. Who has it already is read once, not looked for by every row's
# ON CONFLICT; of two at the same time the unique constraint fails the later one.
# A statement for each answer to `capped`, so that the database can begin with the few who have a cap.
# Who is left out is written down in the same statement, a row for each reason with its figures.
FAN_OUT = {
    capped: f"""
WITH candidate AS MATERIALIZED (SELECT * FROM ({candidates_sql()}) AS each WHERE true {condition}),
excluded AS (
    INSERT INTO notifications_exclusionrecord (signal_id, reason, figures, subscriber_ids)
    SELECT %(signal_id)s, told.reason, told.figures, array_agg(told.subscriber_id)
    FROM (SELECT c.subscriber_id, c.reason, left({FIGURES}, 300) AS figures
        FROM candidate c JOIN {SUBSCRIBERS} ON s.id = c.subscriber_id
        WHERE c.reason IS NOT NULL AND c.subscriber_id NOT IN (
            SELECT unnest(subscriber_ids) FROM notifications_exclusionrecord WHERE signal_id = %(signal_id)s)
        ) AS told
    GROUP BY told.reason, told.figures
)
INSERT INTO notifications_delivery
    (public_id, signal_id, subscriber_id, kind, state, reason, tier, tier_rank, weight,
     due_at, expires_at, next_attempt_at, attempts, is_repeat, is_plain)
SELECT md5((SELECT gen_random_uuid())::text || subscriber_id)::uuid, %(signal_id)s, subscriber_id,
    'signal', 'pending', '', tier, tier_rank, weight, due_at, %(expires_at)s,
    greatest(due_at, (SELECT awaited_until FROM notifications_signalpicture
        WHERE signal_id = %(signal_id)s AND png IS NULL AND error = '')), 0, false, false
FROM candidate
WHERE reason IS NULL
    AND subscriber_id NOT IN (
        SELECT subscriber_id FROM notifications_delivery WHERE signal_id = %(signal_id)s AND kind = 'signal')
"""  # noqa: S608
    for capped, condition in {
        None: "",
        True: "AND (is_capped OR cap_is_new)",
        False: "AND NOT is_capped",
    }.items()
}

EXCLUDED = f"""
SELECT subscriber_id, reason FROM ({candidates_sql()}) AS candidate
WHERE NOT EXISTS (
    SELECT FROM notifications_delivery d
    WHERE d.signal_id = %(signal_id)s AND d.subscriber_id = candidate.subscriber_id AND d.kind = 'signal')
"""  # noqa: S608


def fan_out(*, signal: Signal, capped: bool | None = None) -> int:
    """Write the deliveries of a signal, each due after its tier's delay; return how many. A repeat repeats none.

    `capped` limits it to those with a daily cap or a new one (True) or without (False). While a picture is awaited the
    sender waits for it. Runs inside the caller's transaction: the sender is woken when that commits.
    """
    parameters = _parameters(signal)
    with connection.cursor() as cursor:
        written = _execute_prepared(cursor.connection, FAN_OUT[capped], parameters)
        if written:
            cursor.execute("SELECT pg_notify(%s, '')", [WAKE_CHANNEL])
    return written


def _parameters(signal: Signal) -> dict[str, Any]:
    told = signal_parameters(signal, subscribers_of(signal), standing_of_other_sources(signal))
    return told | {"signal_id": signal.pk}


def _execute_prepared(connected: Connection[Any], statement: str, parameters: dict[str, Any]) -> int:
    """How many rows it wrote. Parsed once a connection, and after some executions planned no more.

    Django's own cursors prepare nothing. It is allowed for this one statement only: else psycopg would remember
    the last hundred statements of each connection with all that they contain.
    """
    connected.prepare_threshold = 0
    try:
        with connection.wrap_database_errors, Cursor(connected) as cursor:
            return cursor.execute(statement, parameters, prepare=True).rowcount
    finally:
        connected.prepare_threshold = None


@dataclass(frozen=True, slots=True)
class WhyNot:
    """In words: what became of the delivery, or which rule excluded then (with its figures) and would today."""

    delivery: str
    then: str
    figures: str
    today: str


def explain_exclusion(signal: Signal, subscriber: Subscriber) -> WhyNot:
    record = ExclusionRecord.objects.filter(signal=signal, subscriber_ids__contains=[subscriber.pk]).first()
    answer = why_not(signal, subscriber)
    if Delivery.objects.filter(signal=signal, subscriber=subscriber, kind=DeliveryKind.SIGNAL).exists():
        return WhyNot(answer, "", "", "")
    then = (
        exclusion_words(record.reason) if record else "Not on record: it was published before reasons were."
    )
    return WhyNot("", then, record.figures if record else "", answer)


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
        cursor.execute(EXCLUDED, _parameters(signal))
        return {pk: Exclusion(reason) if reason else None for pk, reason in cursor.fetchall()}


def exclusion_words(reason: str) -> str:
    """The sentence behind a reason code; free text stays as it is."""
    return Exclusion(reason).words if reason in set(Exclusion) else reason
