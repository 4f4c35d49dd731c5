"""Binance's spot REST dialect: the public market data endpoints."""

import re
import time
from collections.abc import Callable

from aiohttp import web

from copilot_project.sandbox.exchange.info import exchange_info
from copilot_project.sandbox.exchange.venue import Venue
from copilot_project.sandbox.exchange.weights import WeightBudget, exchange_error
from copilot_project.sandbox.faults import Fault, Faults
from copilot_project.sandbox.market.bars import DAY_MS, INTERVALS, Bars
from copilot_project.sandbox.spoiling import spoil

VENUE = web.AppKey("venue", Venue)
BUDGET = web.AppKey("budget", WeightBudget)
EXCHANGE_FAULTS = web.AppKey("exchange_faults", Faults)
CLOCK: web.AppKey[Callable[[], int]] = web.AppKey("clock")

MAX_KLINES = 1000
DEFAULT_KLINES = 500
SYMBOL = re.compile(r"^[A-Z0-9\-_.]{1,20}$")

Answer = dict[str, object] | list[object]
Endpoint = Callable[[Venue, web.Request], Answer]


def ping(venue: Venue, request: web.Request) -> Answer:
    return {}


def server_time(venue: Venue, request: web.Request) -> Answer:
    return {"serverTime": request.app[CLOCK]()}


def info(venue: Venue, request: web.Request) -> Answer:
    wanted = symbols_of(venue, request)
    return exchange_info(venue, wanted)


def klines(venue: Venue, request: web.Request) -> Answer:
    symbol = _required(request, "symbol")
    interval = _required(request, "interval")
    _check_symbol(venue, symbol)
    if interval not in INTERVALS:
        raise exchange_error(400, -1120, "Invalid interval.")
    limit = _number(request, "limit")
    start, end = _number(request, "startTime"), _number(request, "endTime")
    if limit is not None and limit < 1:
        raise exchange_error(400, -1130, "Data sent for parameter 'limit' is not valid.")
    count = min(limit or DEFAULT_KLINES, MAX_KLINES)
    return kline_rows(venue.klines(symbol, interval, start, end, count), INTERVALS[interval])


def kline_rows(bars: Bars, step_ms: int) -> list[object]:
    """Binance's twelve columns; trades and taker share are unknown and follow from the volume."""
    rows: list[object] = []
    for opened_at, opened, high, low, close, volume in zip(
        *(c.tolist() for c in bars.columns()), strict=True
    ):
        quote = volume * (opened + close) / 2
        prices = [_decimal(value) for value in (opened, high, low, close, volume)]
        taker = [_decimal(volume / 2), _decimal(quote / 2)]
        rows.append(
            [opened_at, *prices, opened_at + step_ms - 1, _decimal(quote), int(volume > 0), *taker, "0"]
        )
    return rows


def ticker_price(venue: Venue, request: web.Request) -> Answer:
    return _per_symbol(
        venue, request, lambda symbol: {"symbol": symbol, "price": _decimal(venue.price(symbol))}
    )


def book_ticker(venue: Venue, request: web.Request) -> Answer:
    return _per_symbol(venue, request, lambda symbol: {"symbol": symbol} | _book(venue, symbol))


def ticker_24hr(venue: Venue, request: web.Request) -> Answer:
    return _per_symbol(venue, request, lambda symbol: _day(venue, symbol))


def _per_symbol(venue: Venue, request: web.Request, one: Callable[[str], dict[str, object]]) -> Answer:
    if "symbol" in request.query:
        return one(symbols_of(venue, request)[0])
    return [one(symbol) for symbol in symbols_of(venue, request)]


def _book(venue: Venue, symbol: str) -> dict[str, object]:
    price, tick = venue.price(symbol), venue.ticks[symbol]
    bid, ask = _decimal(price - tick), _decimal(price)
    return {"bidPrice": bid, "bidQty": "1.00000000", "askPrice": ask, "askQty": "1.00000000"}


