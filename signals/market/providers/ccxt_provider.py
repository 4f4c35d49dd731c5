"""Any exchange that ccxt knows, over its public REST endpoints."""

import re
import time
from collections.abc import Callable, Mapping
from decimal import Decimal, localcontext
from typing import Any, TypeVar

import ccxt
import numpy as np
import stamina

from signals.engine.quality import RawCandles
from signals.engine.timeframe import Timeframe
from signals.market.providers import MarketRules, ProviderError, TimeframeMissingError
from signals.telemetry import count_outside_call, expect_outside_calls

Answer = TypeVar("Answer")

REQUEST_TIMEOUT_MS = 10_000
ATTEMPTS = 3
PATIENCE_SECONDS = 15.0
LONGEST_WAIT_SECONDS = 5.0
COOL_DOWN_SECONDS = 60.0
# Without them ccxt's load_markets() also asks futures and wallet hosts that a spot reader never needs.
OPTIONS: dict[str, dict[str, Any]] = {
    "binance": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False},
}
HOPELESS = (ccxt.BadSymbol, ccxt.BadRequest, ccxt.NotSupported, ccxt.AuthenticationError)
THROTTLED = (ccxt.RateLimitExceeded, ccxt.DDoSProtection)


class CcxtProvider:
    """Reads one exchange. `api_url` replaces scheme and host of all its URLs (a stand-in, a proxy)."""

    def __init__(self, exchange_code: str, *, api_url: str | None = None) -> None:
        if exchange_code not in ccxt.exchanges:
            message = (
                f"ccxt knows no exchange {exchange_code!r}: use one of ccxt.exchanges, e.g. binance or kraken"
            )
            raise ProviderError(message, permanent=True)
        self.name = exchange_code
        self._quiet_until = 0.0
        self._exchange = getattr(ccxt, exchange_code)(
            {
                "timeout": REQUEST_TIMEOUT_MS,
                "enableRateLimit": True,
                "enableLastJsonResponse": True,
                "enableLastResponseHeaders": True,
                "options": OPTIONS.get(exchange_code, {}),
            }
        )
        if api_url:
            self._exchange.urls["api"] = redirected(self._exchange.urls["api"], api_url)
        expect_outside_calls(exchange_code)

    def server_time(self) -> int:
        """The exchange's clock, UTC ms; our own for the few exchanges that do not tell theirs."""
        if not self._exchange.has["fetchTime"]:
            return int(self._exchange.milliseconds())
        return int(self._read(self._exchange.fetch_time))

    def fetch_candles(self, *, symbol: str, timeframe: Timeframe, since_ms: int, limit: int) -> RawCandles:
        """One page of bars, as the exchange tells them. Raises ProviderError."""
        if timeframe not in (self._exchange.timeframes or {}):
            raise TimeframeMissingError(f"{self.name} has no {timeframe} candles")
        self._load_markets()
        return self._read(
            lambda: as_columns(
                self._exchange.fetch_ohlcv(symbol, timeframe.value, since=since_ms, limit=limit)
            )
        )

    def market_rules(self) -> dict[str, MarketRules]:
        """The rules of all its markets by unified symbol. Raises ProviderError."""
        markets = self._read(lambda: self._exchange.load_markets(reload=True))
        return {symbol: as_rules(market, self._exchange.precisionMode) for symbol, market in markets.items()}

    def _load_markets(self) -> None:
        if not self._exchange.markets:
            self._read(self._exchange.load_markets)

    def _read(self, call: Callable[[], Answer]) -> Answer:
        """Ask, a few times where that can help, never while the exchange has told us to be quiet."""
        wait = self._quiet_until - time.monotonic()
        if wait > 0:
            raise ProviderError(f"{self.name} told us to be quiet for another {wait:.0f} s", permanent=False)
        try:
            return self._read_with_retries(call)
        except (ccxt.BaseError, ValueError) as error:
            message = f"{self.name}: {type(error).__name__}: {error}"
            raise ProviderError(message, permanent=isinstance(error, HOPELESS)) from error

    def _read_with_retries(self, call: Callable[[], Answer]) -> Answer:
        for attempt in stamina.retry_context(
            on=self._retry_after,
            attempts=ATTEMPTS,
            timeout=PATIENCE_SECONDS,
            wait_initial=0.2,
            wait_jitter=0.2,
        ):
            with attempt:
                return self._counted(call)
        raise AssertionError("retry_context ends with an answer or an exception")

    def _counted(self, call: Callable[[], Answer]) -> Answer:
        try:
            with localcontext():  # ccxt changes how whoever calls it rounds
                answer = call()
            self._require_json()
        except (ccxt.BaseError, ValueError):
            count_outside_call(self.name, "error")
            raise
        count_outside_call(self.name, "ok")
        return answer

    def _require_json(self) -> None:
        """ccxt reads the error page of a proxy, sent with status 200, as an empty list of candles."""
        if self._exchange.last_json_response is None:
            raise ccxt.ExchangeNotAvailable("the answer is not JSON")

    def _retry_after(self, error: Exception) -> bool | float:
        """stamina's question: again? True: after the usual back-off; a number: after so many seconds."""
        if not isinstance(error, THROTTLED):
            return isinstance(error, ccxt.OperationFailed)
        seconds = told_to_wait(self._exchange.last_response_headers)
        self._quiet_until = time.monotonic() + seconds
        return seconds if seconds <= LONGEST_WAIT_SECONDS else False


