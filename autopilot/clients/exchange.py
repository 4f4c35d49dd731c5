"""The one client through which an order leaves the system, and the answers that come back. Opened by the executor only.

Of what ccxt raises nothing but a parsed body in which the exchange itself refuses is believed: a time-out, a cut
connection, any 5xx, a page of a proxy, an answer without an id say nothing about what the exchange has done.
Nothing is ever tried again here.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Any

import ccxt

from autopilot.clients.venue_answers import VenueOrderView, VenueTradeView, order_view, trade_view
from autopilot.engine.order import OrderSide, OrderType
from signals.market.providers.ccxt_provider import redirected

TIMEOUT_MS = 10_000
OPTIONS: dict[str, dict[str, Any]] = {
    "binance": {
        "defaultType": "spot",
        "fetchMarkets": {"types": ["spot"]},
        "fetchCurrencies": False,
        "fetchMargins": False,
        "warnOnFetchOpenOrdersWithoutSymbol": False,
    },
}
# ccxt's name of the client's order id, by exchange; the others take its unified `clientOrderId`.
CLIENT_ID = {"binance": "newClientOrderId", "kraken": "cl_ord_id", "gate": "text", "htx": "client-order-id"}
# With a parsed refusal of the exchange's own these mean that there is no such order.
DEFINITIVE = (
    ccxt.InsufficientFunds,
    ccxt.InvalidOrder,
    ccxt.BadSymbol,
    ccxt.BadRequest,
    ccxt.ArgumentsRequired,
    ccxt.AuthenticationError,
    ccxt.PermissionDenied,
)
# Told of an id that is already there, or of no order: both say something about another order, not about this call.
AMBIGUOUS = (ccxt.DuplicateOrderId, ccxt.OrderNotFound)
AMBIGUOUS_WORDS = re.compile(r"duplicate|cl_ord_id|unknown order", re.I)
NOT_THERE = re.compile(r"unknown order|does not exist", re.I)


class VenueRefusedError(Exception):
    """The exchange itself said no, in words: nothing was stored there."""


class VenueUnknownError(Exception):
    """Nobody knows what the call did."""


class VenueBusyError(VenueRefusedError):
    """The exchange itself asks us to be quiet for `seconds`; it did nothing."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    symbol: str
    side: OrderSide
    order_type: OrderType
    quantity: Decimal
    price: Decimal | None
    client_order_id: str
    reduces: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What a key may do; None where the exchange does not tell."""

    can_withdraw: bool | None
    ip_restricted: bool | None


class Venue:
    """One account at one exchange. Blocking; not for several threads at once."""

    def __init__(
        self,
        *,
        exchange: str,
        api_key: str,
        api_secret: str,
        api_url: str | None = None,
        timeout_ms: int = TIMEOUT_MS,
        is_paced: bool = True,
    ) -> None:
        self.exchange = exchange
        self._status, self._body = 0, ""
        self._retry_after: str | None = None
        self._client = getattr(ccxt, exchange)(
            {
                "apiKey": api_key,
                "secret": api_secret,
                "timeout": timeout_ms,
                "enableRateLimit": is_paced,
                "options": {**OPTIONS.get(exchange, {}), "maxRetriesOnFailure": 0},
            }
        )
        self._client.on_rest_response = self._seen
        if api_url:
            self._client.urls["api"] = redirected(self._client.urls["api"], api_url)

    def clock_offset_ms(self) -> int:
        """The exchange's clock less ours, in the middle of the call."""
        before = self._client.milliseconds()
        told = int(self._ask(self._client.fetch_time))
        return told - (before + self._client.milliseconds()) // 2

    def rights(self) -> Rights:
        if self.exchange != "binance":
            return Rights(can_withdraw=None, ip_restricted=None)
        told = self._ask(self._client.sapi_get_account_apirestrictions)
        return Rights(
            can_withdraw=bool(told.get("enableWithdrawals")), ip_restricted=bool(told.get("ipRestrict"))
        )

    def rounded(
        self, *, symbol: str, quantity: Decimal, price: Decimal | None
    ) -> tuple[Decimal, Decimal | None]:
        """Quantity (down) and price on the exchange's steps. VenueRefusedError below its minima."""
        self._ask(self._client.load_markets)
        market = self._client.market(symbol)
        try:
            with localcontext():
                amount = Decimal(self._client.amount_to_precision(symbol, float(quantity)))
                on_step = price and Decimal(self._client.price_to_precision(symbol, float(price)))
        except ccxt.InvalidOrder as error:
            raise VenueRefusedError(str(error)) from error
        limits = market["limits"]
        least_amount, least_cost = limits["amount"]["min"], (limits.get("cost") or {}).get("min")
        if amount <= 0 or (least_amount and amount < Decimal(str(least_amount))):
            raise VenueRefusedError(f"{amount} is below the exchange's smallest quantity {least_amount}")
        if least_cost and on_step and amount * on_step < Decimal(str(least_cost)):
            raise VenueRefusedError(f"{amount * on_step} is below the exchange's smallest value {least_cost}")
        return amount, on_step

    def submit(self, asked: Submission) -> VenueOrderView:
        """Send it, once."""
        params: dict[str, Any] = {
            CLIENT_ID.get(self.exchange, "clientOrderId"): asked.client_order_id,
        }
        kind, price = asked.order_type.value, asked.price
        if asked.order_type is OrderType.STOP:
            kind, price = "market", None
            params |= self._stop(asked)
        if asked.reduces and self._client.market(asked.symbol).get("contract"):
            params["reduceOnly"] = True
        told = self._call(
            lambda: self._client.create_order(
                asked.symbol,
                kind,
                asked.side.value,
                float(asked.quantity),
                None if price is None else float(price),
                params,
            )
        )
        return self._one(told)

    def cancel(self, *, symbol: str, venue_order_id: str) -> None:
        """VenueRefusedError where the exchange says that there is no such open order."""
        self._call(lambda: self._client.cancel_order(venue_order_id, symbol), ambiguous_is_refusal=True)

    def find(
        self, *, symbol: str, client_order_id: str, venue_order_id: str, since: datetime
    ) -> VenueOrderView | None:
        """The order, by client id, among open orders, among closed ones. None: the exchange knows of nothing."""
        if venue_order_id or self.exchange == "binance":
            params = {} if venue_order_id else {"origClientOrderId": client_order_id}
            try:
                told = self._ask(lambda: self._client.fetch_order(venue_order_id or None, symbol, params))
                return self._one(told)
            except VenueRefusedError as error:
                if not (isinstance(error.__cause__, ccxt.OrderNotFound) or NOT_THERE.search(str(error))):
                    raise VenueUnknownError(str(error)) from error
        for orders in (lambda: self.open_orders(symbol), lambda: self.ended_orders(symbol, since)):
            for order in orders():
                if client_order_id == order.client_order_id or (
                    venue_order_id and order.id == venue_order_id
                ):
                    return order
        return None

    def open_orders(self, symbol: str) -> list[VenueOrderView]:
        return self._many(lambda: self._client.fetch_open_orders(symbol))

    def ended_orders(self, symbol: str, since: datetime) -> list[VenueOrderView]:
        start = int(since.timestamp() * 1000)
        if self._client.has["fetchOrders"]:
            return self._many(lambda: self._client.fetch_orders(symbol, start))
        return self._many(lambda: self._client.fetch_closed_orders(symbol, start))

    def trades(self, *, symbol: str, since: datetime) -> list[VenueTradeView]:
        """Ours at the exchange since then, each once, oldest first."""
        start = int(since.timestamp() * 1000)
        found = self._ask(lambda: self._client.fetch_my_trades(symbol, start))
        views = {view.id: view for view in map(trade_view, found)}
        return sorted(views.values(), key=lambda view: (view.at, view.id))

    def balances(self) -> dict[str, Decimal]:
        """All that is owned, per asset, locked or free."""
        told = self._ask(self._client.fetch_balance)
        return {asset: Decimal(str(amount)) for asset, amount in told["total"].items() if amount}

    def cancel_all_after(self, seconds: int) -> bool:
        """Renew the exchange's dead-man switch (0: off); False where there is none."""
        if not self._client.has.get("cancelAllOrdersAfter"):
            return False
        self._call(lambda: self._client.cancel_all_orders_after(seconds * 1000))
        return True

    def _stop(self, asked: Submission) -> dict[str, Any]:
        return {"stopLossPrice": float(asked.price or 0)}

    def _seen(self, status: int, reason: str, url: str, method: str, *rest: Any) -> Any:
        """ccxt's hook: keep what came over the wire, for the error that it may make of it."""
        headers, body = rest[0], rest[1]
        self._status, self._body = status, body
        self._retry_after = headers.get("Retry-After") if isinstance(headers, Mapping) else None
        return body.strip()

    def _one(self, told: Any) -> VenueOrderView:
        view = order_view(told)
        if view is None:
            raise VenueUnknownError(f"{self.exchange} answered without an order")
        return view

    def _many(self, ask: Callable[[], Any]) -> list[VenueOrderView]:
        return [self._one(each) for each in self._ask(ask)]

    def _ask(self, call: Callable[[], Any]) -> Any:
        """A question: it changes nothing, so any failure only means that there was no answer."""
        return self._call(call, ambiguous_is_refusal=True)

    def _call(self, call: Callable[[], Any], *, ambiguous_is_refusal: bool = False) -> Any:
        self._status, self._body, self._retry_after = 0, "", None
        try:
            with localcontext():  # ccxt changes how whoever calls it rounds
                told = call()
        except ccxt.BaseError as error:
            raise self._failure(error, ambiguous_is_refusal=ambiguous_is_refusal) from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            # ccxt stumbles over an answer that is not what it expects.
            raise VenueUnknownError(f"{self.exchange}: an answer that cannot be read") from error
        if self._status and _parsed(self._body) is None:
            raise VenueUnknownError(f"{self.exchange}: the answer is not JSON")
        return told

    def _failure(self, error: ccxt.BaseError, *, ambiguous_is_refusal: bool) -> Exception:
        words = f"{self.exchange} {self._status or 'no answer'}: {type(error).__name__}: {_short(self._body)}"
        is_throttled = self._status in (418, 429) or isinstance(error, ccxt.DDoSProtection)
        if is_throttled and self._status < 500 and _refuses(_parsed(self._body)):
            return VenueBusyError(words, float(self._retry_after or 5))
        if not self._status and isinstance(
            error, (ccxt.InvalidOrder, ccxt.ArgumentsRequired, ccxt.BadSymbol)
        ):
            return VenueRefusedError(f"{self.exchange}: {_short(str(error))}")  # before anything was sent
        if self._status >= 500 or not _refuses(_parsed(self._body)):
            return VenueUnknownError(words)
        if isinstance(error, AMBIGUOUS) or AMBIGUOUS_WORDS.search(self._body):
            return VenueRefusedError(words) if ambiguous_is_refusal else VenueUnknownError(words)
        return VenueRefusedError(words) if isinstance(error, DEFINITIVE) else VenueUnknownError(words)


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except (TypeError, ValueError):
        return None


def _refuses(body: Any) -> bool:
    """Whether a parsed body is an exchange's own refusal: Binance's code, Kraken's list of errors, others' message."""
    if not isinstance(body, dict):
        return False
    if isinstance(body.get("error"), list):
        return bool(body["error"])
    return any(body.get(name) not in (None, "", 0, "0") for name in ("code", "error", "message", "retCode"))


def _short(text: str) -> str:
    return re.sub(r"\s+", " ", text)[:200]
