"""Answers that never arrive, arrive late or arrive broken, for requests that took effect."""

import asyncio

from aiohttp import web

from copilot_project.sandbox.faults import Fault
from copilot_project.sandbox.telegram.errors import TelegramError

HANG_S = 3600.0


async def spoil(request: web.Request, fault: Fault, response: web.StreamResponse) -> web.StreamResponse:
    """What the caller sees of a request that was accepted."""
    if fault.kind == "502":
        return TelegramError(502, "Bad Gateway").response()
    if fault.kind == "garbage":
        return web.Response(text="<html>502 Bad Gateway", content_type="text/html")
    if fault.kind == "close":
        if request.transport is not None:
            request.transport.abort()
        return response
    await asyncio.sleep(HANG_S if fault.kind == "hang" else fault.seconds)
    return response
