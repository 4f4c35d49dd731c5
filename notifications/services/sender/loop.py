"""The loop: lead, claim, send, settle. Nothing here is remembered that a crash may not forget."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from psycopg import AsyncConnection, OperationalError, sql
from psycopg_pool import AsyncConnectionPool

from notifications import telemetry
from notifications.clients.aiohttp_request import CONNECTIONS
from notifications.clients.telegram import TelegramClient
from notifications.services.fan_out import WAKE_CHANNEL
from notifications.services.sender import bot, overdue
from notifications.services.sender.claiming import claim
from notifications.services.sender.in_flight import RECONNECT_SECONDS, InFlight, count, now
from notifications.services.sender.lease import Lease, LeaseLostError, suspend_aware_clock
from notifications.services.sender.pace import Pace
from notifications.services.sender.switch import SwitchReader
from notifications.services.sender.token import STANDBY_POLL_SECONDS, check_token
from signals.crash_points import CrashPoint, reach
from signals.services import alarms

logger = structlog.get_logger(__name__)

FEWEST_IN_FLIGHT = 8
ANSWER_SECONDS = 0.1  # how long Telegram usually takes
LONGEST_WAIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class SenderOptions:
    """Where the rows are, and how long leadership and a claimed row are ours: longer than the longest call."""

    conninfo: str
    lease_seconds: float = 30.0
    in_flight: int = FEWEST_IN_FLIGHT


def in_flight_at(per_second: int) -> int:
    """Calls that must be under way to reach that pace (Little's law), no more than there are connections."""
    return min(max(FEWEST_IN_FLIGHT, round(per_second * ANSWER_SECONDS)), CONNECTIONS)


class Sender:
    """One process's sender. `run` returns when `stop` was called and nothing is in flight any more."""

    def __init__(self, client: TelegramClient, options: SenderOptions, pace: Pace) -> None:
        self._client = client
        self._options = options
        self._pace = pace
        self._lease = Lease(options.lease_seconds)
        self._wake = asyncio.Event()
        self._switch = SwitchReader(options.conninfo, self._wake)
        self._stopping = False
        self._started_at = datetime.now(UTC)
        self._pool = AsyncConnectionPool(
            options.conninfo, min_size=1, max_size=4, open=False, timeout=5.0, reconnect_timeout=2.0
        )
        self._in_flight = InFlight(
            client, self._pool, pace, self._lease, self._switch, self._wake, most=options.in_flight
        )

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        async with self._pool, beside(self._switch.follow()) as reader:
            while not self._stopping:
                try:
                    await self._lead(reader)
                except LeaseLostError:
                    logger.warning("another sender took the lease: this one was out of touch for too long")
                except OperationalError as error:
                    logger.warning("database lost, will connect again", error=str(error).strip())
                    await asyncio.sleep(RECONNECT_SECONDS)
            if self._in_flight:
                await self._in_flight.wait()

    async def _lead(self, reader: asyncio.Task[None]) -> None:
        """Hold the lease and send, until a stop. Raises LeaseLostError."""
        async with (
            await self._connect() as leader,
            await self._connect() as listening,
            await self._connect() as beside_sending,
            beside(self._listen(listening)) as listener,
        ):
            await leader.execute(
                "INSERT INTO notifications_senderstate (id, halted_reason) VALUES (1, '') ON CONFLICT DO NOTHING"
            )
            await bot.stand_by(leader)  # before Telegram, which may take its time to answer
            async with beside(self._settle_overdue(beside_sending)) as settling:
                await check_token(self._client, leader, lambda: self._stopping)
                await self._take_lease(leader)
                await self._send_on(leader, (listener, reader, settling))
            await self._leave(leader)

    async def _send_on(self, leader: AsyncConnection[Any], beside_it: Sequence[asyncio.Task[None]]) -> None:
        beaten_at = -LONGEST_WAIT_SECONDS
        while not self._stopping:
            for task in beside_it:
                if task.done():
                    task.result()
            self._wake.clear()
            await self._keep_lease(leader)
            if now() - beaten_at >= LONGEST_WAIT_SECONDS:
                await self._tick(leader)
                beaten_at = now()
            if not await self._start_ready(leader):
                await self._wait(leader)

    async def _connect(self) -> AsyncConnection[Any]:
        return await AsyncConnection.connect(self._options.conninfo, autocommit=True)

    async def _take_lease(self, leader: AsyncConnection[Any]) -> None:
        """Return as the one leader, or when a stop was asked for."""
        said = False
        while not self._stopping:
            if await self._lease.take(leader):
                if self._lease.token > 1:
                    self._pace.follow_another(now())
                logger.info(
                    "sending",
                    fencing_token=self._lease.token,
                    in_flight=self._options.in_flight,
                    per_second=self._pace.per_second,
                )
                return
            if not said:
                logger.warning("another sender leads; this one waits until it ends or its lease lapses")
                said = True
            await bot.stand_by(leader)
            await asyncio.sleep(STANDBY_POLL_SECONDS)

    async def _keep_lease(self, leader: AsyncConnection[Any]) -> None:
        if self._lease.wants_renewal():
            await self._lease.renew(leader)

    async def _leave(self, leader: AsyncConnection[Any]) -> None:
        """Let the calls in flight end under our lease, then give it up."""
        while self._in_flight:
            await self._keep_lease(leader)
            await self._in_flight.wait(self._lease.renewal_seconds)
        await self._lease.give_up(leader)

    async def _listen(self, connection: AsyncConnection[Any]) -> None:
        """Wake the loop at every NOTIFY of a fan-out."""
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(WAKE_CHANNEL)))
        async for _ in connection.notifies():
            self._wake.set()

    async def _settle_overdue(self, beside_sending: AsyncConnection[Any]) -> None:
        """On a connection of its own: however many rows are overdue, messages go on being sent; and before there is a
        lease, for what is overdue is so whoever leads.

        After each step of a backlog publications have as long for themselves: it is only our books that wait.
        """
        while True:
            began_at = now()
            settled = await overdue.settle_overdue(beside_sending)
            count(settled)
            if settled:
                self._wake.set()  # what was recovered is due now
            is_backlog = settled.total() >= overdue.MOST_EXPIRED
            await asyncio.sleep(now() - began_at if is_backlog else LONGEST_WAIT_SECONDS)

    async def _tick(self, leader: AsyncConnection[Any]) -> None:
        await bot.beat(leader)
        cursor = await leader.execute(alarms.LOOK, alarms.parameters(watching_since=self._started_at))
        alarms.tell(await cursor.fetchall())

    async def _start_ready(self, leader: AsyncConnection[Any]) -> int:
        """Claim what may be sent now and start sending it; return how many rows were settled or started."""
        if not (self._switch.lets_send() and self._in_flight.has_room()):
            return 0
        limit = min(self._in_flight.free_places(), self._pace.allowance(now()))
        if limit <= 0:
            return 0
        busy, asked_at = self._pace.busy(now()), suspend_aware_clock()
        reach(CrashPoint.BEFORE_CLAIM)
        claimed = await claim(leader, limit=limit, busy=busy, lease=self._lease)
        if claimed:
            reach(CrashPoint.AFTER_CLAIM)
        for row in claimed:
            if row.state == "sending":
                self._in_flight.start(row, asked_at)
            elif row.state != "pending":
                telemetry.deliveries.labels(state=row.state).inc()
        return len(claimed)

    async def _wait(self, leader: AsyncConnection[Any]) -> None:
        """Until something may have changed: a NOTIFY, a finished call, a due row, the pace, the lease's age."""
        instants: list[float | None] = []
        if self._switch.lets_send() and self._in_flight.has_room():  # else the reader or an answer wakes us
            instants = [self._pace.seconds_until_change(now()), await overdue.seconds_until_due(leader)]
        longest = min(LONGEST_WAIT_SECONDS, self._lease.renewal_seconds)
        seconds = min([longest, *(instant for instant in instants if instant is not None)])
        try:
            async with asyncio.timeout(max(seconds, 0.001)):
                await self._wake.wait()
        except TimeoutError:
            return


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """`work` as a task that ends with the block; what it raised is the caller's to look at."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
