"""Claimed rows on their way: send each, settle what came of it."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

import structlog
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool

from notifications import telemetry
from notifications.clients.aiohttp_request import may_begin
from notifications.clients.telegram import TelegramClient
from notifications.clients.telegram_call import TelegramError
from notifications.models import DeliveryState
from notifications.services.sender import settling
from notifications.services.sender.acknowledgements import Acknowledgements
from notifications.services.sender.claiming import Claimed
from notifications.services.sender.lease import Lease, suspend_aware_clock
from notifications.services.sender.outage import Outage
from notifications.services.sender.pace import Pace
from notifications.services.sender.settling import Sent
from notifications.services.sender.switch import SwitchReader
from notifications.services.sender.transition import Transition, after_failure, after_own_mistake
from notifications.services.sender.transmission import Outgoing, prepare, transmit
from signals.crash_points import CrashPoint, reach

logger = structlog.get_logger(__name__)

CLAIMED_TOGETHER = 8  # of so many places, one must be free before the next claim
RECONNECT_SECONDS = 1.0


class InFlight:
    """The calls under way, at most `most`; `wake` is set when there is something new to look at."""

    def __init__(
        self,
        client: TelegramClient,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        pace: Pace,
        lease: Lease,
        switch: SwitchReader,
        wake: asyncio.Event,
        *,
        most: int,
    ) -> None:
        self._client = client
        self._pool = pool
        self._pace = pace
        self._lease = lease
        self._switch = switch
        self._wake = wake
        self._most = most
        self._outage = Outage()
        self._rng = random.Random()  # noqa: S311  (jitter)
        self._tasks: set[asyncio.Task[None]] = set()
        self._uploads: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()  # by picture
        self._acknowledgements = Acknowledgements(pool)

    def __bool__(self) -> bool:
        return bool(self._tasks)

    async def wait(self, seconds: float | None = None) -> None:
        """Until all are over, or so long."""
        await asyncio.wait(self._tasks, timeout=seconds)

    def free_places(self) -> int:
        return self._most - len(self._tasks)

    def has_room(self) -> bool:
        """Whether a claim is worth its statement: the many free places of a fast sender are filled together."""
        return self.free_places() >= max(1, self._most // CLAIMED_TOGETHER)

    def start(self, row: Claimed, claimed_at: float) -> None:
        self._pace.claimed(row.subscriber_id)
        task = asyncio.create_task(self.send(row, claimed_at), name=f"delivery {row.public_id}")
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._finished(done, row))

    def _finished(self, task: asyncio.Task[None], row: Claimed) -> None:
        self._tasks.discard(task)
        self._pace.finished(row.subscriber_id, now())
        if self.has_room():
            self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            # The row stays `sending`: when the lease ends it is repeated, marked, like after any crash.
            logger.error("delivery broke off", delivery=str(row.public_id), exc_info=error)

    async def send(self, row: Claimed, claimed_at: float) -> None:
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
        silent = self._pace.is_silent(now())
        if silent or expired or not (self._switch.lets_send() and self._lease.covers(claimed_at)):
            return False
        self._pace.called(row.subscriber_id, now())
        if not self._pace.allowance(now()):
            self._wake.set()  # the loop waited for a place, and now knows when there is one
        return True

    async def _settle_failure(self, row: Claimed, transition: Transition) -> None:
        # At once, for what is claimed already; the row is for whoever leads next.
        self._pace.silence(now() + transition.pause_bot_seconds)
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
            return await settling.record_failure(connection, row=row, transition=transition)

    async def _settle(
        self, row: Claimed, state: DeliveryState, write: Callable[[], Awaitable[Counter[str]]]
    ) -> None:
        """Write the outcome; when the database is away, keep trying as long as the lease is ours."""
        reach(CrashPoint.BEFORE_SETTLE)
        deadline = now() + self._lease.seconds
        while True:
            try:
                settled = await write()
                break
            except OperationalError:
                if now() >= deadline:
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


def now() -> float:
    return asyncio.get_running_loop().time()


def count(settled: Counter[str]) -> None:
    for state, number in settled.items():
        telemetry.deliveries.labels(state=state).inc(number)
