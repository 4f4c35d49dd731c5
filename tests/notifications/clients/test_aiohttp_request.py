"""What each way of failing means, told by a real server that fails that way; and what is on the wire."""

import asyncio
import json
import logging
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from urllib.parse import parse_qsl

import httpx
import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import TimedOut
from telegram.request import BaseRequest, HTTPXRequest

from copilot_project.sandbox.config import DEFAULT_TOKEN
from notifications.clients.aiohttp_request import AiohttpRequest, HeldBackError, NotSentError, may_begin
from notifications.clients.telegram import TelegramClient
from notifications.clients.telegram_call import Failure, TelegramError
from tests.notifications.rows import Controls

CHATS = count(5_900_000_001)
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 25\r\n\r\n"
TRUE = b'{"ok":true,"result":true}'

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def never(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def half(writer: asyncio.StreamWriter) -> None:
    writer.write(OK + TRUE[:10])


async def elsewhere(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")


async def well(writer: asyncio.StreamWriter) -> None:
    writer.write(OK + TRUE)


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that reads one request on each connection, answers so, and hangs up; the requests it saw."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        seen.append(head + await reader.readexactly(int(length.split(b":")[1])))
        await answer(writer)
        writer.close()

    tasks: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    listening = await asyncio.start_server(begin, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", seen
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def client_of(url: str, request: BaseRequest | None = None, token: str = DEFAULT_TOKEN) -> TelegramClient:
    return TelegramClient(token=token, api_url=url, request=request)


async def refusal(client: TelegramClient, chat_id: int = 1) -> TelegramError:
    async with client:
        with pytest.raises(TelegramError) as raised:
            await client.send_message(chat_id=chat_id, text="hello", html=False)
    return raised.value


@pytest.fixture
def chat(telegram: Controls) -> int:
    """A chat of the test's own, for each takes one message a second."""
    number = next(CHATS)
    telegram.post("/chats", {"id": number, "first_name": "Ann"})
    return number


async def test_refused_connection_was_not_sent() -> None:
    assert (await refusal(client_of("http://127.0.0.1:9"))).failure is Failure.NOT_SENT


async def test_unknown_host_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*args: object, **values: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    assert (await refusal(client_of("http://nowhere.invalid"))).failure is Failure.NOT_SENT


async def test_connection_that_does_not_come_about_in_time_was_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        request = AiohttpRequest(connect_timeout=0.2, read_timeout=600)
        error = await refusal(client_of(f"http://127.0.0.1:{full.getsockname()[1]}", request))
        for one in waiting:
            one.close()
    assert error.failure is Failure.NOT_SENT


async def test_call_that_found_no_free_connection_was_not_sent() -> None:
    request = AiohttpRequest(connections=1, read_timeout=600)
    async with server(never) as (url, seen), request:
        first = asyncio.create_task(request.do_request(f"{url}/bot1:A/first", "POST"))
        while not seen:
            await asyncio.sleep(0.01)
        with pytest.raises(NotSentError):
            await request.do_request(f"{url}/bot1:A/second", "POST", connect_timeout=0.1, pool_timeout=0.1)
        first.cancel()
        await asyncio.wait([first])
    assert [b"first" in request for request in seen] == [True]


async def test_call_that_may_not_begin_any_more_when_its_connection_is_there_is_held_back() -> None:
    """The kill switch engages while a call waits for a connection: nothing of it reaches the wire."""
    request = AiohttpRequest(connections=1)
    allowed, open_first = [True], asyncio.Event()

    async def late(writer: asyncio.StreamWriter) -> None:
        await open_first.wait()
        writer.write(OK + TRUE)

    async def ask(method: str) -> None:
        may_begin.set(lambda: allowed[0])
        await request.do_request(f"{url}/bot1:A/{method}", "POST")

    async with server(late) as (url, seen), request:
        first = asyncio.create_task(ask("first"))
        while not seen:
            await asyncio.sleep(0.01)
        second = asyncio.create_task(ask("second"))
        await asyncio.sleep(0.05)
        allowed[0] = False
        open_first.set()
        await first
        with pytest.raises(HeldBackError):
            await second
        allowed[0] = True
        await ask("third")
    assert [request.split()[1] for request in seen] == [b"/bot1:A/first", b"/bot1:A/third"]


async def test_call_that_was_held_back_says_so() -> None:
    may_begin.set(lambda: False)
    async with server(well) as (url, seen):
        assert (await refusal(client_of(url))).failure is Failure.HELD_BACK
    assert seen == []


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found"])
@pytest.mark.parametrize(
    "body", [b"<html>Blocked by Example Firewall</html>", b'{"error":"forbidden"}', b"[]"]
)
async def test_refusal_by_something_before_the_bot_api_says_nothing_about_chat_or_token(
    status: str, body: bytes
) -> None:
    async def refuse(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)

    async with server(refuse) as (url, _):
        error = await refusal(client_of(url))
    assert error.failure is Failure.AMBIGUOUS
    assert error.retry_after_seconds == 30, "the next call would fail as well"
    assert str(error) == f"HTTP {status[:3]}, not from the Bot API"


async def test_request_that_the_proxy_refuses_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    asked: list[bytes] = []
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://ann:s%40cret@127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        error = await refusal(client_of("https://telegram.invalid"))
    assert error.failure is Failure.NOT_SENT
    assert asked[0].startswith(b"CONNECT telegram.invalid:443 ")
    assert b"Proxy-Authorization: Basic YW5uOnNAY3JldA==" in asked[0]


async def test_silence_after_the_request_is_ambiguous(telegram: Controls, chat: int) -> None:
    telegram.fault("hang")
    request = AiohttpRequest(write_timeout=0.1, read_timeout=0.1)
    assert (await refusal(client_of(telegram.url, request), chat)).failure is Failure.AMBIGUOUS


@pytest.mark.parametrize(
    ("fault", "failure", "arrived"),
    [
        ("close", Failure.AMBIGUOUS, 1),
        ("garbage", Failure.AMBIGUOUS, 1),
        ("500", Failure.AMBIGUOUS, 0),
        ("429", Failure.RATE_LIMITED, 0),
        ("403", Failure.CHAT_GONE, 0),
    ],
)
async def test_fault_of_the_server_is_what_it_is(
    telegram: Controls, chat: int, fault: str, failure: Failure, arrived: int
) -> None:
    telegram.fault(fault, retry_after=7)
    error = await refusal(client_of(telegram.url), chat)
    assert error.failure is failure
    assert error.retry_after_seconds == (7 if fault == "429" else 0)
    assert len(telegram.sent(chat)) == arrived


@pytest.mark.parametrize("answer", [half, elsewhere])
async def test_broken_answer_and_redirect_are_ambiguous_and_asked_once(answer: Answer) -> None:
    async with server(answer) as (url, seen):
        assert (await refusal(client_of(url))).failure is Failure.AMBIGUOUS
    assert len(seen) == 1


async def test_timeouts_of_one_call_win_over_those_of_the_class() -> None:
    async with server(never) as (url, _), AiohttpRequest(write_timeout=600, read_timeout=600) as request:
        with pytest.raises(TimedOut):
            await request.do_request(f"{url}/bot1:A/getMe", "POST", write_timeout=0.1, read_timeout=0.1)


async def test_token_is_in_no_error_and_no_log(
    telegram: Controls, chat: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    errors = [await refusal(client_of("http://127.0.0.1:9")), await refusal(client_of("ftp://127.0.0.1"))]
    errors.append(await refusal(client_of("http://[half")))
    for fault in ("close", "garbage", "500"):
        telegram.fault(fault)
        errors.append(await refusal(client_of(telegram.url), chat))
    async with server(never) as (url, _), AiohttpRequest(write_timeout=0.1, read_timeout=0.1) as request:
        with pytest.raises(TimedOut) as raised:
            await request.do_request(f"{url}/bot{DEFAULT_TOKEN}/getMe", "POST")
    told = [str(error) for error in errors] + ["".join(traceback.format_exception(raised.value))]
    assert not any(DEFAULT_TOKEN in text for text in [*told, caplog.text])


async def test_same_parameters_are_on_the_wire_as_those_of_the_default_request_class() -> None:
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Acted ✓ & more", callback_data="fa:1")]])
    posted = []
    async with server(well) as (url, seen):
        for request in (AiohttpRequest(), HTTPXRequest()):
            async with request:
                bot = Bot(DEFAULT_TOKEN, base_url=f"{url}/bot", request=request)
                await bot.delete_webhook(drop_pending_updates=True)
                await bot.answer_callback_query("1", "Größe = 5 % & <b>λ</b> + 🚀", show_alert=False)
                await bot._post(
                    "sendMessage", {"chat_id": 1, "text": "a\nb", "reply_markup": keyboard.to_dict()}
                )
            posted.append([each.decode().partition("\r\n\r\n")[2] for each in seen])
            seen.clear()
    ours, default = posted
    assert [json.loads(body) for body in ours] == [dict(parse_qsl(body)) for body in default]


async def test_picture_and_its_caption_arrive_as_they_are(telegram: Controls, chat: int) -> None:
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01\x40\x00\x00\x00\xc8"  # 320 x 200
    picture = header + bytes(range(256)) * 300
    async with AiohttpRequest() as request:
        bot = Bot(DEFAULT_TOKEN, base_url=f"{telegram.url}/bot", request=request)
        message = await bot.send_photo(
            chat, picture, caption='5 % & "λ"\nnext', filename="chart.png", disable_notification=True
        )
    shown = httpx.get(f"{telegram.url}/_sandbox/photos/{message.photo[0].file_id}").content
    assert (shown, message.caption) == (picture, '5 % & "λ"\nnext')


async def test_use_before_it_is_opened_is_refused() -> None:
    with pytest.raises(RuntimeError, match="before initialize"):
        await AiohttpRequest().do_request("http://127.0.0.1:9/", "POST")


@pytest.mark.parametrize(
    ("header", "body", "seconds"),
    [
        (b"Retry-After: 7\r\n", b"<html>slow down</html>", 7),
        (b"", b"", 30),
        (b"Retry-After: soon\r\n", b'{"ok":false,"error_code":429,"description":"Too Many Requests"}', 30),
        (
            b"Retry-After: 9\r\n",
            b'{"ok":false,"error_code":429,"description":"x","parameters":{"retry_after":3}}',
            3,
        ),
        (b"", b'{"ok":false,"error_code":429,"parameters":{"retry_after":0}}', 1),
        (b"", b'{"ok":false,"error_code":429,"parameters":{"retry_after":2.5}}', 3),
        (b"", b'{"ok":false,"error_code":429,"parameters":{"retry_after":null}}', 30),
        (b"Retry-After: 8\r\n", b'{"ok":false,"error_code":429,"parameters":{"retry_after":"5"}}', 8),
        (b"", b'{"ok":false,"error_code":429,"parameters":{"retry_after":-4}}', 30),
        (b"", b'{"ok":false,"error_code":429,"parameters":{"retry_after":1e999}}', 1_000_000),
    ],
)
async def test_429_is_a_pause_even_when_its_body_does_not_say_how_long(
    header: bytes, body: bytes, seconds: int
) -> None:
    async def slow_down(writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n" + header
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    async with server(slow_down) as (url, _):
        error = await refusal(client_of(url))
    assert (error.failure, error.retry_after_seconds) == (Failure.RATE_LIMITED, seconds)
