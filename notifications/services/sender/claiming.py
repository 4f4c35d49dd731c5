"""The claim: which rows are ours to send now, with all that their messages say. All instants are the database's."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from notifications.services.eligibility import FOLLOW_UP_RULES, STANDING_RULES, rule_parameters
from notifications.services.message.facts import Draft, outcome_facts, recipient, signal_facts
from notifications.services.message.reading import FACT_COLUMNS, FACT_NAMES, FACTS_FROM, record_of
from notifications.services.sender.lease import Lease
from notifications.services.sender.transition import Attempt

WAITING_SECONDS = 60
OPEN_AT_MOST = "23 days"  # beyond any signal's longest hold and an outage of the market
SECONDS_TO_SEND = 0.5  # what expires sooner would not be sent any more by the time of the call

# The subscriber's other signals whose end the tier may not know yet, less those that were ignored.
OPEN_SIGNALS = f"""
SELECT count(*) FILTER (WHERE held.direction = 'long') AS long,
    count(*) FILTER (WHERE held.direction = 'short') AS short
FROM notifications_delivery other
    JOIN signals_signal held ON held.id = other.signal_id
    LEFT JOIN notifications_feedback answered ON answered.delivery_id = other.id
WHERE other.subscriber_id = d.subscriber_id AND other.kind = 'signal' AND other.state = 'sent' AND other.id <> d.id
    AND other.due_at > r.moment - interval '{OPEN_AT_MOST}'
    AND coalesce(answered.answer, '') <> 'ignored'
    AND NOT EXISTS (SELECT FROM signals_signaloutcome o WHERE o.signal_id = held.id
        AND o.recorded_at + make_interval(secs => t.delay_seconds) <= r.moment)
"""  # noqa: S608

TOLD = """SELECT DISTINCT d.signal_id FROM locked JOIN notifications_delivery d USING (id) WHERE d.kind = 'signal'"""

# A chat gets at most one row per claim, its first in claim order. The rules are judged again, on the rows
# as they are now: a downgrade, pause or archive since the fan-out holds. A repeat that may no longer be
# sent stays of unknown fate, because its first attempt may have arrived. `next` looks at the first rows only,
# whatever the backlog: chats that fill it are busy at the next claim, which then sees the rows behind them;
# what has expired is left to EXPIRE, or a claim of a long backlog would find nothing else.
# The lease's row is locked until the claim is committed: a takeover waits for it, or the claim finds nothing.
# A follow-up waits, and is looked at again every minute, while its signal is still on its way and while the
# subscriber's quiet hours last; it ends when the signal never arrived for certain.
CLAIM = f"""
WITH leader AS MATERIALIZED (
    SELECT FROM notifications_senderlease
    WHERE fencing_token = %(fencing_token)s AND lapses_at > clock_timestamp() FOR SHARE
), next AS MATERIALIZED (
    SELECT d.id, d.subscriber_id, d.tier_rank, d.weight, d.due_at
    FROM notifications_delivery d
    WHERE d.state IN ('pending', 'retry') AND d.next_attempt_at <= now() AND NOT d.subscriber_id = ANY (%(busy)s)
        AND d.expires_at > now() + make_interval(secs => {SECONDS_TO_SEND}) AND EXISTS (SELECT FROM leader)
        AND EXISTS (SELECT FROM signals_killswitch WHERE state <> 'engaged') AND NOT EXISTS (
            SELECT FROM notifications_senderstate WHERE paused_until > now() OR halted_reason <> '')
    ORDER BY d.tier_rank DESC, d.weight DESC, d.due_at, d.id
    LIMIT %(limit)s * 16
), ready AS MATERIALIZED (
    SELECT id, row_number() OVER (
        PARTITION BY subscriber_id ORDER BY tier_rank DESC, weight DESC, due_at, id) AS turn
    FROM next
), locked AS MATERIALIZED (
    SELECT d.id FROM ready JOIN notifications_delivery d USING (id)
    WHERE ready.turn = 1 AND d.state IN ('pending', 'retry')
    ORDER BY d.tier_rank DESC, d.weight DESC, d.due_at, d.id
    LIMIT %(limit)s FOR UPDATE OF d SKIP LOCKED
), {record_of(TOLD)}, judged AS (
    SELECT d.id, t.code AS tier, t.rank AS tier_rank, due.at AS due_at,
        CASE WHEN due.at >= d.expires_at OR d.expires_at <= now() THEN 'expired' END AS expiry,
        CASE WHEN NOT waits.so THEN rule.reason END AS reason, waits.so AS waits,
        picture.id AS picture_id, coalesce(picture.file_id, '') AS file_id,
        original.telegram_message_id AS reply_to,
        extract(epoch FROM clock_timestamp() - g.published_at)::float8 AS age_seconds,
        {FACT_COLUMNS}
    FROM locked JOIN notifications_delivery d USING (id)
        {FACTS_FROM}
        LEFT JOIN notifications_delivery original ON d.kind <> 'signal' AND original.kind = 'signal'
            AND original.signal_id = d.signal_id AND original.subscriber_id = d.subscriber_id
        LEFT JOIN notifications_signalpicture picture
            ON d.kind = 'signal' AND picture.signal_id = d.signal_id AND picture.png IS NOT NULL
        CROSS JOIN LATERAL (SELECT now() AS moment) AS r
        LEFT JOIN LATERAL ({OPEN_SIGNALS}) AS others ON d.kind = 'signal'
        CROSS JOIN LATERAL (SELECT CASE
            WHEN d.kind = 'signal' THEN CASE {STANDING_RULES} END
            WHEN coalesce(original.state, '') NOT IN ('pending', 'sending', 'retry', 'sent') THEN 'signal_not_sent'
            ELSE CASE {FOLLOW_UP_RULES} END END AS reason) AS rule
        CROSS JOIN LATERAL (SELECT d.kind <> 'signal' AND coalesce(rule.reason = 'quiet_hours',
            original.state <> 'sent') AS so) AS waits
        CROSS JOIN LATERAL (SELECT greatest(d.due_at, make_interval(secs => t.delay_seconds)
            + CASE d.kind WHEN 'signal' THEN g.published_at ELSE d.created_at END) AS at) AS due
)
UPDATE notifications_delivery d SET
    state = CASE
        WHEN coalesce(judged.expiry, judged.reason) IS NOT NULL AND d.is_repeat THEN 'unknown'
        WHEN judged.expiry IS NOT NULL THEN 'expired'
        WHEN judged.reason IS NOT NULL THEN 'dead'
        WHEN judged.due_at > now() OR judged.waits THEN 'pending'
        ELSE 'sending' END,
    reason = coalesce(judged.expiry, judged.reason, d.reason),
    tier = judged.tier, tier_rank = judged.tier_rank, due_at = judged.due_at,
    next_attempt_at = greatest(d.next_attempt_at, judged.due_at,
        CASE WHEN judged.waits THEN now() + make_interval(secs => {WAITING_SECONDS}) END),
    attempt_id = gen_random_uuid(), lease_until = now() + make_interval(secs => %(lease_seconds)s)
