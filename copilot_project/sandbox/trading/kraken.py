"""Kraken's REST dialect over the same book: what a client needs of the public side, and the private endpoints."""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from urllib.parse import parse_qsl

from aiohttp import web

from copilot_project.sandbox.exchange.endpoints import EXCHANGE_FAULTS
from copilot_project.sandbox.exchange.venue import split_symbol
from copilot_project.sandbox.spoiling import spoil
from copilot_project.sandbox.trading.binance import BOOK
from copilot_project.sandbox.trading.book import Book, TradingAccount
from copilot_project.sandbox.trading.orders import CANCELED, FILLED, BookError, VenueOrder, VenueTrade

Parameters = dict[str, str]
Endpoint = Callable[[Book, TradingAccount, Parameters], Awaitable[dict[str, object]]]

ASSETS = {"BTC": "XXBT", "ETH": "XETH", "DOGE": "XXDG"}
SHORT = {"BTC": "XBT", "DOGE": "XDG"}
TYPES = {"market": "MARKET", "limit": "LIMIT", "stop-loss": "STOP_LOSS", "stop-loss-limit": "STOP_LOSS_LIMIT"}
KINDS = {kind: name for name, kind in TYPES.items()}
REFUSALS = {
    "insufficient": "EOrder:Insufficient funds",
    "duplicate": "EGeneral:Invalid arguments:cl_ord_id",
    "trigger": "EOrder:Invalid price",
    "symbol": "EQuery:Unknown asset pair",
    "lot": "EGeneral:Invalid arguments:volume",
    "price": "EOrder:Invalid price",
    "notional": "EOrder:Order minimum not met",
    "type": "EGeneral:Invalid arguments:ordertype",
    "unknown": "EOrder:Unknown order",
}


class KrakenError(Exception):
    """Told with status 200 in the list of errors."""


def short(asset: str) -> str:
    return SHORT.get(asset, asset)


def asset_id(asset: str) -> str:
    return ASSETS.get(asset, asset)


def pair_of(symbol: str) -> str:
    base, quote = split_symbol(symbol)
    return short(base) + short(quote)


async def add_order(book: Book, account: TradingAccount, asked: Parameters) -> dict[str, object]:
    kind = TYPES.get(asked.get("ordertype", ""))
    if kind is None:
        raise BookError("type")
    price, is_stop = number(asked, "price"), kind.startswith("STOP")
    order = await book.place(
        key=account.key,
        client_id=asked.get("cl_ord_id", ""),
        symbol=symbol_of(book, asked.get("pair", "")),
        side=asked.get("type", "").upper(),
        kind=kind,
        quantity=number(asked, "volume"),
        price=number(asked, "price2") if kind == "STOP_LOSS_LIMIT" else Decimal(0) if is_stop else price,
        stop=price if is_stop else Decimal(0),
    )
    return {"descr": _description(order), "txid": [txid(order)]}


async def cancel_order(book: Book, account: TradingAccount, asked: Parameters) -> dict[str, object]:
    for order in book.of(account.key):
        if asked.get("txid") == txid(order):
            await book.cancel(order)
            return {"count": 1}
    raise BookError("unknown")


async def open_orders(book: Book, account: TradingAccount, asked: Parameters) -> dict[str, object]:
    return {"open": {txid(each): _order(book, each) for each in _seen(book, account) if each.is_open}}


async def closed_orders(book: Book, account: TradingAccount, asked: Parameters) -> dict[str, object]:
    since = float(asked.get("start", 0))
    ended = [each for each in _seen(book, account) if not each.is_open and each.updated_ms >= since * 1000]
    return {"closed": {txid(each): _order(book, each) for each in ended}, "count": len(ended)}


async def query_orders(book: Book, account: TradingAccount, asked: Parameters) -> dict[str, object]:
    wanted = asked.get("txid", "").split(",")
    seen = [each for each in _seen(book, account) if txid(each) in wanted]
    found: dict[str, object] = {txid(each): _order(book, each) for each in seen}
    if not found:
        raise BookError("unknown")
    return found


async def trades_history(book: Book, account: TradingAccount, asked: Parameters) -> dict[str, object]:
    since = float(asked.get("start", 0))
    found = {
        f"T{trade.id:05d}-SANDB-TRADES": _trade(book, trade)
        for trade in book.trades
        if trade.account == account.key
        and trade.at_ms >= since * 1000
        and book.is_visible(book.orders[trade.order_id])
    }
    return {"trades": found, "count": len(found)}


