"""The sandbox's own API under `/_sandbox/`: status, faults, limits, journal, chats."""

import json
from dataclasses import asdict

from aiohttp import web
from aiohttp.typedefs import Handler

from copilot_project.sandbox.config import SandboxConfig
from copilot_project.sandbox.exchange.endpoints import VENUE
from copilot_project.sandbox.faults import FaultError, fault_from
from copilot_project.sandbox.telegram import visitors
from copilot_project.sandbox.telegram.chats import Chat
from copilot_project.sandbox.telegram.endpoints import BOT, FAULTS
from copilot_project.sandbox.telegram.errors import TelegramError

SHOWN_MESSAGES = 200

CONFIG = web.AppKey("config", SandboxConfig)


async def body_of(request: web.Request) -> dict[str, object]:
    """The JSON object that was posted. Raises 400 with what is wrong."""
    try:
        found = await request.json()
    except json.JSONDecodeError as error:
        raise web.HTTPBadRequest(text=f"send a JSON object: {error}") from error
    if not isinstance(found, dict):
        raise web.HTTPBadRequest(text="send a JSON object")
    return found


async def status(request: web.Request) -> web.Response:
    venue, bot, faults = request.app[VENUE], request.app[BOT], request.app[FAULTS]
    return web.json_response(
        {
            "market": venue.kind,
            "label": venue.label,
            "symbols": venue.market.symbols,
            "exchange_time_ms": venue.timeline.now_ms(),
            "shift_days": venue.timeline.shift_days,
            "chats": len(bot.chats.by_id),
            "accepted": len(bot.chats.sent.records),
            "webhook": bot.updates.info(),
            "limits": asdict(bot.gate.limits) if bot.gate.limits else None,
            "latency_ms": faults.latency_ms,
            "faults": [asdict(fault) for fault in faults.active],
            "faults_struck": faults.struck,
        }
    )


async def add_fault(request: web.Request) -> web.Response:
    try:
        fault = fault_from(await body_of(request))
    except FaultError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    request.app[FAULTS].active.append(fault)
    return web.json_response(asdict(fault), status=201)


async def clear_faults(request: web.Request) -> web.Response:
    request.app[FAULTS].clear()
    return web.json_response({"faults": []})


async def set_latency(request: web.Request) -> web.Response:
    request.app[FAULTS].latency_ms = int(str((await body_of(request)).get("ms", 0)))
    return web.json_response({"latency_ms": request.app[FAULTS].latency_ms})


async def advance_clock(request: web.Request) -> web.Response:
    """Turn the exchange's clock, and Telegram's, on to an instant (UTC ms)."""
    timeline = request.app[VENUE].timeline
    try:
        timeline.advance_to(int(str((await body_of(request)).get("to_ms", ""))))
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    return web.json_response({"exchange_time_ms": timeline.now_ms()})


async def set_limits(request: web.Request) -> web.Response:
    """Switch Telegram's limits off, or on again as they were at start."""
    enabled = bool((await body_of(request)).get("enabled", True))
    bot = request.app[BOT]
    bot.gate.limits = request.app[CONFIG].limits if enabled else None
    return web.json_response({"enabled": bot.gate.limits is not None})


async def journal(request: web.Request) -> web.Response:
    """Accepted requests from number `since` on (0: all)."""
    since = int(request.query.get("since", "0"))
    records = request.app[BOT].chats.sent.records
    return web.json_response({"records": records[since:], "next": len(records)})


async def list_chats(request: web.Request) -> web.Response:
    chats = request.app[BOT].chats
    listed = sorted(chats.by_id.values(), key=_last_message_id, reverse=True)
    return web.json_response({"version": chats.version, "chats": [summary(chat) for chat in listed]})


async def open_chat(request: web.Request) -> web.Response:
    asked, bot = await body_of(request), request.app[BOT]
    if not str(asked.get("id", "")).lstrip("-").isdigit():
        raise web.HTTPBadRequest(text='send {"id": whole number, "first_name": text, "username": text}')
    name, username = str(asked.get("first_name") or "Visitor"), str(asked.get("username") or "")
    chat = await bot.chats.open(int(str(asked["id"])), name, username)
    return web.json_response(summary(chat), status=201)


