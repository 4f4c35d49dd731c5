"""Updates on their way to the bot: kept on disk, posted in order per chat, or fetched."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from copilot_project.sandbox.config import LOOPBACK_HOSTS
from copilot_project.sandbox.telegram.errors import TelegramError, bad_request

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the header's name
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 60.0
ANSWER_TIMEOUT = aiohttp.ClientTimeout(total=60)
CONFLICT = (
    "Conflict: can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)
FIRST_UPDATE_ID = 892_252_934

Update = dict[str, object]


class Updates:
    """The queue of updates; its state file survives restarts, so update_id only ever grows."""

    def __init__(self, path: Path, url: str, secret: str) -> None:
        self._path = path
        self._session: aiohttp.ClientSession | None = None
        self._posting: dict[int, asyncio.Task[None]] = {}
        self._arrived = asyncio.Event()
        kept = json.loads(path.read_text()) if path.exists() else {}
        self._next_id = int(kept.get("next_update_id", FIRST_UPDATE_ID))
        self.pending: list[tuple[int, Update]] = [
            (int(chat), update) for chat, update in kept.get("pending", [])
        ]
        self.url, self.secret = url, secret
        self.last_error: dict[str, object] = {}
        # A call of the Bot API that came as the answer to an update.
        self.execute: Callable[[str, dict[str, object]], Awaitable[None]] | None = None

    def push(self, chat_id: int, kind: str, payload: dict[str, object]) -> Update:
        """Number an update, keep it, and set it on its way."""
        update: Update = {"update_id": self._next_id, kind: payload}
        self._next_id += 1
        self.pending.append((chat_id, update))
        self._save()
        self._arrived.set()
        self._post_soon(chat_id)
        return update

    def set_webhook(self, url: str, secret: str) -> None:
        """Raises TelegramError for an address beyond this machine: the sandbox never leaves it."""
        if url and urlsplit(url).hostname not in LOOPBACK_HOSTS:
            raise bad_request("bad webhook: the sandbox posts to loopback addresses only")
        self.url, self.secret = url, secret
        self._start_posting()

    def drop_pending(self) -> None:
        self.pending.clear()
        self._save()

    def info(self) -> dict[str, object]:
        """Telegram's WebhookInfo."""
        return {
            "url": self.url,
            "has_custom_certificate": False,
            "pending_update_count": len(self.pending),
            **self.last_error,
        }

    async def fetch(self, offset: int, limit: int, wait_seconds: float) -> list[Update]:
        """Long polling: updates from `offset` on; earlier ones count as confirmed."""
        if self.url:
            raise TelegramError(409, CONFLICT)
        if offset > 0:
            self.pending = [(chat, update) for chat, update in self.pending if _id(update) >= offset]
            self._save()
        if not self.pending:
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), wait_seconds)
        return [update for _, update in self.pending[:limit]]

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(timeout=ANSWER_TIMEOUT)
        self._start_posting()

    async def stop(self) -> None:
        tasks = list(self._posting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _start_posting(self) -> None:
        for chat_id in {chat for chat, _ in self.pending}:
            self._post_soon(chat_id)

    def _post_soon(self, chat_id: int) -> None:
        running = self._posting.get(chat_id)
        if self.url and self._session and (running is None or running.done()):
            self._posting[chat_id] = asyncio.create_task(self._post_all(self._session, chat_id))

    async def _post_all(self, session: aiohttp.ClientSession, chat_id: int) -> None:
        """One chat's updates, one after the other: the next only when the one before was accepted."""
        wait = FIRST_RETRY_S
        while self.url and (update := self._first_of(chat_id)):
            asked_to_wait = await self._post(session, update)
            if asked_to_wait is None:
                self._delivered(update)
                wait = FIRST_RETRY_S
                continue
            await asyncio.sleep(asked_to_wait or wait)
            wait = min(wait * 2, LONGEST_RETRY_S)

    async def _post(self, session: aiohttp.ClientSession, update: Update) -> float | None:
        """None when accepted, else the seconds that the other side asked to wait (0.0: no wish)."""
        headers = {SECRET_HEADER: self.secret} if self.secret else {}
        try:
            async with session.post(
                self.url, json=update, headers=headers, allow_redirects=False
            ) as response:
                if response.ok and response.status < 300:
                    await self._execute(await response.text())
                    return None
                self._note_error(f"Wrong response from the webhook: {response.status} {response.reason}")
                asked = response.headers.get("Retry-After", "")
                return min(float(asked), 3600.0) if asked.isdigit() else 0.0
        except (aiohttp.ClientError, TimeoutError) as error:
            self._note_error(f"Connection failed: {type(error).__name__}")
            return 0.0

    async def _execute(self, body: str) -> None:
        """Telegram takes the answer's body for a call of its API; what becomes of it nobody is told."""
        try:
            called = json.loads(body) if body.startswith("{") else None
        except ValueError:
            called = None
        if isinstance(called, dict) and self.execute is not None and "method" in called:
            await self.execute(str(called.pop("method")), called)

    def _first_of(self, chat_id: int) -> Update | None:
        return next((update for chat, update in self.pending if chat == chat_id), None)

    def _delivered(self, update: Update) -> None:
        self.pending = [pair for pair in self.pending if pair[1] is not update]
        self._save()

    def _note_error(self, message: str) -> None:
        self.last_error = {"last_error_date": int(time.time()), "last_error_message": message}

    def _save(self) -> None:
        draft = self._path.with_suffix(".tmp")
        draft.write_text(json.dumps({"next_update_id": self._next_id, "pending": self.pending}))
        os.replace(draft, self._path)


def _id(update: Update) -> int:
    return int(str(update["update_id"]))
