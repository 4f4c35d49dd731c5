"""What the market room wants from an outside world of prices, and where to get one.

Providers are found by dotted path, so that a process that never asks an exchange never imports ccxt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from signals.engine.quality import RawCandles
from signals.engine.timeframe import Timeframe

CCXT = "signals.market.providers.ccxt_provider.CcxtProvider"
# Exchanges that ccxt does not know, by code: the dotted path of a class like `MarketDataProvider` (docs/extending.md).
PATHS: dict[str, str] = {}


class ProviderError(Exception):
    """A provider gave no usable answer. `permanent`: asking again, or asking another one, cannot help."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class TimeframeMissingError(ProviderError):
    """The exchange tells no candles of that length, and never will."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


@dataclass(frozen=True, slots=True)
class MarketRules:
    """What an order must keep to, each above zero: steps of price and amount, least amount (base) and value (quote).

    None where the exchange does not tell it, or has no such rule. is_perpetual: a swap, which has costs of its own and
    can be shorted. Whether a spot market is traded on margin depends on the subscribers' accounts: that is no rule.
    """

    tick_size: Decimal | None = None
    lot_step: Decimal | None = None
    minimum_amount: Decimal | None = None
    minimum_notional: Decimal | None = None
    is_perpetual: bool = False


class MarketDataProvider(Protocol):
    """Reads only. Every method raises ProviderError."""

    name: str

    def server_time(self) -> int:
        """The exchange's clock, UTC ms."""

    def fetch_candles(self, *, symbol: str, timeframe: Timeframe, since_ms: int, limit: int) -> RawCandles:
        """One page: at most `limit` bars that open at or after `since_ms`, as the source tells them.

        Nothing is promised about their condition, and the newest one may still be forming.
        """

    def market_rules(self) -> Mapping[str, MarketRules]:
        """The rules of all its markets by symbol, asked anew."""


def provider_for(exchange_code: str) -> MarketDataProvider:
    """This process's provider of an exchange: one each, because rate limits are kept in it."""
    return _provider(exchange_code, settings.EXCHANGE_API_URL)


@cache
def _provider(exchange_code: str, api_url: str | None) -> MarketDataProvider:
    provider: MarketDataProvider = import_string(PATHS.get(exchange_code, CCXT))(
        exchange_code, api_url=api_url
    )
    return provider