async def balance(book: Book, account: TradingAccount, asked: Parameters) -> dict[str, object]:
    return {asset_id(asset): f"{owned:.10f}" for asset, owned in account.balances.items()}


async def balance_ex(book: Book, account: TradingAccount, asked: Parameters) -> dict[str, object]:
    locked = book.locked(account.key)
    return {
        asset_id(asset): {
            "balance": f"{owned:.10f}",
            "hold_trade": f"{locked.get(asset, Decimal(0)):.10f}",
        }
        for asset, owned in account.balances.items()
    }


async def cancel_all_after(book: Book, account: TradingAccount, asked: Parameters) -> dict[str, object]:
    """The dead-man switch: it takes out every order, stops too."""
    seconds = int(asked.get("timeout", 0))
    account.cancel_after_ms = book.now_ms() + seconds * 1000 if seconds else 0
    return {"currentTime": str(book.now_ms()), "triggerTime": str(account.cancel_after_ms)}


PRIVATE: dict[str, Endpoint] = {
    "AddOrder": add_order,
    "CancelOrder": cancel_order,
    "OpenOrders": open_orders,
    "ClosedOrders": closed_orders,
    "QueryOrders": query_orders,
    "TradesHistory": trades_history,
    "Balance": balance,
    "BalanceEx": balance_ex,
    "CancelAllOrdersAfter": cancel_all_after,
}


def txid(order: VenueOrder) -> str:
    return f"O{order.id:05d}-SANDB-ORDERS"


def symbol_of(book: Book, pair: str) -> str:
    for symbol in book.symbols:
        base, quote = split_symbol(symbol)
        if pair in (pair_of(symbol), asset_id(base) + asset_id(quote), symbol):
            return symbol
    raise BookError("symbol")


def number(asked: Parameters, name: str) -> Decimal:
    try:
        return Decimal(asked.get(name) or "0")
    except InvalidOperation as error:
        raise KrakenError(f"EGeneral:Invalid arguments:{name}") from error


def _seen(book: Book, account: TradingAccount) -> list[VenueOrder]:
    return [order for order in book.of(account.key) if book.is_visible(order)]


def _description(order: VenueOrder) -> dict[str, object]:
    kind, pair = KINDS[order.type], pair_of(order.symbol)
    price = order.stop or order.price
    text = f"{order.side.lower()} {order.quantity:.8f} {pair} @ {kind}" + (f" {price}" if price else "")
    return {
        "pair": pair,
        "type": order.side.lower(),
        "ordertype": kind,
        "price": f"{price:.5f}",
        "price2": "0",
        "leverage": "none",
        "order": text,
        "close": "",
    }


def _order(book: Book, order: VenueOrder) -> dict[str, object]:
    fees = sum((t.fee for t in book.trades if t.order_id == order.id), Decimal(0))
    average = order.quote / order.executed if order.executed else Decimal(0)
    told: dict[str, object] = {
        "refid": None,
        "userref": 0,
        "cl_ord_id": order.client_id,
        "status": {FILLED: "closed", CANCELED: "canceled"}.get(order.status, "open"),
        "opentm": order.created_ms / 1000,
        "starttm": 0,
        "expiretm": 0,
        "descr": _description(order),
        "vol": f"{order.quantity:.8f}",
        "vol_exec": f"{order.executed:.8f}",
        "cost": f"{order.quote:.5f}",
        "fee": f"{fees:.5f}",
        "price": f"{average:.5f}",
        "stopprice": "0.00000",
        "limitprice": "0.00000",
        "misc": "",
        "oflags": "fciq",
    }
    if not order.is_open:
        told |= {"reason": None, "closetm": order.updated_ms / 1000}
    return told


def _trade(book: Book, trade: VenueTrade) -> dict[str, object]:
    order = book.orders[trade.order_id]
    return {
        "ordertxid": txid(order),
        "postxid": "TKH2SE-M7IF5-CFI7LT",
        "pair": asset_id(split_symbol(trade.symbol)[0]) + asset_id(split_symbol(trade.symbol)[1]),
        "time": trade.at_ms / 1000,
        "type": trade.side.lower(),
        "ordertype": KINDS[order.type],
        "price": f"{trade.price:.5f}",
        "cost": f"{trade.quote:.5f}",
        "fee": f"{trade.fee:.8f}",
        "vol": f"{trade.quantity:.8f}",
        "margin": "0.00000",
        "leverage": "0",
        "misc": "",
        "trade_id": trade.id,
        "maker": trade.is_maker,
    }


