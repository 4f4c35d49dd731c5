"""Append-only JSON lines that are on disk before anybody is answered."""

import asyncio
import json
import os
import time
from pathlib import Path

Record = dict[str, object]


class Journal:
    """One fsynced file. Appends that arrive during a write share the next fsync (group commit)."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.records = _read(path)
        self._file = path.open("ab")
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def append(self, record: Record) -> None:
        """Return when the record, stamped with wall and monotonic seconds, has reached the disk."""
        await asyncio.shield(self.note(record))

    def note(self, record: Record) -> asyncio.Future[None]:
        """Like `append`, for who need not wait."""
        stamped = {"wall": time.time(), "monotonic": time.monotonic()} | record
        self.records.append(stamped)
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = json.dumps(stamped, ensure_ascii=False).encode() + b"\n"
        self._waiting.append((line, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._drain())
        return written

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer
        self._file.close()

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await asyncio.to_thread(self._write, b"".join(line for line, _ in batch))
            for _, written in batch:
                if not written.done():
                    written.set_result(None)

    def _write(self, lines: bytes) -> None:
        self._file.write(lines)
        self._file.flush()
        os.fsync(self._file.fileno())


def _read(path: Path) -> list[Record]:
    """Complete lines of an earlier run; a last line that a kill cut short is dropped from the file too."""
    if not path.exists():
        return []
    content = path.read_bytes()
    complete = content[: content.rfind(b"\n") + 1]
    if len(complete) < len(content):
        os.truncate(path, len(complete))
    return [json.loads(line) for line in complete.splitlines()]
