"""The kill switch as the sender read it last. What cannot be read for a second counts as engaged."""

import asyncio
from typing import Any

import structlog
from psycopg import AsyncConnection, OperationalError, sql

from notifications.services.sender.lease import suspend_aware_clock
from signals.models import KILL_SWITCH_CHANNEL

logger = structlog.get_logger(__name__)

REFRESH_SECONDS = 0.3
FRESH_SECONDS = (
    0.9  # no send starts a second after the engagement; the rest is for the way from here to the wire
)
READ_SECONDS = 5.0  # a database that does not even refuse: connect anew


class SwitchReader:
    """Reads the row several times a second, and at once when it changes, on a connection of its own."""

    def __init__(self, conninfo: str, wake: asyncio.Event) -> None:
        self._conninfo = conninfo
        self._wake = wake
        self._armed_at = float("-inf")

    def lets_send(self) -> bool:
        """Whether the switch was armed less than a second ago."""
        return suspend_aware_clock() - self._armed_at < FRESH_SECONDS

    async def follow(self) -> None:
        """Read on, whatever becomes of the database; never returns."""
        while True:
            try:
                async with asyncio.timeout(READ_SECONDS):
                    connection = await AsyncConnection.connect(self._conninfo, autocommit=True)
                async with connection:
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(KILL_SWITCH_CHANNEL)))
                    await self._read_on(connection)
            except (OperationalError, TimeoutError) as error:
                logger.warning("kill switch cannot be read", error=str(error).strip() or "no answer")
                await asyncio.sleep(REFRESH_SECONDS)

    async def _read_on(self, connection: AsyncConnection[Any]) -> None:
        was_armed: bool | None = None
        while True:
            asked_at = suspend_aware_clock()
            async with asyncio.timeout(READ_SECONDS):
                cursor = await connection.execute("SELECT FROM signals_killswitch WHERE state <> 'engaged'")
            armed = cursor.rowcount == 1
            could_send = self.lets_send()
            self._armed_at = asked_at if armed else float("-inf")
            if armed and not could_send:
                self._wake.set()
            if not armed and was_armed is not False:
                logger.error("sending stopped: nothing goes out")
            elif armed and was_armed is False:
                logger.warning("sending on again")
            was_armed = armed
            async for _ in connection.notifies(timeout=REFRESH_SECONDS, stop_after=1):
                pass
