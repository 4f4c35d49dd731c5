"""The loop: lead, claim, send, settle. Nothing here is remembered that a crash may not forget."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from weakref import WeakValueDictionary

import structlog
from psycopg import AsyncConnection, OperationalError, sql
from psycopg_pool import AsyncConnectionPool

from notifications import telemetry
from notifications.clients.aiohttp_request import CONNECTIONS, may_begin
from notifications.clients.telegram import TelegramClient
from notifications.clients.telegram_call import Failure, TelegramError
from notifications.models import DeliveryState
from notifications.services.fan_out import WAKE_CHANNEL
from notifications.services.sender import rows
from notifications.services.sender.acknowledgements import Acknowledgements
from notifications.services.sender.lease import Lease, LeaseLostError, suspend_aware_clock
from notifications.services.sender.outage import Outage
from notifications.services.sender.pace import Pace
from notifications.services.sender.rows import Claimed, Sent
from notifications.services.sender.switch import SwitchReader
from notifications.services.sender.transition import Transition, after_failure, after_own_mistake
from notifications.services.sender.transmission import Outgoing, prepare, transmit
from signals.crash_points import CrashPoint, reach
from signals.services import alarms

logger = structlog.get_logger(__name__)

FEWEST_IN_FLIGHT = 8
ANSWER_SECONDS = 0.1  # how long Telegram usually takes
CLAIMED_TOGETHER = 8  # of so many places, one must be free before the next claim
LONGEST_WAIT_SECONDS = 5.0
STANDBY_POLL_SECONDS = 1.0
RECONNECT_SECONDS = 1.0


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
        self._outage = Outage()
        self._lease = Lease(options.lease_seconds)
        self._rng = random.Random()  # noqa: S311  (jitter)
        self._wake = asyncio.Event()
        self._switch = SwitchReader(options.conninfo, self._wake)
        self._stopping = False
        self._started_at = datetime.now(UTC)
        self._in_flight: set[asyncio.Task[None]] = set()
        self._uploads: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()  # by picture
        self._pool = AsyncConnectionPool(
            options.conninfo, min_size=1, max_size=4, open=False, timeout=5.0, reconnect_timeout=2.0
        )
        self._acknowledgements = Acknowledgements(self._pool)

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
                await asyncio.wait(self._in_flight)

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
            await rows.stand_by(leader)  # before Telegram, which may take its time to answer
            async with beside(self._settle_overdue(beside_sending)) as settling:
                await self._check_token(leader)
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
            if self._now() - beaten_at >= LONGEST_WAIT_SECONDS:
                await self._tick(leader)
                beaten_at = self._now()
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
                    self._pace.follow_another(self._now())
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
            await rows.stand_by(leader)
            await asyncio.sleep(STANDBY_POLL_SECONDS)

    async def _keep_lease(self, leader: AsyncConnection[Any]) -> None:
        if self._lease.wants_renewal():
            await self._lease.renew(leader)

    async def _leave(self, leader: AsyncConnection[Any]) -> None:
        """Let the calls in flight end under our lease, then give it up."""
        while self._in_flight:
            await self._keep_lease(leader)
            await asyncio.wait(self._in_flight, timeout=self._lease.renewal_seconds)
        await self._lease.give_up(leader)

    async def _listen(self, connection: AsyncConnection[Any]) -> None:
        """Wake the loop at every NOTIFY of a fan-out."""
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(WAKE_CHANNEL)))
        async for _ in connection.notifies():
            self._wake.set()

    async def _check_token(self, leader: AsyncConnection[Any]) -> None:
        """A halt for a bad token ends when, at a start, Telegram knows the token again.

        Whoever is halted has nothing else to do than to ask until there is an answer; a pause is kept.
        """
        while not self._stopping:
            if not await rows.is_paused(leader) and await self._asked_for_name(leader):
                return
            if not await rows.is_halted(leader):
                return
            await rows.stand_by(leader)
            await asyncio.sleep(STANDBY_POLL_SECONDS)

    async def _asked_for_name(self, leader: AsyncConnection[Any]) -> bool:
        """Whether Telegram said if the token is good."""
        try:
            name = await self._client.username()
        except TelegramError as error:
            if error.retry_after_seconds:
                await rows.pause_bot(leader, seconds=error.retry_after_seconds)
            if error.failure is Failure.BAD_TOKEN:
                logger.error(  # noqa: TRY400  (a traceback tells the operator nothing)
                    "Telegram refuses the bot token: set TELEGRAM_BOT_TOKEN and restart the sender"
                )
            return error.failure is Failure.BAD_TOKEN
        cursor = await leader.execute(
            "UPDATE notifications_senderstate SET halted_reason = '' WHERE halted_reason <> ''"
        )
        if cursor.rowcount:
            logger.warning("Telegram knows the token again, sending goes on", bot=name)
        return True

    async def _settle_overdue(self, beside_sending: AsyncConnection[Any]) -> None:
        """On a connection of its own: however many rows are overdue, messages go on being sent; and before there is a
        lease, for what is overdue is so whoever leads.

        After each step of a backlog publications have as long for themselves: it is only our books that wait.
        """
        while True:
            began_at = self._now()
            settled = await rows.settle_overdue(beside_sending)
            count(settled)
            if settled:
                self._wake.set()  # what was recovered is due now
            is_backlog = settled.total() >= rows.MOST_EXPIRED
            await asyncio.sleep(self._now() - began_at if is_backlog else LONGEST_WAIT_SECONDS)

    async def _tick(self, leader: AsyncConnection[Any]) -> None:
        await rows.beat(leader)
        cursor = await leader.execute(alarms.LOOK, alarms.parameters(watching_since=self._started_at))
        alarms.tell(await cursor.fetchall())

    async def _start_ready(self, leader: AsyncConnection[Any]) -> int:
        """Claim what may be sent now and start sending it; return how many rows were settled or started."""
        if not (self._switch.lets_send() and self._has_room()):
            return 0
        limit = min(self._free_places(), self._pace.allowance(self._now()))
        if limit <= 0:
            return 0
        busy, asked_at = self._pace.busy(self._now()), suspend_aware_clock()
        reach(CrashPoint.BEFORE_CLAIM)
        claimed = await rows.claim(leader, limit=limit, busy=busy, lease=self._lease)
        if claimed:
            reach(CrashPoint.AFTER_CLAIM)
        for row in claimed:
            if row.state == "sending":
                self._start(row, asked_at)
            elif row.state != "pending":
                telemetry.deliveries.labels(state=row.state).inc()
        return len(claimed)

    def _free_places(self) -> int:
        return self._options.in_flight - len(self._in_flight)

    def _has_room(self) -> bool:
        """Whether a claim is worth its statement: the many free places of a fast sender are filled together."""
        return self._free_places() >= max(1, self._options.in_flight // CLAIMED_TOGETHER)

    def _start(self, row: Claimed, claimed_at: float) -> None:
        self._pace.claimed(row.subscriber_id)
        task = asyncio.create_task(self._send(row, claimed_at), name=f"delivery {row.public_id}")
        self._in_flight.add(task)
        task.add_done_callback(lambda done: self._finished(done, row))

    def _finished(self, task: asyncio.Task[None], row: Claimed) -> None:
        self._in_flight.discard(task)
        self._pace.finished(row.subscriber_id, self._now())
        if self._has_room():
            self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            # The row stays `sending`: when the lease ends it is repeated, marked, like after any crash.
            logger.error("delivery broke off", delivery=str(row.public_id), exc_info=error)

    async def _send(self, row: Claimed, claimed_at: float) -> None:
        """Of those whose picture Telegram does not know yet one uploads it; the others wait for its name."""
        if row.picture_id is None or row.file_id:
            await self._deliver(row, await self._prepared(row), claimed_at)
            return
        async with self._uploads.setdefault(row.picture_id, asyncio.Lock()):
            outgoing = await self._prepared(row)
            if isinstance(outgoing, Outgoing) and isinstance(outgoing.picture, bytes):
                await self._deliver(row, outgoing, claimed_at)
                return
        await self._deliver(row, outgoing, claimed_at)

    async def _deliver(self, row: Claimed, outgoing: Outgoing | Transition, claimed_at: float) -> None:
        if isinstance(outgoing, Transition):
            await self._settle_failure(row, outgoing)
            return
        may_begin.set(lambda: self._begins(row, claimed_at))
        reach(CrashPoint.BEFORE_SEND)
        try:
            sent = await transmit(self._client, outgoing)
        except TelegramError as error:
            await self._settle_failure(row, self._after_failure(row, error))
        else:
            self._outage.answered()
            reach(CrashPoint.AFTER_SEND)
            await self._settle(row, DeliveryState.SENT, lambda: self._acknowledged(row, sent))

    def _after_failure(self, row: Claimed, error: TelegramError) -> Transition:
        transition = after_failure(error, row.attempt, self._rng)
        pause = self._outage.pause_seconds(error.failure)
        if pause > transition.pause_bot_seconds:
            logger.warning("Telegram is out of order, the bot waits", seconds=pause)
        return replace(transition, pause_bot_seconds=max(pause, transition.pause_bot_seconds))

    async def _prepared(self, row: Claimed) -> Outgoing | Transition:
        """What is to be sent, or what becomes of a row that we cannot make a message of."""
        preparing = asyncio.create_task(prepare(self._pool, row))
        await asyncio.wait([preparing])
        if error := preparing.exception():
            logger.error("no message could be made", delivery=str(row.public_id), exc_info=error)
            return after_own_mistake(error, row.attempt, self._rng)
        return preparing.result()

    def _begins(self, row: Claimed, claimed_at: float) -> bool:
        """Whether the call may begin, asked when its connection is there; from here on it counts as begun."""
        expired = suspend_aware_clock() - claimed_at >= row.seconds_left
        silent = self._pace.is_silent(self._now())
        if silent or expired or not (self._switch.lets_send() and self._lease.covers(claimed_at)):
            return False
        self._pace.called(row.subscriber_id, self._now())
        if not self._pace.allowance(self._now()):
            self._wake.set()  # the loop waited for a place, and now knows when there is one
        return True

    async def _settle_failure(self, row: Claimed, transition: Transition) -> None:
        # At once, for what is claimed already; the row is for whoever leads next.
        self._pace.silence(self._now() + transition.pause_bot_seconds)
        log = logger.error if transition.alarm else logger.info
        log(
            "not delivered",
            delivery=str(row.public_id),
            state=transition.state.value,
            why=transition.reason,
        )
        await self._settle(
            row,
            transition.state,
            lambda: self._failed(row, transition),
        )

    async def _acknowledged(self, row: Claimed, sent: Sent) -> Counter[str]:
        ours = await self._acknowledgements.record(row, sent)
        return Counter([DeliveryState.SENT.value]) if ours else Counter()

    async def _failed(self, row: Claimed, transition: Transition) -> Counter[str]:
        async with self._pool.connection() as connection:
            return await rows.record_failure(connection, row=row, transition=transition)

    async def _settle(
        self, row: Claimed, state: DeliveryState, write: Callable[[], Awaitable[Counter[str]]]
    ) -> None:
        """Write the outcome; when the database is away, keep trying as long as the lease is ours."""
        reach(CrashPoint.BEFORE_SETTLE)
        deadline = self._now() + self._options.lease_seconds
        while True:
            try:
                settled = await write()
                break
            except OperationalError:
                if self._now() >= deadline:
                    raise
                await asyncio.sleep(RECONNECT_SECONDS)
        reach(CrashPoint.AFTER_SETTLE)
        count(settled)
        if not settled:
            logger.error(
                "lost the lease before the outcome was written",
                delivery=str(row.public_id),
                outcome=state.value,
            )

    async def _wait(self, leader: AsyncConnection[Any]) -> None:
        """Until something may have changed: a NOTIFY, a finished call, a due row, the pace, the lease's age."""
        instants: list[float | None] = []
        if self._switch.lets_send() and self._has_room():  # else the reader or an answer wakes us
            instants = [self._pace.seconds_until_change(self._now()), await rows.seconds_until_due(leader)]
        longest = min(LONGEST_WAIT_SECONDS, self._lease.renewal_seconds)
        seconds = min([longest, *(instant for instant in instants if instant is not None)])
        try:
            async with asyncio.timeout(max(seconds, 0.001)):
                await self._wake.wait()
        except TimeoutError:
            return

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def count(settled: Counter[str]) -> None:
    for state, number in settled.items():
        telemetry.deliveries.labels(state=state).inc(number)


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """`work` as a task that ends with the block; what it raised is the caller's to look at."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
