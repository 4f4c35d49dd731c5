"""The sender's SQL. All instants are the database's.

A claim wants the lease (`lease.py`) under our token. Every update after it is fenced twice: by `attempt_id`,
and by the token, which no other sender may have overtaken.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from psycopg.rows import class_row, dict_row

from notifications.services.eligibility import FOLLOW_UP_RULES, STANDING_RULES, SUBSCRIBERS, rule_parameters
from notifications.services.sender.lease import Lease
from notifications.services.sender.transition import Attempt, Transition, after_taken_chat

HEARTBEAT = "sender"
HEARTBEAT_SECONDS = 10
WAITING_SECONDS = 60
MOST_EXPIRED = 10_000
RECORD_SIGNALS = 200  # the newest that had ended by publication: no tier may know of a later one yet
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
), record AS MATERIALIZED (
    SELECT g.id AS signal_id, past.*
    FROM (SELECT DISTINCT d.signal_id
            FROM locked JOIN notifications_delivery d USING (id) WHERE d.kind = 'signal') AS told
        JOIN signals_signal g ON g.id = told.signal_id
        CROSS JOIN LATERAL (
            SELECT count(*) AS ended, count(*) FILTER (WHERE r_multiple > 0) AS won,
                coalesce(avg(r_multiple), 0) AS mean_r
            FROM (SELECT r_multiple FROM signals_signaloutcome WHERE recorded_at <= g.published_at
                ORDER BY sequence DESC LIMIT {RECORD_SIGNALS}) AS newest) AS past
), judged AS (
    SELECT d.id, t.code AS tier, t.rank AS tier_rank, due.at AS due_at,
        CASE WHEN due.at >= d.expires_at OR d.expires_at <= now() THEN 'expired' END AS expiry,
        CASE WHEN NOT waits.so THEN rule.reason END AS reason, waits.so AS waits,
        picture.id AS picture_id, coalesce(picture.file_id, '') AS file_id,
        original.telegram_message_id AS reply_to, coalesce(ended.exit_reason, '') AS exit_reason,
        coalesce(ended.entry_price, 0) AS paid_price, coalesce(ended.exit_price, 0) AS exit_price,
        coalesce(ended.return_ratio, 0) AS return_ratio, coalesce(ended.r_multiple, 0) AS r_multiple,
        coalesce(ended.bars_held, 0) AS bars_held, coalesce(ended.is_ambiguous, false) AS is_ambiguous,
        coalesce(raised.stop, 0) AS raised_stop,
        coalesce(record.ended, 0) AS record_ended, coalesce(record.won, 0) AS record_won,
        coalesce(record.mean_r, 0) AS record_mean_r, coalesce(others.long, 0) AS open_longs,
        coalesce(others.short, 0) AS open_shorts,
        extract(epoch FROM clock_timestamp() - g.published_at)::float8 AS age_seconds, t.delay_seconds,
        g.candle_open_time, g.published_at, i.asset_class, i.market_type, i.maker_bps, i.taker_bps, i.slippage_bps,
        s.chat_id, s.language, s.capital, s.capital_currency, s.risk_fraction,
        g.public_id AS signal_id, g.direction, g.timeframe, g.confidence,
        g.entry_price, g.stop_loss, g.take_profit, g.plan, g.evidence, g.probability,
        g.probability_n, g.probability_low, g.probability_high, g.reasons, g.sessions, g.experimental,
        i.symbol, i.base, i.quote, i.tick_size, i.lot_step, i.minimum_amount, i.minimum_notional,
        e.name AS exchange, e.is_simulated
    FROM locked JOIN notifications_delivery d USING (id)
        JOIN signals_signal g ON g.id = d.signal_id
        JOIN market_instrument i ON i.id = g.instrument_id
        JOIN market_exchange e ON e.id = i.exchange_id
        JOIN {SUBSCRIBERS} ON s.id = d.subscriber_id
        LEFT JOIN notifications_delivery original ON d.kind <> 'signal' AND original.kind = 'signal'
            AND original.signal_id = d.signal_id AND original.subscriber_id = d.subscriber_id
        LEFT JOIN notifications_signalpicture picture
            ON d.kind = 'signal' AND picture.signal_id = d.signal_id AND picture.png IS NOT NULL
        LEFT JOIN record ON d.kind = 'signal' AND record.signal_id = d.signal_id
        LEFT JOIN signals_signaloutcome ended ON d.kind = 'outcome' AND ended.signal_id = d.signal_id
        LEFT JOIN LATERAL (SELECT stop FROM signals_stopraise r WHERE r.signal_id = d.signal_id AND r.passes_entry
            ORDER BY r.candle_open_time LIMIT 1) AS raised ON d.kind = 'update'
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
    d.kind, judged.picture_id, judged.file_id,
    judged.reply_to, judged.exit_reason, judged.paid_price, judged.exit_price, judged.return_ratio,
    judged.r_multiple, judged.bars_held, judged.is_ambiguous, judged.raised_stop, judged.record_ended,
    judged.record_won,
    judged.record_mean_r, judged.open_longs, judged.open_shorts, judged.age_seconds, judged.delay_seconds,
    judged.candle_open_time, judged.published_at, judged.asset_class, judged.market_type, judged.maker_bps,
    judged.taker_bps, judged.slippage_bps,
    d.expires_at, extract(epoch FROM d.expires_at - clock_timestamp())::float8 AS seconds_left,
    judged.chat_id, judged.language, judged.capital, judged.capital_currency, judged.risk_fraction, judged.signal_id,
    judged.direction,
    judged.timeframe, judged.confidence, judged.entry_price, judged.stop_loss, judged.take_profit, judged.plan,
    judged.evidence, judged.probability, judged.probability_n, judged.probability_low, judged.probability_high,
    judged.reasons,
    judged.sessions, judged.experimental, judged.symbol, judged.base, judged.quote, judged.exchange,
    judged.is_simulated, judged.tick_size, judged.lot_step, judged.minimum_amount, judged.minimum_notional,
    %(fencing_token)s::bigint AS fencing_token
"""  # noqa: S608  (constants only)

