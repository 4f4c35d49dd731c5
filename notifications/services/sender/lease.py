"""Who may send: one row with a fencing token, held for a while and renewed. A second sender waits for its end."""

import os
import socket
import time
from typing import Any

from psycopg import AsyncConnection

RENEWALS = 3  # within one lease: two may fail before it lapses
MARGIN = 1 / 6  # of the lease: what a call may need from our last look at the clock until Telegram has it

# Whoever held it last goes on under the same token while nobody else took it; otherwise it must have lapsed.
TAKE = """
INSERT INTO notifications_senderlease AS lease (id, holder, fencing_token, lapses_at)
VALUES (1, %(holder)s, 1, clock_timestamp() + make_interval(secs => %(seconds)s))
ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, lapses_at = excluded.lapses_at,
    fencing_token = lease.fencing_token + CASE WHEN lease.fencing_token = %(token)s THEN 0 ELSE 1 END
WHERE lease.fencing_token = %(token)s OR lease.lapses_at <= clock_timestamp()
RETURNING fencing_token
"""

GIVE_UP = """
UPDATE notifications_senderlease SET lapses_at = clock_timestamp()
WHERE fencing_token = %(token)s AND lapses_at > clock_timestamp()
"""


class LeaseLostError(Exception):
    """Another sender took over; whatever we claimed is refused from now on."""


class Lease:
    """Our side of the row. Its end is kept by our own clock, which also runs while the machine sleeps."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.token = 0
        self._holder = f"{socket.gethostname()}, process {os.getpid()}"
        self._taken_at = -seconds

    @property
    def renewal_seconds(self) -> float:
        return self.seconds / RENEWALS

    def covers(self, claimed_at: float) -> bool:
        """Whether a call that starts now for a row of that age reaches Telegram before anybody else may send it."""
        oldest = suspend_aware_clock() - self.seconds * (1 - MARGIN)
        return min(self._taken_at, claimed_at) > oldest

    def wants_renewal(self) -> bool:
        return suspend_aware_clock() - self._taken_at >= self.renewal_seconds

    async def take(self, connection: AsyncConnection[Any]) -> bool:
        """Lead, or go on leading; False while another sender does."""
        asked_at = suspend_aware_clock()
        cursor = await connection.execute(
            TAKE, {"holder": self._holder, "seconds": self.seconds, "token": self.token}
        )
        row = await cursor.fetchone()
        if row is None:
            return False
        (self.token,) = row
        self._taken_at = asked_at
        return True

    async def renew(self, connection: AsyncConnection[Any]) -> None:
        """Raises LeaseLostError when another sender has led since, even if it is gone again."""
        before = self.token
        if not await self.take(connection) or self.token != before:
            self._taken_at = -self.seconds
            raise LeaseLostError

    async def give_up(self, connection: AsyncConnection[Any]) -> None:
        """Let the next sender begin at once; only when nothing of ours is in flight any more."""
        self._taken_at = -self.seconds
        await connection.execute(GIVE_UP, {"token": self.token})


def suspend_aware_clock() -> float:
    """Seconds of a clock that nobody sets and that, unlike `time.monotonic`, counts a suspended machine's sleep."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
