"""Limits on request bodies in front of Django, which would keep each, as far as it came, before any view sees it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LARGEST_UPDATE = 256 * 1024
LARGEST_LOGIN = 32 * 1024
LARGEST_BODY = 1024 * 1024
# By the beginning of the path; a page that takes more than LARGEST_BODY is named here too.
LIMITS = {"/telegram/webhook": LARGEST_UPDATE, "/accounts/": LARGEST_LOGIN, "/admin/login/": LARGEST_LOGIN}
# A body that trickles in holds memory and a connection; the slowest phone needs no minute for a megabyte.
BODY_SECONDS = 20.0
TOO_LARGE, TOO_SLOW = 413, 408


def limited(application: Application, *, seconds: float = BODY_SECONDS) -> Application:
    """The ASGI application; a larger body gets 413 as soon as that is known, a slower one 408."""

    async def limit(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        body = Body(receive, most=limit_of(scope["path"]), seconds=seconds)
        if _promised(scope) > body.most:
            await _refuse(send, TOO_LARGE)
            return
        await application(scope, body.receive, send)
        if body.refusal:
            await _refuse(send, body.refusal)

    return limit


class Body:
    """A request's body as it comes in. What is refused looks like a visitor who left, and ends the request."""

    def __init__(self, receive: Receive, *, most: int, seconds: float) -> None:
        self._receive = receive
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._taken = 0
        self._is_whole = False
        self.most = most
        self.refusal = 0

    async def receive(self) -> Message:
        if self._is_whole:  # Django listens on, for a visitor who leaves
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            self.refusal = TOO_SLOW
            return {"type": "http.disconnect"}
        self._taken += len(message.get("body", b""))
        self._is_whole = not message.get("more_body")
        if self._taken > self.most:
            self.refusal = TOO_LARGE
            return {"type": "http.disconnect"}
        return message


def limit_of(path: str) -> int:
    return next((most for start, most in LIMITS.items() if path.startswith(start)), LARGEST_BODY)


def _promised(scope: Scope) -> int:
    text = dict(scope["headers"]).get(b"content-length", b"").decode("latin-1")
    return int(text) if text.isascii() and text.isdigit() else 0


async def _refuse(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": b""})
