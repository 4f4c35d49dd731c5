"""The chats that exist, and every message in them, rebuilt from the journals at start."""

import itertools
from dataclasses import dataclass, field

from copilot_project.sandbox.journal import Journal, Record
from copilot_project.sandbox.telegram.errors import TelegramError, bad_request

Message = dict[str, object]


@dataclass
class Chat:
    """One private chat; `messages` are Telegram Message objects, oldest first."""

    id: int
    first_name: str
    username: str = ""
    blocked: bool = False
    messages: list[Message] = field(default_factory=list)
    silent: set[int] = field(default_factory=set)
    edited: set[int] = field(default_factory=set)
    toasts: list[dict[str, object]] = field(default_factory=list)

    def as_chat(self) -> dict[str, object]:
        """Telegram's Chat object."""
        return {"id": self.id, "first_name": self.first_name} | self._names() | {"type": "private"}

    def as_user(self) -> dict[str, object]:
        """Telegram's User object."""
        user = {"id": self.id, "is_bot": False, "first_name": self.first_name}
        return user | self._names() | {"language_code": "en"}

    def _names(self) -> dict[str, object]:
        return {"username": self.username} if self.username else {}

    def message(self, message_id: int) -> Message:
        """Raises TelegramError when there is no such message."""
        for message in reversed(self.messages):
            if message["message_id"] == message_id:
                return message
        raise bad_request("message to edit not found")


class Chats:
    """All chats. `sent` holds what the bot did and was accepted, `events` what visitors did."""

    def __init__(self, sent: Journal, events: Journal) -> None:
        self.sent = sent
        self.events = events
        self.by_id: dict[int, Chat] = {}
        self.version = 0
        self._last_message_id = 0
        self._callback_ids = itertools.count(1)
        self.callbacks: dict[str, Chat] = {}
        for record in sorted(events.records + sent.records, key=_wall):
            self._apply(record)

    def get(self, chat_id: object) -> Chat:
        """Raises TelegramError `chat not found` for a chat that nobody opened."""
        try:
            return self.by_id[int(str(chat_id))]
        except (KeyError, ValueError):
            raise bad_request("chat not found") from None

    def reachable(self, chat_id: object) -> Chat:
        """Like `get`, and raises Telegram's 403 when the visitor blocked the bot."""
        chat = self.get(chat_id)
        if chat.blocked:
            raise TelegramError(403, "Forbidden: bot was blocked by the user")
        return chat

    def next_message_id(self) -> int:
        self._last_message_id += 1
        return self._last_message_id

    def next_callback_id(self, chat: Chat) -> str:
        callback_id = f"{chat.id}{next(self._callback_ids):06d}{self._last_message_id}"
        self.callbacks[callback_id] = chat
        return callback_id

    async def open(self, chat_id: int, first_name: str, username: str) -> Chat:
        """A person opens a chat with the bot; a second time only the names change."""
        await self._record_event(
            {"event": "chat", "chat_id": chat_id, "first_name": first_name, "username": username}
        )
        return self.by_id[chat_id]

    async def block(self, chat: Chat, *, blocked: bool) -> None:
        await self._record_event({"event": "blocked", "chat_id": chat.id, "blocked": blocked})

    async def hear(self, chat: Chat, message: Message) -> None:
        """Keep a message that the visitor wrote."""
        await self._record_event({"event": "message", "chat_id": chat.id, "message": message})

    async def accept(self, record: Record) -> None:
        """Keep what the bot did, on disk, before it is told so."""
        self._apply(record)
        await self.sent.append(record)

    def toast(self, callback_id: str, text: str, *, alert: bool) -> None:
        """Show an answer to a pressed button."""
        chat = self.callbacks.pop(callback_id, None)
        if chat is None:
            raise bad_request("query is too old and response timeout expired or query ID is invalid")
        chat.toasts.append({"id": callback_id, "text": text, "alert": alert})
        self.version += 1

    async def _record_event(self, record: Record) -> None:
        self._apply(record)
        await self.events.append(record)

    def _apply(self, record: Record) -> None:
        self.version += 1
        chat_id = int(str(record["chat_id"]))
        if record.get("event") == "chat":
            chat = self.by_id.setdefault(chat_id, Chat(chat_id, ""))
            chat.first_name, chat.username = str(record["first_name"]), str(record["username"])
            return
        chat = self.by_id.setdefault(chat_id, Chat(chat_id, f"Chat {chat_id}"))
        if record.get("event") == "blocked":
            chat.blocked = bool(record["blocked"])
        elif isinstance(record.get("message"), dict):
            self._keep(chat, record)

    def _keep(self, chat: Chat, record: Record) -> None:
        message: Message = record["message"]  # type: ignore[assignment]
        message_id = int(str(message["message_id"]))
        self._last_message_id = max(self._last_message_id, message_id)
        if record.get("disable_notification"):
            chat.silent.add(message_id)
        known = [at for at, old in enumerate(chat.messages) if old["message_id"] == message_id]
        if known:
            chat.messages[known[0]] = message
            chat.edited.add(message_id)
        else:
            chat.messages.append(message)


def _wall(record: Record) -> float:
    return float(str(record["wall"]))