def _day(venue: Venue, symbol: str) -> dict[str, object]:
    bars, now = venue.day(symbol), venue.timeline.now_ms()
    if not len(bars):
        raise exchange_error(400, -1121, "Invalid symbol.")
    opened, last, volume = float(bars.open[0]), float(bars.close[-1]), float(bars.volume.sum())
    quote = float((bars.volume * (bars.open + bars.close) / 2).sum())
    return {
        "symbol": symbol,
        "priceChange": _decimal(last - opened),
        "priceChangePercent": f"{(last / opened - 1) * 100:.3f}",
        "weightedAvgPrice": _decimal(quote / volume if volume else last),
        "prevClosePrice": _decimal(opened),
        "lastPrice": _decimal(last),
        "lastQty": "1.00000000",
        **_book(venue, symbol),
        "openPrice": _decimal(opened),
        "highPrice": _decimal(float(bars.high.max())),
        "lowPrice": _decimal(float(bars.low.min())),
        "volume": _decimal(volume),
        "quoteVolume": _decimal(quote),
        "openTime": now - DAY_MS,
        "closeTime": now,
        "firstId": 1,
        "lastId": len(bars),
        "count": len(bars),
    }


def symbols_of(venue: Venue, request: web.Request) -> tuple[str, ...]:
    """The symbol or symbols that the request names, else all."""
    if "symbol" in request.query:
        _check_symbol(venue, request.query["symbol"])
        return (request.query["symbol"],)
    if "symbols" in request.query:
        named = tuple(re.findall(r'"([^"]*)"', request.query["symbols"]))
        for symbol in named:
            _check_symbol(venue, symbol)
        return named
    return venue.market.symbols


def _check_symbol(venue: Venue, symbol: str) -> None:
    if not SYMBOL.match(symbol):
        raise exchange_error(400, -1100, _ILLEGAL.format("symbol", SYMBOL.pattern))
    if symbol not in venue.market.symbols:
        raise exchange_error(400, -1121, "Invalid symbol.")


_ILLEGAL = "Illegal characters found in parameter '{}'; legal range is '{}'."


def _required(request: web.Request, name: str) -> str:
    value = request.query.get(name, "")
    if not value:
        text = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
        raise exchange_error(400, -1102, text)
    return value


def _number(request: web.Request, name: str) -> int | None:
    value = request.query.get(name)
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,20}", value):
        raise exchange_error(400, -1100, _ILLEGAL.format(name, "^[0-9]{1,20}$"))
    return int(value)


def _decimal(value: float) -> str:
    return f"{value:.8f}"


# endpoint, weight with a symbol, weight for all symbols
ENDPOINTS: dict[str, tuple[Endpoint, int, int]] = {
    "ping": (ping, 1, 1),
    "time": (server_time, 1, 1),
    "exchangeInfo": (info, 20, 20),
    "klines": (klines, 2, 2),
    "ticker/price": (ticker_price, 2, 4),
    "ticker/bookTicker": (book_ticker, 2, 4),
    "ticker/24hr": (ticker_24hr, 2, 80),
}


async def answer(request: web.Request) -> web.StreamResponse:
    """Charge the caller's budget and answer one public request."""
    name = request.match_info["endpoint"]
    if name not in ENDPOINTS:
        raise web.HTTPNotFound(
            text="<html><body><h1>404 Not Found</h1></body></html>", content_type="text/html"
        )
    endpoint, weight, weight_of_all = ENDPOINTS[name]
    budget = request.app[BUDGET]
    budget.charge(weight if "symbol" in request.query else weight_of_all, time.time())
    fault = request.app[EXCHANGE_FAULTS].strike("exchange", name)
    if fault is not None and not fault.accepts:
        raise _refusal(fault)
    response = web.json_response(endpoint(request.app[VENUE], request), headers=budget.headers())
    return await spoil(request, fault, response) if fault else response


def _refusal(fault: Fault) -> web.HTTPException:
    if fault.kind == "429":
        return exchange_error(429, -1003, "Too many requests.", {"Retry-After": str(fault.retry_after)})
    return exchange_error(int(fault.kind), -1000, fault.description or "An unknown error occurred")


def add_exchange(app: web.Application, venue: Venue, faults: Faults, weight_limit: int) -> None:
    app[VENUE] = venue
    app[EXCHANGE_FAULTS] = faults
    app[BUDGET] = WeightBudget(weight_limit)
    app.router.add_get("/binance/api/v3/{endpoint:.+}", answer)
