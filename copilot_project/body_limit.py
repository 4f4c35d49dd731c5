"""A limit on request bodies in front of Django, which would spool each to disk before any view sees it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LARGEST_UPDATE = 256 * 1024
LARGEST_BODY = 10 * 1024 * 1024
LIMITS = {"/telegram/webhook": LARGEST_UPDATE}


def limited(application: Application) -> Application:
    """The ASGI application; a larger body gets 413 as soon as that is known, whatever length was promised."""

    async def limit(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        most, taken = LIMITS.get(scope["path"], LARGEST_BODY), 0
        if _promised(scope) > most:
            await _refuse(send)
            return

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            return {"type": "http.disconnect"} if taken > most else message

        await application(scope, counted, send)
        if taken > most:
            await _refuse(send)

    return limit


def _promised(scope: Scope) -> int:
    text = dict(scope["headers"]).get(b"content-length", b"").decode("latin-1")
    return int(text) if text.isascii() and text.isdigit() else 0


async def _refuse(send: Send) -> None:
    await send({"type": "http.response.start", "status": 413, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": b""})
