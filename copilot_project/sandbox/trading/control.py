"""The exchange's accounts under `/_sandbox/exchange/`: keys, prices, lies, and the book as the judge sees it."""

import json
from decimal import Decimal

from aiohttp import web

from copilot_project.sandbox.trading.binance import BOOK
from copilot_project.sandbox.trading.book import TradingAccount
from copilot_project.sandbox.trading.orders import told


async def _asked(request: web.Request) -> dict[str, object]:
    try:
        found = await request.json()
    except json.JSONDecodeError as error:
        raise web.HTTPBadRequest(text=f"send a JSON object: {error}") from error
    if not isinstance(found, dict):
        raise web.HTTPBadRequest(text="send a JSON object")
    return found


async def add_account(request: web.Request) -> web.Response:
    """Opened anew with these balances; what it traded before stays in the book."""
    asked = await _asked(request)
    balances = asked.get("balances")
    if not isinstance(balances, dict) or not asked.get("key") or not asked.get("secret"):
        raise web.HTTPBadRequest(text='send {"key": text, "secret": text, "balances": {"USDT": "1000"}}')
    account = TradingAccount(
        key=str(asked["key"]),
        secret=str(asked["secret"]),
        can_withdraw=bool(asked.get("can_withdraw", False)),
        ip_restricted=bool(asked.get("ip_restricted", True)),
        balances={str(asset): Decimal(str(amount)) for asset, amount in balances.items()},
    )
    await request.app[BOOK].open_account(account)
    return web.json_response({"key": account.key}, status=201)


async def set_price(request: web.Request) -> web.Response:
    """One symbol's price from now on; without `price`, the market's own again."""
    asked, book = await _asked(request), request.app[BOOK]
    symbol = str(asked.get("symbol"))
    if symbol not in book.symbols:
        raise web.HTTPBadRequest(text=f"symbol must be one of {', '.join(book.symbols)}")
    if asked.get("price"):
        book.prices[symbol] = Decimal(str(asked["price"]))
    else:
        book.prices.pop(symbol, None)
    for key in book.accounts:
        await book.match_all(key)
    return web.json_response({"symbol": symbol, "price": str(book.price(symbol))})


async def set_lies(request: web.Request) -> web.Response:
    lies = request.app[BOOK].lies
    try:
        lies.change(await _asked(request))
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    return web.json_response(lies.told())


async def show_book(request: web.Request) -> web.Response:
    """Everything, hidden or not: of one account with `key`."""
    book, key = request.app[BOOK], request.query.get("key")
    if key in book.accounts:
        await book.match_all(key)
    keys = [key] if key in book.accounts else list(book.accounts)
    return web.json_response(
        {
            "orders": [told(order) for order in book.orders.values() if key in (None, order.account)],
            "trades": [told(trade) for trade in book.trades if key in (None, trade.account)],
            "balances": {
                each: {asset: str(owned) for asset, owned in book.accounts[each].balances.items()}
                for each in keys
            },
            "lies": book.lies.told(),
        }
    )


def add_exchange_control(app: web.Application) -> None:
    app.add_routes(
        [
            web.post("/_sandbox/exchange/accounts", add_account),
            web.post("/_sandbox/exchange/price", set_price),
            web.post("/_sandbox/exchange/lies", set_lies),
            web.get("/_sandbox/exchange/book", show_book),
        ]
    )
