"""What an exchange tells of orders and trades, out of ccxt's dictionaries: exact, and nothing made up."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from autopilot.engine.order import OrderSide

OPEN, CLOSED, CANCELED = "open", "closed", "canceled"
ENDED = {"canceled", "expired", "rejected"}


@dataclass(frozen=True, slots=True)
class VenueOrderView:
    """status: open, closed (filled), canceled (or expired). None where the exchange did not say."""

    id: str
    client_order_id: str
    symbol: str
    side: str
    kind: str
    status: str | None
    quantity: Decimal | None
    filled: Decimal | None
    price: Decimal | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class VenueTradeView:
    id: str
    order_id: str
    symbol: str
    side: OrderSide
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    at: datetime


def order_view(told: Any) -> VenueOrderView | None:
    """None for an answer that names no order."""
    if not isinstance(told, dict) or not told.get("id"):
        return None
    status = told.get("status")
    return VenueOrderView(
        id=str(told["id"]),
        client_order_id=str(told.get("clientOrderId") or ""),
        symbol=str(told.get("symbol") or ""),
        side=str(told.get("side") or ""),
        kind=str(told.get("type") or ""),
        status=CANCELED if status in ENDED else status,
        quantity=_decimal(told.get("amount")),
        filled=_decimal(told.get("filled")),
        price=_decimal(told.get("price")),
        at=_moment(told.get("timestamp")),
    )


def trade_view(told: dict[str, Any]) -> VenueTradeView:
    fee = told.get("fee") or {}
    at = _moment(told["timestamp"])
    if at is None:
        raise ValueError("a trade without a time")
    return VenueTradeView(
        id=str(told["id"]),
        order_id=str(told["order"]),
        symbol=str(told["symbol"]),
        side=OrderSide(told["side"]),
        quantity=Decimal(str(told["amount"])),
        price=Decimal(str(told["price"])),
        fee=_decimal(fee.get("cost")) or Decimal(0),
        fee_asset=str(fee.get("currency") or ""),
        at=at,
    )


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _moment(value: Any) -> datetime | None:
    return None if value is None else datetime.fromtimestamp(int(value) / 1000, tz=UTC)
