import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from telegram import Update

from tests.copilot_project.sandbox.served import CHAT, Served, configured, serving

SECRET = "secret-of-the-test"


@dataclass
class Product:
    """A webhook of the test: what it was sent, and how it answers."""

    statuses: list[int] = field(default_factory=list)
    posts: list[tuple[str | None, dict[str, Any]]] = field(default_factory=list)
    url: str = ""

    async def receive(self, request: web.Request) -> web.Response:
        self.posts.append((request.headers.get("X-Telegram-Bot-Api-Secret-Token"), await request.json()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def wait_for(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(120):
            while len(self.posts) < count:
                await asyncio.sleep(0.02)
        return [update for _, update in self.posts]


@asynccontextmanager
async def listening(*statuses: int) -> AsyncIterator[Product]:
    product = Product(list(statuses))
    app = web.Application()
    app.router.add_post("/telegram/webhook", product.receive)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    product.url = f"http://127.0.0.1:{runner.addresses[0][1]}/telegram/webhook"
    try:
        yield product
    finally:
        await runner.cleanup()


async def write(served: Served, text: str, chat_id: int = CHAT) -> dict[str, Any]:
    return await served.post(f"/_sandbox/chats/{chat_id}/messages", {"text": text})  # type: ignore[no-any-return]


async def test_written_command_reaches_the_webhook_with_the_secret(tmp_path: Path) -> None:
    async with listening() as product:
        config = configured(tmp_path, webhook_url=product.url, webhook_secret=SECRET)
        async with serving(config) as served:
            await served.open_chat()
            await write(served, "/start abc-DEF_123")
            await product.wait_for(1)
    secret, raw = product.posts[0]
    update = Update.de_json(raw, None)
    assert secret == SECRET
    assert update.message.text == "/start abc-DEF_123"
    assert update.message.from_user.id == update.message.chat.id == CHAT
    assert update.message.parse_entities(["bot_command"]) == {update.message.entities[0]: "/start"}


async def test_pressed_button_becomes_a_query_and_its_answer_a_toast(tmp_path: Path) -> None:
    async with listening() as product, serving(configured(tmp_path, webhook_url=product.url)) as served:
        await served.open_chat()
        keyboard = {"inline_keyboard": [[{"text": "Acted", "callback_data": "a1"}]]}
        _, _, sent = await served.call(
            "sendMessage", {"chat_id": CHAT, "text": "x", "reply_markup": keyboard}
        )
        press = {"message_id": sent["result"]["message_id"], "data": "a1"}
        await served.post(f"/_sandbox/chats/{CHAT}/callbacks", press)
        query = Update.de_json((await product.wait_for(1))[0], None).callback_query
        answer = {"callback_query_id": query.id, "text": "Noted"}
        assert (await served.call("answerCallbackQuery", answer))[2]["result"] is True
        _, _, chat = await served.get(f"/_sandbox/chats/{CHAT}")
    assert (query.data, query.message.message_id) == ("a1", press["message_id"])
    assert chat["toasts"][-1]["text"] == "Noted"


async def test_refused_update_is_repeated_before_the_next_one_of_its_chat(tmp_path: Path) -> None:
    async with listening(503) as product, serving(configured(tmp_path, webhook_url=product.url)) as served:
        await served.open_chat()
        first, second = await write(served, "first"), await write(served, "second")
        posted = await product.wait_for(3)
        _, _, info = await served.call("getWebhookInfo", {})
    assert [update["update_id"] for update in posted] == [
        first["update_id"],
        first["update_id"],
        second["update_id"],
    ]
    assert "503" in info["result"]["last_error_message"]


async def test_update_ids_grow_and_pending_updates_survive_a_restart(tmp_path: Path) -> None:
    async with serving(configured(tmp_path)) as served:
        await served.open_chat()
        before = await write(served, "nobody listens yet")
    async with listening() as product, serving(configured(tmp_path, webhook_url=product.url)) as served:
        after = await write(served, "somebody does")
        posted = await product.wait_for(2)
    assert [update["update_id"] for update in posted] == [before["update_id"], after["update_id"]]
    assert after["update_id"] > before["update_id"]


async def test_set_webhook_beyond_loopback_is_refused(served: Served) -> None:
    status, _, body = await served.call("setWebhook", {"url": "https://example.com/hook"})
    assert status == 400
    assert "loopback" in body["description"]


async def test_polling_gets_each_update_until_it_is_confirmed(served: Served) -> None:
    await served.open_chat()
    async with served.bot() as bot:
        waiting = asyncio.create_task(bot.get_updates(timeout=5))
        await asyncio.sleep(0)
        await write(served, "hello")
        updates = await waiting or await bot.get_updates()
        assert [update.message.text for update in updates] == ["hello"]
        assert await bot.get_updates(offset=updates[-1].update_id + 1, timeout=0) == ()


async def test_blocking_the_bot_tells_it_and_refuses_its_messages(tmp_path: Path) -> None:
    async with listening() as product, serving(configured(tmp_path, webhook_url=product.url)) as served:
        await served.open_chat()
        async with served.http.patch(
            f"{served.url}/_sandbox/chats/{CHAT}", json={"blocked": True}
        ) as response:
            assert response.status == 200
        update = Update.de_json((await product.wait_for(1))[0], None)
        status, _, _ = await served.call("sendMessage", {"chat_id": CHAT, "text": "x"})
    assert update.my_chat_member.new_chat_member.status == "kicked"
    assert status == 403
