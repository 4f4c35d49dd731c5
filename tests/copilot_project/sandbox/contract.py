"""What callers rely on, as checks that hold for the sandbox and fail for a sandbox that lies.

Each check takes a running sandbox and raises AssertionError, or a client's own error, when it is not as the real
far end would be.
"""

import asyncio
import contextlib
import itertools
import time
from datetime import timedelta
from typing import Any

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest, Forbidden, InvalidToken, RetryAfter

from tests.copilot_project.sandbox.served import CHAT, Served

HOUR_MS = 3_600_000


# --- the exchange


async def markets_load_in_ccxt(served: Served) -> None:
    client = served.exchange()
    try:
        markets = await client.load_markets()
    finally:
        await client.close()
    assert len(markets) == 10
    assert markets["BTC/USDT"]["spot"]
    assert markets["BTC/USDT"]["precision"]["price"] == 0.01


async def the_last_candle_is_still_forming(served: Served) -> None:
    client = served.exchange()
    try:
        server_time = await client.fetch_time()
        candles = await client.fetch_ohlcv("BTC/USDT", "1h", limit=3)
    finally:
        await client.close()
    assert [b[0] - a[0] for a, b in itertools.pairwise(candles)] == [HOUR_MS, HOUR_MS]
    assert candles[-1][0] <= server_time < candles[-1][0] + HOUR_MS + 2_000


async def candles_come_from_since_on(served: Served) -> None:
    client = served.exchange()
    since = 1_735_689_600_000
    try:
        candles = await client.fetch_ohlcv("ETH/USDT", "4h", since=since + 1, limit=5)
    finally:
        await client.close()
    assert [candle[0] for candle in candles] == [since + n * 4 * HOUR_MS for n in range(1, 6)]


async def the_ticker_has_the_last_candles_price(served: Served) -> None:
    client = served.exchange()
    try:
        ticker = await client.fetch_ticker("SOL/USDT")
        candles = await client.fetch_ohlcv("SOL/USDT", "1h", limit=2)
    finally:
        await client.close()
    assert ticker["last"] == pytest.approx(candles[-1][4], rel=0.02)
    assert ticker["low"] <= ticker["last"] <= ticker["high"]
    assert ticker["bid"] < ticker["ask"]


async def wrong_parameters_get_binances_codes(served: Served) -> None:
    found = {}
    for query in (
        "symbol=NOPE&interval=1h",
        "symbol=BTCUSDT",
        "symbol=BTCUSDT&interval=7h",
        "symbol=BTCUSDT&interval=1h&limit=x",
    ):
        status, _, body = await served.get(f"/binance/api/v3/klines?{query}")
        found[query.split("&")[-1]] = (status, body["code"])
    assert list(found.values()) == [(400, -1121), (400, -1102), (400, -1120), (400, -1100)]


async def the_weight_limit_holds(served: Served) -> None:
    """6000 weight are 300 times exchangeInfo; then 429, then the ban. A new minute gives a new budget once."""
    refusals: dict[tuple[int, int | None], dict[str, str]] = {}
    for _ in range(700):
        status, headers, body = await served.get("/binance/api/v3/exchangeInfo")
        if status != 200:
            refusals.setdefault((status, body.get("code")), headers)
        if status == 418:
            break
    assert list(refusals) == [(429, -1003), (418, -1003)]
    assert 1 <= int(refusals[429, -1003]["Retry-After"]) <= 60
    assert int(refusals[418, -1003]["Retry-After"]) > 60


# --- Telegram


async def the_bot_introduces_itself(served: Served) -> None:
    async with served.bot() as bot:
        assert bot.username == "copilot_sandbox_bot"


async def a_wrong_token_is_unauthorized(served: Served) -> None:
    with pytest.raises(InvalidToken):
        await served.bot("1:wrong").initialize()


async def a_message_arrives_with_entities_and_buttons(served: Served) -> None:
    await served.open_chat()
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Acted", callback_data="a" * 64)]])
    async with served.bot() as bot:
        sent = await bot.send_message(
            CHAT, "😀 <b>LONG</b> &lt;1", parse_mode="HTML", reply_markup=keyboard, disable_notification=True
        )
    assert sent.text == "😀 LONG <1"
    assert [sent.parse_entity(entity) for entity in sent.entities] == ["LONG"]
    assert sent.reply_markup == keyboard
    accepted = (await served.journal())[-1]
    assert (accepted["chat_id"], accepted["message_id"]) == (CHAT, sent.message_id)
    assert accepted["disable_notification"] is True


async def an_unknown_chat_is_refused(served: Served) -> None:
    async with served.bot() as bot:
        with pytest.raises(BadRequest, match="Chat not found"):
            await bot.send_message(999, "hello")


