"""Rows whose lease ran out, rows that expired, and when the next one is due."""

from collections import Counter
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

MOST_EXPIRED = 10_000

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
