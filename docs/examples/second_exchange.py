"""Candles of an exchange that ccxt does not know, by a small HTTP API that answers in JSON.

GET /time            {"now": 1735689600000}
GET /candles?symbol=BTC/USD&minutes=60&from=MS&count=N
                     [[open_time_ms, open, high, low, close, volume], …]
GET /markets         {"BTC/USD": {"tick": "0.01", "lot": "0.0001", "least": "5"}}
"""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from signals.engine.quality import RawCandles
from signals.engine.timeframe import Timeframe
from signals.market.providers import MarketRules, ProviderError
from signals.telemetry import count_outside_call, expect_outside_calls

SECONDS = 10.0


class SmallExchange:
    """One `MarketDataProvider`; every method raises ProviderError."""

    def __init__(self, exchange_code: str, *, api_url: str | None) -> None:
        if not api_url:
            raise ProviderError("EXCHANGE_API_URL must say where the exchange is", permanent=True)
        self.name = exchange_code
        self._url = api_url
        expect_outside_calls(exchange_code)

    def server_time(self) -> int:
        return int(self._ask("time")["now"])

    def fetch_candles(self, *, symbol: str, timeframe: Timeframe, since_ms: int, limit: int) -> RawCandles:
        rows = self._ask(
            "candles", symbol=symbol, minutes=timeframe.seconds // 60, **{"from": since_ms, "count": limit}
        )
        columns = np.array(rows, dtype=np.float64).reshape(-1, 6).T
        return RawCandles(columns[0].astype(np.int64), *columns[1:])

    def market_rules(self) -> Mapping[str, MarketRules]:
        return {
            symbol: MarketRules(
                tick_size=Decimal(told["tick"]),
                lot_step=Decimal(told["lot"]),
                minimum_notional=Decimal(told["least"]),
            )
            for symbol, told in self._ask("markets").items()
        }

    def _ask(self, path: str, **query: object) -> Any:
        """One answer; an error counts, and says whether asking again can help."""
        url = f"{self._url}/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=SECONDS) as answer:  # noqa: S310  (an operator's setting)
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            count_outside_call(self.name, "error")
            permanent = 400 <= error.code < 500 and error.code != 429
            raise ProviderError(f"{self.name} answers {error.code} to {path}", permanent=permanent) from error
        except (OSError, ValueError) as error:
            count_outside_call(self.name, "error")
            raise ProviderError(f"{self.name} gave no usable answer to {path}", permanent=False) from error
        count_outside_call(self.name, "ok")
        return found
