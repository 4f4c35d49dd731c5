"""Telegram's answers on their way into the rows: those that arrive during a write share the next commit."""

import asyncio
from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection, Error, OperationalError
from psycopg_pool import AsyncConnectionPool

from notifications.services.sender import settling
from notifications.services.sender.claiming import Claimed
from notifications.services.sender.settling import Sent

Waiting = tuple[Claimed, Sent, asyncio.Future[bool]]


class Acknowledgements:
    """Writes at once when nothing is being written, so that a lone message waits for nobody."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._waiting: list[Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def record(self, row: Claimed, sent: Sent) -> bool:
        """Whether the row was still ours, once that is committed. Raises psycopg's errors."""
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, sent, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._drain())
        return await written

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._write(batch)
            except OperationalError as error:
                refuse(batch, error)
            except Error:
                # A row that the database refuses must not take the others with it.
                for one in batch:
                    await self._write_alone(one)

    async def _write_alone(self, one: Waiting) -> None:
        try:
            await self._write([one])
        except Error as error:
            refuse([one], error)

    async def _write(self, batch: Sequence[Waiting]) -> None:
        async with self._pool.connection() as connection:
            ours = await settling.record_sent(connection, answered=[(row, sent) for row, sent, _ in batch])
        for row, _, written in batch:
            if not written.done():
                written.set_result(row.id in ours)


def refuse(batch: Sequence[Waiting], error: Error) -> None:
    for _, _, written in batch:
        if not written.done():
            written.set_exception(error)