STILL_OURS = """
id = %(id)s AND attempt_id = %(attempt_id)s AND state = 'sending'
    AND EXISTS (SELECT FROM notifications_senderlease WHERE fencing_token = %(fencing_token)s)
"""

FINISH = f"""
UPDATE notifications_delivery SET
    state = %(state)s, reason = %(reason)s, attempts = attempts + %(counts)s::int, lease_until = NULL,
    is_repeat = %(is_repeat)s, is_plain = %(is_plain)s,
    next_attempt_at = clock_timestamp() + make_interval(secs => %(delay_seconds)s)
WHERE {STILL_OURS}
"""  # noqa: S608

# Several at once: one commit for all whose answers came while the one before was written.
SENT = """
UPDATE notifications_delivery d SET
    state = 'sent', reason = '', attempts = attempts + 1, lease_until = NULL,
    sent_at = clock_timestamp(), telegram_message_id = answered.message_id
FROM unnest(%(ids)s::bigint[], %(attempt_ids)s::uuid[], %(fencing_tokens)s::bigint[], %(message_ids)s::bigint[])
    AS answered (id, attempt_id, fencing_token, message_id)
WHERE d.id = answered.id AND d.attempt_id = answered.attempt_id AND d.state = 'sending'
    AND EXISTS (SELECT FROM notifications_senderlease l WHERE l.fencing_token = answered.fencing_token)
RETURNING d.id
"""

KEEP_FILE_ID = (
    "UPDATE notifications_signalpicture SET file_id = %(file_id)s WHERE id = %(id)s AND file_id = ''"
)

# Refused by name: it is uploaded again. Refused as an upload: there is no picture. Whoever sent it under a name
# that is not the row's any more says nothing about it.
DROP_PICTURE = """
UPDATE notifications_signalpicture SET
    file_id = '', png = CASE WHEN file_id <> '' THEN png END,
    error = CASE WHEN file_id <> '' THEN '' ELSE %(error)s END
WHERE id = %(id)s AND file_id = %(file_id)s
"""

PAUSE_BOT = """
UPDATE notifications_senderstate
SET paused_until = greatest(paused_until, clock_timestamp() + make_interval(secs => %(seconds)s))
"""

END_OPEN_ROWS = """
UPDATE notifications_delivery
SET state = CASE WHEN is_repeat THEN 'unknown' ELSE 'dead' END, reason = 'unreachable'
WHERE subscriber_id = %(subscriber_id)s AND state IN ('pending', 'retry')
RETURNING state
"""

# The process that held the lease died, or lost the database for as long: nobody knows whether Telegram got it.
RECOVER = """
UPDATE notifications_delivery SET
    state = CASE WHEN is_repeat THEN 'unknown' ELSE 'retry' END,
    reason = 'The sender died while it was sending.',
    attempts = attempts + 1, attempt_id = NULL, lease_until = NULL, is_repeat = true, next_attempt_at = now()
WHERE state = 'sending' AND lease_until <= now()
RETURNING state
"""

# So many at a time that no row is locked for long. In the order of an index, which leads
# past what has been ended. The planner is told so: in the middle of a backlog its statistics are old, and it would
# collect and sort all that is open, for each step anew.
BY_INDEX = "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
EXPIRE = """
UPDATE notifications_delivery
SET state = CASE WHEN is_repeat THEN 'unknown' ELSE 'expired' END, reason = 'expired'
WHERE id IN (SELECT id FROM notifications_delivery
    WHERE state IN ('pending', 'retry') AND expires_at <= now()
    ORDER BY next_attempt_at LIMIT %(most)s FOR UPDATE SKIP LOCKED)
RETURNING state
"""

