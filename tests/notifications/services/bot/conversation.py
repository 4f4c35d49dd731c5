"""A chat with the bot as tests hold it: what is written and pressed, and the reply with its keyboard."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from notifications.clients.telegram_call import Button
from notifications.services.reply import AnswerReply, Reply, TextReply
from tests.notifications.chat import receive

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@dataclass
class Conversation:
    chat_id: int = 77
    now: datetime = NOW
    language: str = ""
    outcome: str = ""
    reply: Reply | None = None
    said: list[str] = field(default_factory=list)

    def write(self, text: str) -> str:
        message = {
            "message_id": 3,
            "from": self._person(),
            "chat": {"id": self.chat_id, "type": "private"},
            "date": 1,
            "text": text,
        }
        return self._receive({"message": message})

    def press(self, data: str) -> str:
        message = {"message_id": 9, "chat": {"id": self.chat_id, "type": "private"}, "date": 1}
        query = {"id": "1", "from": self._person(), "message": message, "data": data}
        return self._receive({"callback_query": query})

    @property
    def buttons(self) -> list[Button]:
        assert self.reply is not None
        return [button for row in self.reply.rows for button in row]

    def press_text(self, text: str) -> str:
        """The button with this text under the newest message."""
        [data] = [button.data for button in self.buttons if button.text == text]
        return self.press(data)

    def _person(self) -> dict[str, Any]:
        return {"id": self.chat_id, "is_bot": False, "first_name": "Ada", "language_code": self.language}

    def _receive(self, payload: dict[str, Any]) -> str:
        self.reply, outcome = receive(payload, self.now)
        self.outcome = outcome.removesuffix("; reply unknown")
        text = ""
        if isinstance(self.reply, TextReply):
            text = self.reply.html
        elif isinstance(self.reply, AnswerReply):
            text = self.reply.html or self.reply.text
        self.said.append(text)
        return text