def redirected(urls: Any, api_url: str) -> Any:
    """ccxt's nested URLs with scheme and host replaced."""
    if isinstance(urls, dict):
        return {key: redirected(value, api_url) for key, value in urls.items()}
    if isinstance(urls, list):
        return [redirected(value, api_url) for value in urls]
    return re.sub(r"^https?://[^/]+", api_url.rstrip("/"), urls) if isinstance(urls, str) else urls


def told_to_wait(headers: Any) -> float:
    """Seconds of a Retry-After header; a minute where a throttled answer names none."""
    told = str((headers or {}).get("Retry-After", ""))
    return float(told) if re.fullmatch(r"\d+(\.\d+)?", told) else COOL_DOWN_SECONDS


def as_rules(market: Mapping[str, Any], precision_mode: int) -> MarketRules:
    """ccxt's description of a market, whose precision is a step or, on some exchanges, a number of decimals.

    Significant digits, which a few exchanges use, are no step: unknown.
    """
    precision, limits = market.get("precision") or {}, market.get("limits") or {}

    def step(name: str) -> Decimal | None:
        told = precision.get(name)
        if precision_mode == ccxt.DECIMAL_PLACES and told is not None:
            return Decimal(1).scaleb(-int(told))
        return positive(told) if precision_mode == ccxt.TICK_SIZE else None

    def least(name: str) -> Decimal | None:
        return positive((limits.get(name) or {}).get("min"))

    is_perpetual = market.get("type") == "swap"
    return MarketRules(step("price"), step("amount"), least("amount"), least("cost"), is_perpetual)


def positive(told: float | None) -> Decimal | None:
    """As the exchange wrote it: a float's shortest text, not its binary tail. None for zero, which rules nothing."""
    return Decimal(str(told)) if told is not None and told > 0 else None


def as_columns(bars: list[list[float | None]]) -> RawCandles:
    """ccxt's rows of [ms, open, high, low, close, volume]; an absent number becomes NaN, for inspection to refuse.

    Raises ValueError when the rows are no candles.
    """
    rows = np.array(bars, dtype=np.float64).reshape(-1, 6)
    if not np.isfinite(rows[:, 0]).all():
        raise ValueError("a bar without a time")
    return RawCandles(rows[:, 0].astype(np.int64), *rows[:, 1:].T)
