"""The sandbox as one aiohttp application."""

from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler
from yarl import URL

from copilot_project.sandbox.config import LOOPBACK_HOSTS, SandboxConfig
from copilot_project.sandbox.control.endpoints import add_control, teach_errors
from copilot_project.sandbox.control.pages import add_pages
from copilot_project.sandbox.exchange.endpoints import add_exchange
from copilot_project.sandbox.exchange.venue import Venue
from copilot_project.sandbox.faults import Faults
from copilot_project.sandbox.google import add_google
from copilot_project.sandbox.journal import Journal
from copilot_project.sandbox.sentiment import add_sentiment
from copilot_project.sandbox.telegram.chats import Chats
from copilot_project.sandbox.telegram.endpoints import BOT, CALLS, add_telegram
from copilot_project.sandbox.telegram.methods import Bot
from copilot_project.sandbox.telegram.photos import Photos
from copilot_project.sandbox.telegram.send_limits import SendGate
from copilot_project.sandbox.telegram.webhook import Updates
from copilot_project.sandbox.trading.binance import BOOK, add_binance_accounts
from copilot_project.sandbox.trading.control import add_exchange_control
from copilot_project.sandbox.trading.kraken import add_kraken
from copilot_project.sandbox.trading.opening import open_book

MAX_BODY = 12 * 1024 * 1024


@web.middleware
async def loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse names that merely resolve to loopback, or any web page could drive the sandbox."""
    if request.url.host not in LOOPBACK_HOSTS:
        raise web.HTTPForbidden(text="the sandbox answers under 127.0.0.1 and localhost only")
    origin = request.headers.get("Origin", "")
    if request.method not in ("GET", "HEAD") and origin and URL(origin).authority != request.url.authority:
        raise web.HTTPForbidden(text="another site may not press the sandbox's buttons")
    return await handler(request)


def build_app(config: SandboxConfig, venue: Venue) -> web.Application:
    """All stand-ins on one port; state lives in `config.state`."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[loopback_only, teach_errors])
    faults = Faults(config.seed)
    bot = _bot(config, venue)
    add_binance_accounts(app, open_book(config, venue))
    add_kraken(app)
    add_exchange(app, venue, faults, config.weight_limit)
    calls = Journal(config.state / "calls.jsonl") if config.record_calls else None
    add_telegram(app, bot, faults, calls)
    add_google(app, config.accounts)
    add_sentiment(app, faults, config.seed)
    add_control(app, config)
    add_exchange_control(app)
    add_pages(app)
    app.cleanup_ctx.append(_running)
    return app


def _bot(config: SandboxConfig, venue: Venue) -> Bot:
    sent, events = Journal(config.state / "telegram.jsonl"), Journal(config.state / "chats.jsonl")
    updates = Updates(config.state / "updates.json", config.webhook_url, config.webhook_secret)
    return Bot(
        config.token,
        Chats(sent, events),
        SendGate(config.limits),
        updates,
        Photos(config.state / "photos"),
        Photos(config.state / "documents", ".bin"),
        clock=lambda: venue.timeline.now_ms() / 1000,
    )


async def _running(app: web.Application) -> AsyncIterator[None]:
    bot = app[BOT]
    await bot.updates.start()
    yield
    await bot.updates.stop()
    await bot.chats.sent.close()
    await bot.chats.events.close()
    await app[BOOK].journal.close()
    if (calls := app[CALLS]) is not None:
        await calls.close()
