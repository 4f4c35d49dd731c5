"""Paid broadcasts: asked of Telegram only when the setting says so, and then at its rate."""

import asyncio
import json

import pytest
from pytest_django import Settings
from telegram.request import BaseRequest, RequestData

from notifications.clients.telegram import TelegramClient
from notifications.management.commands.send_deliveries import planned_rate

ANSWER = {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}}


class Recorder(BaseRequest):
    """Telegram's end: keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, object]] = []

    read_timeout = 1.0

    async def initialize(self) -> None: ...

    async def shutdown(self) -> None: ...

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, **timeouts: object
    ) -> tuple[int, bytes]:
        self.asked.append(request_data.parameters if request_data else {})
        return 200, json.dumps({"ok": True, "result": ANSWER}).encode()


@pytest.mark.parametrize("paid", [False, True])
def test_messages_and_pictures_are_paid_broadcasts_only_on_demand(paid: bool) -> None:
    recorder = Recorder()

    async def play() -> None:
        client = TelegramClient(token="1:a", api_url="http://x", request=recorder, paid_broadcast=paid)
        async with client:
            await client.send_message(chat_id=1, text="a", html=False)
            await client.send_photo(chat_id=1, photo="file", caption="a", html=False)

    asyncio.run(play())
    assert [asked.get("allow_paid_broadcast") for asked in recorder.asked] == [paid or None] * 2


def test_rate_is_the_free_one_unless_more_is_paid_for(settings: Settings) -> None:
    settings.TELEGRAM_PAID_BROADCAST_PER_SECOND = 0
    assert planned_rate() == 28
    settings.TELEGRAM_PAID_BROADCAST_PER_SECOND = 1000
    assert planned_rate() == 1000
