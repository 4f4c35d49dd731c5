"""Binance's spot REST dialect: the private endpoints."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from urllib.parse import parse_qsl

from aiohttp import web

from copilot_project.sandbox.exchange.endpoints import CLOCK, EXCHANGE_FAULTS
from copilot_project.sandbox.exchange.weights import exchange_error
from copilot_project.sandbox.faults import Fault
from copilot_project.sandbox.spoiling import spoil
from copilot_project.sandbox.trading.book import Book, TradingAccount
from copilot_project.sandbox.trading.orders import BookError, VenueOrder, VenueTrade

BOOK = web.AppKey("book", Book)

Parameters = dict[str, str]
Answer = dict[str, object] | list[dict[str, object]]
Endpoint = Callable[[Book, TradingAccount, Parameters], Awaitable[Answer]]

RECV_WINDOW_MS = 5000
REFUSALS = {
    "insufficient": (-2010, "Account has insufficient balance for requested action."),
    "duplicate": (-2010, "Duplicate order sent."),
    "trigger": (-2010, "Stop price would trigger immediately."),
    "symbol": (-1121, "Invalid symbol."),
    "lot": (-1013, "Filter failure: LOT_SIZE"),
    "price": (-1013, "Filter failure: PRICE_FILTER"),
    "notional": (-1013, "Filter failure: NOTIONAL"),
    "type": (-1116, "Invalid orderType."),
    "unknown": (-2011, "Unknown order sent."),
}
NEEDS_PRICE = {"LIMIT", "STOP_LOSS_LIMIT"}
NEEDS_STOP = {"STOP_LOSS", "STOP_LOSS_LIMIT"}
TYPES = {"MARKET", "LIMIT", "STOP_LOSS", "STOP_LOSS_LIMIT"}
MIXED_LISTS = {"myTrades"}


async def new_order(book: Book, account: TradingAccount, asked: Parameters) -> Answer:
    kind = needed(asked, "type")
    if kind not in TYPES:
        raise BookError("type")
    before = len(book.trades)
    order = await book.place(
        key=account.key,
        client_id=asked.get("newClientOrderId", ""),
        symbol=needed(asked, "symbol"),
        side=needed(asked, "side"),
        kind=kind,
        quantity=number(asked, "quantity"),
        price=number(asked, "price") if kind in NEEDS_PRICE else Decimal(0),
        stop=number(asked, "stopPrice") if kind in NEEDS_STOP else Decimal(0),
    )
    fills = [_fill(trade) for trade in book.trades[before:] if trade.order_id == order.id]
    acknowledged = {"transactTime": order.created_ms} | _order(order)
    for only_asked in ("time", "updateTime", "isWorking", "stopPrice", "icebergQty"):
        acknowledged.pop(only_asked)
    return acknowledged | {"fills": fills}


async def show_order(book: Book, account: TradingAccount, asked: Parameters) -> Answer:
    return _order(_find(book, account, asked, not_there=(-2013, "Order does not exist.")))


async def cancel_order(book: Book, account: TradingAccount, asked: Parameters) -> Answer:
    order = await book.cancel(_find(book, account, asked, not_there=REFUSALS["unknown"]))
    told = _order(order) | {"origClientOrderId": order.client_id, "transactTime": order.updated_ms}
    for only_asked in ("time", "updateTime", "isWorking", "stopPrice", "icebergQty", "workingTime"):
        told.pop(only_asked)
    return told | {"clientOrderId": f"cancel{order.id}"}


async def open_orders(book: Book, account: TradingAccount, asked: Parameters) -> Answer:
    return [_order(order) for order in _listed(book, account, asked) if order.is_open]


async def all_orders(book: Book, account: TradingAccount, asked: Parameters) -> Answer:
    needed(asked, "symbol")
    since = int(asked.get("startTime", 0))
    found = [_order(order) for order in _listed(book, account, asked) if order.created_ms >= since]
    return found[-int(asked.get("limit", 500)) :]


async def my_trades(book: Book, account: TradingAccount, asked: Parameters) -> Answer:
    symbol = needed(asked, "symbol")
    since, wanted = int(asked.get("startTime", 0)), asked.get("orderId")
    found = [
        _trade(trade)
        for trade in book.trades
        if trade.account == account.key
        and trade.symbol == symbol
        and trade.at_ms >= since
        and (wanted is None or str(trade.order_id) == wanted)
        and trade.id >= int(asked.get("fromId", 0))
        and book.is_visible(book.orders[trade.order_id])
    ]
    limit = int(asked.get("limit", 500))
    return found[:limit] if "startTime" in asked or "fromId" in asked else found[-limit:]


async def show_account(book: Book, account: TradingAccount, asked: Parameters) -> Answer:
    locked = book.locked(account.key)
    balances = [
        {
            "asset": asset,
            "free": f"{owned - locked.get(asset, Decimal(0)):.8f}",
            "locked": f"{locked.get(asset, Decimal(0)):.8f}",
        }
        for asset, owned in account.balances.items()
    ]
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": "0.00100000",
            "taker": "0.00100000",
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": True,
        "canWithdraw": account.can_withdraw,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": book.now_ms(),
        "accountType": "SPOT",
        "balances": balances,
        "permissions": ["SPOT"],
        "uid": 354937868,
    }


async def restrictions(book: Book, account: TradingAccount, asked: Parameters) -> Answer:
    """What the key may; Binance tells it apart from what the account may."""
    return {
        "ipRestrict": account.ip_restricted,
        "createTime": 1_600_000_000_000,
        "enableReading": True,
        "enableWithdrawals": account.can_withdraw,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableSpotAndMarginTrading": True,
    }


def _order(order: VenueOrder) -> dict[str, object]:
    return {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "price": f"{order.price:.8f}",
        "origQty": f"{order.quantity:.8f}",
        "executedQty": f"{order.executed:.8f}",
        "cummulativeQuoteQty": f"{order.quote:.8f}",
        "status": order.status,
        "timeInForce": "GTC",
        "type": order.type,
        "side": order.side,
        "stopPrice": f"{order.stop:.8f}",
        "icebergQty": "0.00000000",
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": True,
        "workingTime": order.created_ms,
        "origQuoteOrderQty": "0.00000000",
        "selfTradePreventionMode": "NONE",
    }


def _fill(trade: VenueTrade) -> dict[str, object]:
    return {
        "price": f"{trade.price:.8f}",
        "qty": f"{trade.quantity:.8f}",
        "commission": f"{trade.fee:.8f}",
        "commissionAsset": trade.fee_asset,
        "tradeId": trade.id,
    }


def _trade(trade: VenueTrade) -> dict[str, object]:
    return {
        "symbol": trade.symbol,
        "id": trade.id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": f"{trade.price:.8f}",
        "qty": f"{trade.quantity:.8f}",
        "quoteQty": f"{trade.quote:.8f}",
        "commission": f"{trade.fee:.8f}",
        "commissionAsset": trade.fee_asset,
        "time": trade.at_ms,
        "isBuyer": trade.side == "BUY",
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }


def _listed(book: Book, account: TradingAccount, asked: Parameters) -> list[VenueOrder]:
    symbol = asked.get("symbol")
    return [o for o in book.of(account.key) if symbol in (None, o.symbol) and book.is_visible(o)]


def _find(
    book: Book, account: TradingAccount, asked: Parameters, *, not_there: tuple[int, str]
) -> VenueOrder:
    """By the exchange's id, or the newest with that client's id."""
    symbol, number_, client_id = (
        needed(asked, "symbol"),
        asked.get("orderId"),
        asked.get("origClientOrderId"),
    )
    for order in reversed(_listed(book, account, {"symbol": symbol})):
        if str(order.id) == number_ or (number_ is None and order.client_id == client_id):
            return order
    raise exchange_error(400, *not_there)


def needed(asked: Parameters, name: str) -> str:
    if not asked.get(name):
        text = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
        raise exchange_error(400, -1102, text)
    return asked[name]


def number(asked: Parameters, name: str) -> Decimal:
    try:
        return Decimal(needed(asked, name))
    except InvalidOperation as error:
        raise exchange_error(400, -1100, f"Illegal characters found in parameter '{name}'.") from error


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", "order"): new_order,
    ("GET", "order"): show_order,
    ("DELETE", "order"): cancel_order,
    ("GET", "openOrders"): open_orders,
    ("GET", "allOrders"): all_orders,
    ("GET", "myTrades"): my_trades,
    ("GET", "account"): show_account,
    ("GET", "account/apiRestrictions"): restrictions,
}


async def signed(request: web.Request) -> tuple[TradingAccount, Parameters]:
    """Who asks, and what for. Raises Binance's errors for a key, a signature or a time that is not right."""
    body = (await request.text()) if request.method == "POST" else ""
    payload = request.query_string + body
    query, _, signature = payload.rpartition("&signature=")
    book = request.app[BOOK]
    account = book.accounts.get(request.headers.get("X-MBX-APIKEY", ""))
    if account is None:
        raise exchange_error(401, -2015, "Invalid API-key, IP, or permissions for action.")
    right = hmac.new(account.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(right, signature):
        raise exchange_error(400, -1022, "Signature for this request is not valid.")
    asked = dict(parse_qsl(query))
    told, now = int(needed(asked, "timestamp")), book.told_ms()
    if told > now + 1000 or told < now - int(asked.get("recvWindow", RECV_WINDOW_MS)):
        text = "Timestamp for this request is outside of the recvWindow."
        raise exchange_error(400, -1021, text)
    return account, asked


async def answer(request: web.Request) -> web.StreamResponse:
    """A fault that does not accept strikes first; one that does, after the book has done what was asked."""
    name = request.match_info["endpoint"]
    endpoint = ENDPOINTS[(request.method, name)]
    fault = request.app[EXCHANGE_FAULTS].strike("exchange", f"{request.method} {name}")
    if fault is not None and not fault.accepts:
        raise _refusal(fault)
    account, asked = await signed(request)
    book = request.app[BOOK]
    await book.match_all(account.key)
    try:
        told = await endpoint(book, account, asked)
    except BookError as error:
        raise exchange_error(400, *REFUSALS[error.kind]) from error
    if isinstance(told, list) and name in MIXED_LISTS:
        told = book.lies.mixed(told)
    response = web.json_response(told)
    return await spoil(request, fault, response) if fault else response


def _refusal(fault: Fault) -> web.HTTPException:
    if fault.kind in ("429", "418"):
        wait = {"Retry-After": str(fault.retry_after)}
        return exchange_error(int(fault.kind), -1003, "Too many requests.", wait)
    return exchange_error(int(fault.kind), -1000, fault.description or "An unknown error occurred")


def add_binance_accounts(app: web.Application, book: Book) -> None:
    app[BOOK], app[CLOCK] = book, book.told_ms
    for method, endpoint in ENDPOINTS:
        base = "/binance/sapi/v1/" if "/" in endpoint else "/binance/api/v3/"
        app.router.add_route(method, base + f"{{endpoint:{endpoint}}}", answer)