def _pairs(book: Book) -> dict[str, object]:
    told: dict[str, object] = {}
    for symbol in book.symbols:
        base, quote = split_symbol(symbol)
        tick, lot = book.tick_of(symbol), book.lot(symbol)
        told[asset_id(base) + asset_id(quote)] = {
            "altname": pair_of(symbol),
            "wsname": f"{short(base)}/{short(quote)}",
            "aclass_base": "currency",
            "base": asset_id(base),
            "aclass_quote": "currency",
            "quote": asset_id(quote),
            "lot": "unit",
            "cost_decimals": 5,
            "pair_decimals": max(-int(tick.normalize().as_tuple().exponent), 0),
            "lot_decimals": max(-int(lot.normalize().as_tuple().exponent), 0),
            "lot_multiplier": 1,
            "leverage_buy": [],
            "leverage_sell": [],
            "fees": [[0, 0.1]],
            "fees_maker": [[0, 0.1]],
            "fee_volume_currency": "ZUSD",
            "margin_call": 80,
            "margin_stop": 40,
            "ordermin": str(lot),
            "costmin": "5",
            "tick_size": f"{tick:f}",
            "status": "online",
        }
    return told


def _assets(book: Book) -> dict[str, object]:
    names = {asset for symbol in book.symbols for asset in split_symbol(symbol)}
    return {
        asset_id(name): {
            "aclass": "currency",
            "altname": short(name),
            "decimals": 10,
            "display_decimals": 5,
            "status": "enabled",
        }
        for name in sorted(names)
    }


async def public(request: web.Request) -> web.Response:
    book, name = request.app[BOOK], request.match_info["method"]
    told = {
        "Time": lambda: {"unixtime": book.told_ms() // 1000, "rfc1123": ""},
        "AssetPairs": lambda: _pairs(book),
        "Assets": lambda: _assets(book),
        "SystemStatus": lambda: {"status": "online", "timestamp": ""},
    }
    if name not in told:
        return web.json_response({"error": ["EGeneral:Unknown method"]})
    return web.json_response({"error": [], "result": told[name]()})


async def private(request: web.Request) -> web.StreamResponse:
    """A fault that does not accept strikes first; one that does, after the book has done what was asked."""
    name, book = request.match_info["method"], request.app[BOOK]
    fault = request.app[EXCHANGE_FAULTS].strike("exchange", f"kraken {name}")
    if fault is not None and not fault.accepts:
        return web.Response(status=int(fault.kind), text="<html>error</html>", content_type="text/html")
    try:
        account, asked = await _signed(request)
        await book.match_all(account.key)
        told = await _endpoint(name)(book, account, asked)
        response = web.json_response({"error": [], "result": told})
    except BookError as error:
        response = web.json_response({"error": [REFUSALS[error.kind]]})
    except KrakenError as error:
        response = web.json_response({"error": [str(error)]})
    return await spoil(request, fault, response) if fault else response


def _endpoint(name: str) -> Endpoint:
    if name not in PRIVATE:
        raise KrakenError("EGeneral:Unknown method")
    return PRIVATE[name]


async def _signed(request: web.Request) -> tuple[TradingAccount, Parameters]:
    body = await request.text()
    asked = dict(parse_qsl(body))
    account = request.app[BOOK].accounts.get(request.headers.get("API-Key", ""))
    if account is None:
        raise KrakenError("EAPI:Invalid key")
    path = request.path.removeprefix("/kraken").encode()
    digest = hashlib.sha256((asked.get("nonce", "") + body).encode()).digest()
    try:
        secret = base64.b64decode(account.secret, validate=True)
    except ValueError as error:
        raise KrakenError("EAPI:Invalid key") from error
    right = base64.b64encode(hmac.new(secret, path + digest, hashlib.sha512).digest()).decode()
    if not hmac.compare_digest(right, request.headers.get("API-Sign", "")):
        raise KrakenError("EAPI:Invalid signature")
    account.fee_in_quote = True
    return account, asked


def add_kraken(app: web.Application) -> None:
    app.router.add_get("/kraken/0/public/{method}", public)
    app.router.add_post("/kraken/0/private/{method}", private)
