"""The sandbox on a real port inside the test's own loop."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import ccxt.async_support as ccxt
from aiohttp import web
from telegram import Bot
from telegram.request import HTTPXRequest

from copilot_project.sandbox.app import build_app
from copilot_project.sandbox.config import SandboxConfig
from copilot_project.sandbox.exchange.timeline import Timeline
from copilot_project.sandbox.exchange.venue import Venue
from copilot_project.sandbox.market.simulated import TICKS, SimulatedMarket

CHAT = 7_000_000_001
SIMULATED = SimulatedMarket(seed=7)


@dataclass
class Served:
    """A running sandbox as its clients see it."""

    url: str
    config: SandboxConfig
    http: aiohttp.ClientSession

    def exchange(self) -> Any:
        """The real ccxt client, every URL's scheme and host replaced."""
        client = ccxt.binance(
            {
                "enableRateLimit": False,
                "options": {
                    "defaultType": "spot",
                    "fetchMarkets": {"types": ["spot"]},
                    "fetchCurrencies": False,
                },
            }
        )
        for name, address in client.urls["api"].items():
            client.urls["api"][name] = re.sub(r"^https?://[^/]+", f"{self.url}/binance", address)
        return client

    def bot(self, token: str | None = None, read_timeout: float = 60.0) -> Bot:
        """The real python-telegram-bot client."""
        request = HTTPXRequest(connection_pool_size=50, read_timeout=read_timeout)
        return Bot(token or self.config.token, base_url=f"{self.url}/bot", request=request)

    async def get(self, path: str) -> tuple[int, dict[str, str], Any]:
        async with self.http.get(self.url + path) as response:
            return response.status, dict(response.headers), await response.json()

    async def post(self, path: str, body: object) -> Any:
        async with self.http.post(self.url + path, json=body) as response:
            return await response.json(content_type=None)

    async def call(self, method: str, body: dict[str, object]) -> tuple[int, dict[str, str], Any]:
        """A raw Bot API call, to see status, headers and body as they are on the wire."""
        async with self.http.post(f"{self.url}/bot{self.config.token}/{method}", json=body) as response:
            return response.status, dict(response.headers), await response.json()

    async def journal(self) -> list[dict[str, Any]]:
        return (await self.get("/_sandbox/journal"))[2]["records"]  # type: ignore[no-any-return]

    async def open_chat(self, chat_id: int = CHAT) -> int:
        await self.post("/_sandbox/chats", {"id": chat_id, "first_name": "Ada", "username": "ada"})
        return chat_id


def simulated_venue() -> Venue:
    return Venue(SIMULATED, Timeline(), "Simulated market (seed 7)", TICKS)


@asynccontextmanager
async def serving(
    config: SandboxConfig, venue: Venue | None = None, *mutations: web.middleware
) -> AsyncIterator[Served]:
    app = build_app(config, venue or simulated_venue())
    for mutation in mutations:
        app.middlewares.append(mutation)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession() as http:
            yield Served(url, config, http)
    finally:
        await runner.cleanup()


def configured(folder: Path, **settings: Any) -> SandboxConfig:
    return SandboxConfig(state=folder, **settings)