# Rows that are due now but were not claimed wait for a chat, a slot or the pace; those wake the loop themselves.
# By `now()` an index finds it; `clock_timestamp()` changes while it runs, so that all entries are read.
NEXT_DUE = """
SELECT extract(epoch FROM least(
    (SELECT min(next_attempt_at) FROM notifications_delivery
     WHERE state IN ('pending', 'retry') AND next_attempt_at > now()),
    (SELECT paused_until FROM notifications_senderstate WHERE paused_until > clock_timestamp())
) - clock_timestamp())::float8 AS seconds
"""

BEAT = """
INSERT INTO signals_heartbeat (name, beat_at, expected_every_seconds, detail)
VALUES (%(name)s, now(), %(every)s, CASE
    WHEN NOT EXISTS (SELECT FROM signals_killswitch WHERE state <> 'engaged') THEN 'kill switch engaged'
    ELSE coalesce((SELECT left('halted: ' || halted_reason, 200)
        FROM notifications_senderstate WHERE halted_reason <> ''), '') END)
ON CONFLICT (name) DO UPDATE SET beat_at = excluded.beat_at,
    expected_every_seconds = excluded.expected_every_seconds, detail = excluded.detail
"""

# A sender that waits for another's lease shows life only where the leader shows none.
STAND_BY = """
INSERT INTO signals_heartbeat AS heartbeat (name, beat_at, expected_every_seconds, detail)
VALUES (%(name)s, now(), %(every)s, 'standing by')
ON CONFLICT (name) DO UPDATE SET beat_at = excluded.beat_at, detail = excluded.detail
WHERE heartbeat.beat_at <= now() - make_interval(secs => %(every)s)
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours to send until its lease ends, with all that its message says."""

    id: int
    public_id: UUID
    subscriber_id: int
    state: str
    attempt_id: UUID
    attempts: int
    is_repeat: bool
    is_plain: bool
    kind: str
    picture_id: int | None
    file_id: str
    reply_to: int | None
    exit_reason: str
    paid_price: float
    exit_price: float
    return_ratio: float
    r_multiple: float
    bars_held: int
    is_ambiguous: bool
    raised_stop: float
    record_ended: int
    record_won: int
    record_mean_r: float
    open_longs: int
    open_shorts: int
    age_seconds: float
    delay_seconds: int
    candle_open_time: datetime
    published_at: datetime
    asset_class: str
    market_type: str
    maker_bps: Decimal | None
    taker_bps: Decimal | None
    slippage_bps: Decimal | None
    expires_at: datetime
    seconds_left: float
    chat_id: int
    language: str
    capital: Decimal
    capital_currency: str
    risk_fraction: Decimal
    signal_id: UUID
    direction: str
    timeframe: str
    confidence: float
    entry_price: float
    stop_loss: float
    take_profit: float | None
    plan: dict[str, Any] | None
    evidence: str
    probability: float | None
    probability_n: int | None
    probability_low: float | None
    probability_high: float | None
    reasons: list[str]
    sessions: list[str]
    experimental: bool
    symbol: str
    base: str
    quote: str
    exchange: str
    is_simulated: bool
    tick_size: Decimal | None
    lot_step: Decimal | None
    minimum_amount: Decimal | None
    minimum_notional: Decimal | None
    fencing_token: int

    @property
    def attempt(self) -> Attempt:
        return Attempt(self.attempts, self.is_repeat, self.is_plain)

    @property
    def fences(self) -> dict[str, Any]:
        """What STILL_OURS compares."""
        return {"id": self.id, "attempt_id": self.attempt_id, "fencing_token": self.fencing_token}


@dataclass(frozen=True, slots=True)
class Sent:
    """What Telegram answered; `file_id` names the picture that was sent, empty where there was none."""

    message_id: int
    file_id: str = ""


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
    async with connection.cursor(row_factory=class_row(Claimed)) as cursor:
        await cursor.execute(CLAIM, parameters)
        return await cursor.fetchall()


async def record_sent(
    connection: AsyncConnection[Any], *, answered: Sequence[tuple[Claimed, Sent]]
) -> set[int]:
    """Rows with Telegram's answers; return the ids of those that were still ours."""
    new_files = {
        row.picture_id: sent.file_id for row, sent in answered if sent.file_id not in ("", row.file_id)
    }
    for picture_id, file_id in new_files.items():
        await connection.execute(KEEP_FILE_ID, {"id": picture_id, "file_id": file_id})
    cursor = await connection.execute(
        SENT,
        {
            "ids": [row.id for row, _ in answered],
            "attempt_ids": [row.attempt_id for row, _ in answered],
            "fencing_tokens": [row.fencing_token for row, _ in answered],
            "message_ids": [sent.message_id for _, sent in answered],
        },
    )
    return {row_id for (row_id,) in await cursor.fetchall()}


