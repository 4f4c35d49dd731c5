"""The book of one sandbox, read back from its journal; a new one has one account for everybody."""

from decimal import Decimal

from copilot_project.sandbox.config import SandboxConfig
from copilot_project.sandbox.exchange.venue import Venue
from copilot_project.sandbox.journal import Journal
from copilot_project.sandbox.trading.book import Book, TradingAccount

# Whoever starts the sandbox may trade with this one; it opens nothing else.
SANDBOX_API_KEY = "sandbox-exchange-key"
SANDBOX_API_SECRET = "sandbox-exchange-secret"  # noqa: S105
FIRST_BALANCES = {"USDT": Decimal(100_000)}


def open_book(config: SandboxConfig, venue: Venue) -> Book:
    def price_of(symbol: str) -> Decimal:
        return Decimal(f"{venue.price(symbol):.8f}")

    def tick_of(symbol: str) -> Decimal:
        return Decimal(f"{venue.ticks[symbol]:.8f}").normalize()

    first = TradingAccount(SANDBOX_API_KEY, SANDBOX_API_SECRET, balances=dict(FIRST_BALANCES))
    return Book(
        journal=Journal(config.state / "exchange.jsonl"),
        price_of=price_of,
        tick_of=tick_of,
        now_ms=venue.timeline.now_ms,
        symbols=venue.market.symbols,
        accounts={first.key: first},
    )