async def show_chat(request: web.Request) -> web.Response:
    chat = _chat(request)
    marked = [message | _marks(chat, message) for message in chat.messages[-SHOWN_MESSAGES:]]
    return web.json_response(summary(chat) | {"messages": marked, "toasts": chat.toasts[-5:]})


async def change_chat(request: web.Request) -> web.Response:
    asked = await body_of(request)
    update = await visitors.set_blocked(request.app[BOT], _chat(request), blocked=bool(asked.get("blocked")))
    return web.json_response(update)


async def write_message(request: web.Request) -> web.Response:
    text = str((await body_of(request)).get("text", ""))
    return web.json_response(await visitors.write(request.app[BOT], _chat(request), text), status=201)


async def press_button(request: web.Request) -> web.Response:
    asked = await body_of(request)
    message_id, data = int(str(asked.get("message_id", 0))), str(asked.get("data", ""))
    update = await visitors.press(request.app[BOT], _chat(request), message_id, data)
    return web.json_response(update, status=201)


async def pay(request: web.Request) -> web.Response:
    message_id = int(str((await body_of(request)).get("message_id", 0)))
    return web.json_response(await visitors.pay(request.app[BOT], _chat(request), message_id))


async def photo(request: web.Request) -> web.Response:
    content = request.app[BOT].photos.find(request.match_info["file_id"])
    if content is None:
        raise web.HTTPNotFound(text="no picture has this id")
    return web.Response(body=content, content_type="image/png")


async def document(request: web.Request) -> web.Response:
    content = request.app[BOT].documents.find(request.match_info["file_id"])
    if content is None:
        raise web.HTTPNotFound(text="no document has this id")
    return web.Response(body=content, content_type="application/octet-stream")


async def commands(request: web.Request) -> web.Response:
    """What setMyCommands left, by scope and language."""
    found = request.app[BOT].commands
    return web.json_response(
        {f"{scope} {language}".strip(): each for (scope, language), each in found.items()}
    )


def summary(chat: Chat) -> dict[str, object]:
    """A chat's line in the list."""
    last = chat.messages[-1] if chat.messages else {}
    return {
        "id": chat.id,
        "first_name": chat.first_name,
        "username": chat.username,
        "blocked": chat.blocked,
        "count": len(chat.messages),
        "last_text": last.get("text") or last.get("caption") or _kind_of(last),
        "last_date": last.get("date"),
    }


def _kind_of(message: dict[str, object]) -> str:
    """What a message without a text is, in the list."""
    kinds = {
        "photo": "Photo",
        "document": "Document",
        "invoice": "Invoice",
        "successful_payment": "Paid",
        "refunded_payment": "Refunded",
    }
    return next((words for name, words in kinds.items() if name in message), "")


def _marks(chat: Chat, message: dict[str, object]) -> dict[str, object]:
    message_id = int(str(message["message_id"]))
    return {"silent": message_id in chat.silent, "edited": message_id in chat.edited}


def _last_message_id(chat: Chat) -> int:
    return int(str(chat.messages[-1]["message_id"])) if chat.messages else 0


def _chat(request: web.Request) -> Chat:
    return request.app[BOT].chats.get(request.match_info["chat_id"])


@web.middleware
async def teach_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refusals of the stand-ins reach the page as their own bodies."""
    try:
        return await handler(request)
    except TelegramError as error:
        return error.response()


def add_control(app: web.Application, config: SandboxConfig) -> None:
    app[CONFIG] = config
    chat = "/_sandbox/chats/{chat_id}"
    app.add_routes(
        [
            web.get("/_sandbox/status", status),
            web.post("/_sandbox/faults", add_fault),
            web.delete("/_sandbox/faults", clear_faults),
            web.post("/_sandbox/latency", set_latency),
            web.post("/_sandbox/clock", advance_clock),
            web.post("/_sandbox/limits", set_limits),
            web.get("/_sandbox/journal", journal),
            web.get("/_sandbox/chats", list_chats),
            web.post("/_sandbox/chats", open_chat),
            web.get(chat, show_chat),
            web.patch(chat, change_chat),
            web.post(chat + "/messages", write_message),
            web.post(chat + "/callbacks", press_button),
            web.post(chat + "/pay", pay),
            web.get("/_sandbox/photos/{file_id}", photo),
            web.get("/_sandbox/documents/{file_id}", document),
            web.get("/_sandbox/commands", commands),
        ]
    )