async def picture(connection: AsyncConnection[Any], *, picture_id: int) -> str | bytes | None:
    """A picture's name at Telegram, the PNG where it has none, None when it was given up since the claim."""
    cursor = await connection.execute(
        "SELECT file_id, png FROM notifications_signalpicture WHERE id = %s", [picture_id]
    )
    file_id, png = await cursor.fetchone() or ("", None)
    return file_id or png


async def record_failure(
    connection: AsyncConnection[Any], *, row: Claimed, transition: Transition
) -> Counter[str]:
    """Write the transition and all that follows from it, in one transaction.

    Count the states that rows reached by it, this one's and its subscriber's; none when it was not ours any more.
    """
    async with connection.transaction():
        if transition.new_chat_id and not await _move_chat(connection, row, transition.new_chat_id):
            transition = after_taken_chat(transition)
        settled = await _tell_others(connection, row, transition)
        cursor = await connection.execute(
            FINISH,
            row.fences
            | {
                "state": transition.state.value,
                "reason": transition.reason,
                "counts": transition.counts,
                "is_repeat": transition.is_repeat,
                "is_plain": transition.is_plain,
                "delay_seconds": transition.delay_seconds,
            },
        )
    return settled + Counter([transition.state.value]) if cursor.rowcount else Counter()


async def _move_chat(connection: AsyncConnection[Any], row: Claimed, new_chat_id: int) -> bool:
    """Whether the subscriber could have the chat; False when somebody else is linked to it."""
    try:
        async with connection.transaction():
            await connection.execute(
                "UPDATE users_subscriber SET chat_id = %s WHERE id = %s AND chat_id = %s",
                [new_chat_id, row.subscriber_id, row.chat_id],
            )
    except UniqueViolation:
        return False
    return True


async def _tell_others(
    connection: AsyncConnection[Any], row: Claimed, transition: Transition
) -> Counter[str]:
    """Count the states that the subscriber's other rows reached."""
    if transition.pause_bot_seconds:
        await pause_bot(connection, seconds=transition.pause_bot_seconds)
    if transition.bad_picture:
        dropped = {"id": row.picture_id, "file_id": row.file_id, "error": transition.reason}
        await connection.execute(DROP_PICTURE, dropped)
    if transition.halt:
        await connection.execute(
            "UPDATE notifications_senderstate SET halted_reason = %s", [transition.reason]
        )
    if transition.chat_gone:
        marked = await connection.execute(
            "UPDATE users_subscriber SET unreachable_reason = %s WHERE id = %s AND chat_id = %s",
            [transition.reason[:200], row.subscriber_id, row.chat_id],
        )
        if marked.rowcount:  # else the subscriber has another chat by now, and may hear the rest there
            ended = await connection.execute(END_OPEN_ROWS, {"subscriber_id": row.subscriber_id})
            return Counter(state for (state,) in await ended.fetchall())
    return Counter()


async def is_paused(connection: AsyncConnection[Any]) -> bool:
    """Whether Telegram asked the whole bot to wait."""
    paused = "SELECT FROM notifications_senderstate WHERE paused_until > clock_timestamp()"
    return (await connection.execute(paused)).rowcount == 1


async def is_halted(connection: AsyncConnection[Any]) -> bool:
    """Whether Telegram refused the token."""
    halted = "SELECT FROM notifications_senderstate WHERE halted_reason <> ''"
    return (await connection.execute(halted)).rowcount == 1


async def pause_bot(connection: AsyncConnection[Any], *, seconds: float) -> None:
    await connection.execute(PAUSE_BOT, {"seconds": seconds})


async def settle_overdue(connection: AsyncConnection[Any]) -> Counter[str]:
    """Settle rows whose lease ran out and rows that expired, MOST_EXPIRED at a time; count the states reached."""
    recovered = await (await connection.execute(RECOVER)).fetchall()
    async with connection.transaction():
        await connection.execute(BY_INDEX)
        expired = await (await connection.execute(EXPIRE, {"most": MOST_EXPIRED})).fetchall()
    return Counter(state for (state,) in recovered + expired)


async def seconds_until_due(connection: AsyncConnection[Any]) -> float | None:
    """Until a row becomes due or Telegram's pause ends; None when nothing is waiting."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(NEXT_DUE)
        row = await cursor.fetchone()
    return row["seconds"] if row else None


async def beat(connection: AsyncConnection[Any]) -> None:
    await connection.execute(BEAT, {"name": HEARTBEAT, "every": HEARTBEAT_SECONDS})


async def stand_by(connection: AsyncConnection[Any]) -> None:
    await connection.execute(STAND_BY, {"name": HEARTBEAT, "every": HEARTBEAT_SECONDS})
