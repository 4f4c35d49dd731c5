"""Telegram's Bot API over HTTP: token, faults, method, answer."""

import asyncio
import hmac

from aiohttp import web

from copilot_project.sandbox.faults import Fault, Faults
from copilot_project.sandbox.spoiling import spoil
from copilot_project.sandbox.telegram_call import Call, read_call
from copilot_project.sandbox.telegram_error import TelegramError, too_many_requests
from copilot_project.sandbox.telegram_methods import METHODS, Bot

BOT = web.AppKey("bot", Bot)
FAULTS = web.AppKey("faults", Faults)

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
    bot, faults = request.app[BOT], request.app[FAULTS]
    if not hmac.compare_digest(request.match_info["token"].encode(), bot.token.encode()):
        raise TelegramError(401, "Unauthorized")
    call = await read_call(request)
    method = METHODS.get(call.method.lower())
    if method is None:
        raise TelegramError(404, "Not Found")
    fault = _fault(faults, call)
    # Half of the latency lies before acceptance and half after: a caller killed in between cannot know which.
    await asyncio.sleep(faults.latency_ms / 2000)
    response = web.json_response({"ok": True, "result": await method(bot, call)})
    await asyncio.sleep(faults.latency_ms / 2000)
    return await spoil(request, fault, response) if fault else response


def _fault(faults: Faults, call: Call) -> Fault | None:
    """A fault that leaves the request accepted; one that refuses it is raised."""
    fault = faults.strike("telegram", call.method, call.chat_id)
    if fault is None or fault.accepts:
        return fault
    if fault.kind == "429":
        raise too_many_requests(fault.retry_after)
    code, description = REFUSALS[fault.kind]
    raise TelegramError(code, fault.description or description)


def add_telegram(app: web.Application, bot: Bot, faults: Faults) -> None:
    app[BOT] = bot
    app[FAULTS] = faults
    app.router.add_route("*", "/bot{token:[^/]+}/{method}", answer)