async def broken_html_is_refused(served: Served) -> None:
    await served.open_chat()
    async with served.bot() as bot:
        for text in ("<b>open", "<div>x</div>", "a < b", "<b><i>x</b></i>", "x</b>"):
            with pytest.raises(BadRequest, match="Can't parse entities"):
                await bot.send_message(CHAT, text, parse_mode="HTML")


async def text_beyond_4096_utf16_units_is_refused(served: Served) -> None:
    await served.open_chat()
    async with served.bot() as bot:
        await bot.send_message(CHAT, "<b>" + "😀" * 2048 + "</b>", parse_mode="HTML")
        with pytest.raises(BadRequest, match="Message is too long"):
            await bot.send_message(CHAT, "😀" * 2048 + "x")


async def an_empty_text_is_refused(served: Served) -> None:
    await served.open_chat()
    async with served.bot() as bot:
        with pytest.raises(BadRequest, match="Message text is empty"):
            await bot.send_message(CHAT, "<b> </b>", parse_mode="HTML")


async def long_button_data_is_refused(served: Served) -> None:
    await served.open_chat()
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Acted", callback_data="é" * 33)]])
    async with served.bot() as bot:
        with pytest.raises(BadRequest, match=r"(?i)button_data_invalid"):
            await bot.send_message(CHAT, "x", reply_markup=keyboard)


async def a_chat_takes_one_message_a_second(served: Served) -> None:
    await served.open_chat()
    started = time.monotonic()
    async with served.bot() as bot:
        with pytest.raises(RetryAfter) as refused:
            await send_all(bot, [f"message {number}" for number in range(50)])
    assert refused.value._retry_after >= timedelta(seconds=1)
    assert len(await served.journal()) < 5 + int(time.monotonic() - started)


async def send_all(bot: Bot, texts: list[str]) -> None:
    for text in texts:
        await bot.send_message(CHAT, text)


async def the_bot_sends_thirty_messages_a_second(served: Served) -> None:
    """Sixty at once, again until some are refused: a machine that is slow for a moment sends no thirty."""
    refused: list[Any] = []
    for first in range(CHAT, CHAT + 600, 60):
        chats = [await served.open_chat(first + n) for n in range(60)]
        started = time.monotonic()
        calls = (served.call("sendMessage", {"chat_id": c, "text": "x"}) for c in chats)
        answers = await asyncio.gather(*calls)
        seconds = int(time.monotonic() - started) + 1
        refused = [body for status, _, body in answers if status == 429]
        assert len(chats) - len(refused) <= 33 * seconds
        if refused:
            break
    assert refused
    assert refused[0]["parameters"] == {"retry_after": 1}


async def a_blocked_bot_is_forbidden(served: Served) -> None:
    await served.open_chat()
    await served.post("/_sandbox/faults", {"kind": "403", "count": 1})
    async with served.bot() as bot:
        with pytest.raises(Forbidden, match="bot was blocked by the user"):
            await bot.send_message(CHAT, "x")
    assert await served.journal() == []


async def answers_come_within_two_seconds(served: Served) -> None:
    """One of five is enough: a machine that stands still for a moment makes no server a slow one."""
    for number in range(5):
        chat = await served.open_chat(CHAT + number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                status, _, body = await served.call("sendMessage", {"chat_id": chat, "text": "x"})
            assert (status, body["ok"]) == (200, True)
            return
    pytest.fail("five answers took longer than two seconds")


async def an_accepted_message_is_on_disk_before_the_answer(served: Served) -> None:
    await served.open_chat()
    path = served.config.state / "telegram.jsonl"
    _, _, body = await served.call("sendMessage", {"chat_id": CHAT, "text": "to be judged by"})
    message_id = body["result"]["message_id"]
    with contextlib.closing(path.open()) as lines:
        assert f'"message_id": {message_id}' in lines.readlines()[-1]


EXCHANGE_CHECKS = (
    markets_load_in_ccxt,
    the_last_candle_is_still_forming,
    candles_come_from_since_on,
    the_ticker_has_the_last_candles_price,
    wrong_parameters_get_binances_codes,
    the_weight_limit_holds,
)
TELEGRAM_CHECKS = (
    the_bot_introduces_itself,
    a_wrong_token_is_unauthorized,
    a_message_arrives_with_entities_and_buttons,
    an_unknown_chat_is_refused,
    broken_html_is_refused,
    text_beyond_4096_utf16_units_is_refused,
    an_empty_text_is_refused,
    long_button_data_is_refused,
    a_chat_takes_one_message_a_second,
    the_bot_sends_thirty_messages_a_second,
    a_blocked_bot_is_forbidden,
    answers_come_within_two_seconds,
    an_accepted_message_is_on_disk_before_the_answer,
)
