"""Telegram's Bot API over HTTP: token, faults, method, answer."""

import asyncio
import contextlib
import functools
import hmac
import time

from aiohttp import web

from copilot_project.sandbox.faults import Fault, Faults
from copilot_project.sandbox.journal import Journal
from copilot_project.sandbox.spoiling import spoil
from copilot_project.sandbox.telegram.call import Call, read_call
from copilot_project.sandbox.telegram.errors import TelegramError, too_many_requests
from copilot_project.sandbox.telegram.methods import METHODS, Bot

BOT = web.AppKey("bot", Bot)
FAULTS = web.AppKey("faults", Faults)
CALLS = web.AppKey[Journal | None]("calls")

REFUSALS = {
    "403": (403, "Forbidden: bot was blocked by the user"),
    "400": (400, "Bad Request: chat not found"),
    "500": (500, "Internal Server Error"),
}


async def answer(request: web.Request) -> web.StreamResponse:
    """One Bot API call, with Telegram's envelope around its result or refusal."""
    try:
        return await _answer(request)
    except TelegramError as error:
        return error.response()


async def _answer(request: web.Request) -> web.StreamResponse:
    arrived = time.monotonic()
    bot, faults = request.app[BOT], request.app[FAULTS]
    if not hmac.compare_digest(request.match_info["token"].encode(), bot.token.encode()):
        raise TelegramError(401, "Unauthorized")
    call = await read_call(request)
    method = METHODS.get(call.method.lower())
    if method is None:
        raise TelegramError(404, "Not Found")
    fault = faults.strike("telegram", call.method, call.chat_id)
    try:
        _refuse(fault)
        # Half of the latency lies before acceptance and half after: a caller killed in between cannot know which.
        await asyncio.sleep(faults.latency_ms / 2000)
        response = web.json_response({"ok": True, "result": await method(bot, call)})
    except TelegramError as error:
        await _record(request.app[CALLS], call, arrived, fault, error)
        raise
    await _record(request.app[CALLS], call, arrived, fault, None)
    await asyncio.sleep(faults.latency_ms / 2000)
    return await spoil(request, fault, response) if fault else response


async def _record(
    calls: Journal | None, call: Call, arrived: float, fault: Fault | None, error: TelegramError | None
) -> None:
    """One line for each call, on disk before it is answered, and one for the moment of the answer."""
    if calls is None:
        return
    await calls.append(
        {
            "arrived": arrived,
            "method": call.method,
            "chat_id": call.chat_id,
            "reply_markup": call.parsed("reply_markup"),
            "fault": fault.kind if fault else None,
            "refusal": error.code if error else None,
            "description": str(error) if error else "",
            "retry_after": error.retry_after if error else None,
        }
    )
    calls.note({"answer_to": arrived})  # which no caller waits for: the disk may have taken its time


def _refuse(fault: Fault | None) -> None:
    """Raise what refuses the request; a fault that leaves it accepted strikes later."""
    if fault is None or fault.accepts:
        return
    if fault.kind == "429":
        raise too_many_requests(fault.retry_after)
    code, description = REFUSALS[fault.kind]
    raise TelegramError(code, fault.description or description)


async def execute(bot: Bot, name: str, values: dict[str, object]) -> None:
    """A call that came as the body of a webhook's answer: its refusal is told to nobody."""
    method = METHODS.get(name.lower())
    if method is not None:
        with contextlib.suppress(TelegramError):
            await method(bot, Call(name, values))


def add_telegram(app: web.Application, bot: Bot, faults: Faults, calls: Journal | None) -> None:
    app[BOT] = bot
    bot.updates.execute = functools.partial(execute, bot)
    app[CALLS] = calls
    app[FAULTS] = faults
    app.router.add_route("*", "/bot{token:[^/]+}/{method}", answer)
