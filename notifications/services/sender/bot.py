"""The bot as a whole: paused, halted, and the sender's signs of life."""

from typing import Any

from psycopg import AsyncConnection

HEARTBEAT = "sender"
HEARTBEAT_SECONDS = 10

PAUSE_BOT = """
UPDATE notifications_senderstate
SET paused_until = greatest(paused_until, clock_timestamp() + make_interval(secs => %(seconds)s))
"""

BEAT = """
INSERT INTO signals_heartbeat (name, beat_at, expected_every_seconds, detail)
VALUES (%(name)s, now(), %(every)s, CASE
    WHEN NOT EXISTS (SELECT FROM signals_killswitch WHERE state <> 'engaged') THEN 'sending stopped'
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


async def beat(connection: AsyncConnection[Any]) -> None:
    await connection.execute(BEAT, {"name": HEARTBEAT, "every": HEARTBEAT_SECONDS})


async def stand_by(connection: AsyncConnection[Any]) -> None:
    await connection.execute(STAND_BY, {"name": HEARTBEAT, "every": HEARTBEAT_SECONDS})
