"""What the book holds: orders, trades, and why it refuses."""

from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any

NEW, PARTIAL, FILLED, CANCELED = "NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED"


class BookError(Exception):
    """A refusal; `kind` is one of insufficient, duplicate, unknown, symbol, lot, price, notional, trigger, type."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(slots=True)
class VenueOrder:
    """`stop` is the trigger of a stop order, which sleeps until the price has been there."""

    id: int
    account: str
    client_id: str
    symbol: str
    side: str
    type: str
    quantity: Decimal
    price: Decimal
    stop: Decimal
    created_ms: int
    updated_ms: int
    visible_ms: int
    rest_ms: int = 0
    executed: Decimal = Decimal(0)
    quote: Decimal = Decimal(0)
    status: str = NEW

    @property
    def is_open(self) -> bool:
        return self.status in (NEW, PARTIAL)

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.executed


@dataclass(frozen=True, slots=True)
class VenueTrade:
    id: int
    order_id: int
    account: str
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    at_ms: int
    is_maker: bool

    @property
    def quote(self) -> Decimal:
        return self.price * self.quantity


def told(row: VenueOrder | VenueTrade) -> dict[str, object]:
    """As JSON: decimals are text."""
    return {k: str(v) if isinstance(v, Decimal) else v for k, v in asdict(row).items()}


def read(kind: type[Any], record: dict[str, Any]) -> Any:
    """The row that `told` told."""
    values = {}
    for each in fields(kind):
        value = record[each.name]
        values[each.name] = Decimal(value) if each.type in (Decimal, "Decimal") else value
    return kind(**values)