FROM judged WHERE d.id = judged.id
RETURNING d.id, d.public_id, d.subscriber_id, d.state, d.attempt_id, d.attempts, d.is_repeat, d.is_plain,
    d.kind, d.expires_at, extract(epoch FROM d.expires_at - clock_timestamp())::float8 AS seconds_left,
    judged.picture_id, judged.file_id, judged.reply_to, judged.age_seconds,
    {", ".join(f"judged.{name}" for name in FACT_NAMES)},
    %(fencing_token)s::bigint AS fencing_token
"""  # noqa: S608  (constants only)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours to send until its lease ends."""

    id: int
    subscriber_id: int
    state: str
    attempt_id: UUID
    attempts: int
    fencing_token: int
    expires_at: datetime
    seconds_left: float
    file_id: str
    draft: Draft

    @property
    def public_id(self) -> UUID:
        return self.draft.public_id

    @property
    def chat_id(self) -> int:
        return self.draft.recipient.chat_id

    @property
    def picture_id(self) -> int | None:
        return self.draft.picture_id

    @property
    def attempt(self) -> Attempt:
        return Attempt(self.attempts, self.draft.is_repeat, self.draft.is_plain)

    @property
    def fences(self) -> dict[str, Any]:
        """What a settlement compares: whether the row is still ours."""
        return {"id": self.id, "attempt_id": self.attempt_id, "fencing_token": self.fencing_token}


async def claim(
    connection: AsyncConnection[Any], *, limit: int, busy: list[int], lease: Lease
) -> list[Claimed]:
    """Rows that were ready, at most one a chat, in claim order; those in state `sending` are ours now.

    The others were found to be no longer allowed and are settled: state and reason are written.
    Nothing is found when the lease is not ours any more.
    """
    parameters = {
        "limit": limit,
        "busy": busy,
        "lease_seconds": lease.seconds,
        "fencing_token": lease.token,
        **rule_parameters(),
    }
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(CLAIM, parameters)
        return [_claimed(row) for row in await cursor.fetchall()]


def _claimed(row: Mapping[str, Any]) -> Claimed:
    draft = Draft(
        kind=row["kind"],
        public_id=row["public_id"],
        signal=signal_facts(row),
        recipient=recipient(row),
        outcome=outcome_facts(row),
        age_seconds=row["age_seconds"],
        picture_id=row["picture_id"],
        reply_to=row["reply_to"],
        is_repeat=row["is_repeat"],
        is_plain=row["is_plain"],
    )
    return Claimed(
        id=row["id"],
        subscriber_id=row["subscriber_id"],
        state=row["state"],
        attempt_id=row["attempt_id"],
        attempts=row["attempts"],
        fencing_token=row["fencing_token"],
        expires_at=row["expires_at"],
        seconds_left=row["seconds_left"],
        file_id=row["file_id"],
        draft=draft,
    )
