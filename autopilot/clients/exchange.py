"""The one door through which an order may leave the house. It is shut: only paper accounts trade."""

from decimal import Decimal

from autopilot.engine.order import OrderSide, OrderType


class LiveNotAvailable(Exception):  # noqa: N818  (the name that the API tells)
    """No order is sent to an exchange; nothing was stored there, nothing was asked for."""

    def __init__(self) -> None:
        super().__init__("Orders to an exchange are not available: only paper accounts trade.")


def submit_order(
    *,
    exchange: str,
    symbol: str,
    side: OrderSide,
    order_type: OrderType,
    quantity: Decimal,
    price: Decimal | None,
    client_order_id: str,
) -> str:
    """The exchange's id of the order. Raises LiveNotAvailable, always."""
    raise LiveNotAvailable


def cancel_order(*, exchange: str, symbol: str, client_order_id: str) -> None:
    """Raises LiveNotAvailable, always."""
    raise LiveNotAvailable
