"""What an order is, in words: the values that rows, services and pages share. No compiled code is loaded here."""

import hashlib
from datetime import datetime
from enum import StrEnum


class OrderSide(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is OrderSide.BUY else -1

    @property
    def opposite(self) -> "OrderSide":
        return OrderSide.SELL if self is OrderSide.BUY else OrderSide.BUY


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"


class OrderPurpose(StrEnum):
    """What an order is for. Exits only ever reduce a position."""

    ENTRY = "entry"
    STOP = "stop"
    TARGET = "target"
    TIME_EXIT = "time_exit"
    SIGNAL_EXIT = "signal_exit"
    LIQUIDATION = "liquidation"


class OrderState(StrEnum):
    """`REFUSED` before it was placed (pre-flight), `REJECTED` when it should have filled."""

    OPEN = "open"
    FILLED = "filled"
    REFUSED = "refused"
    REJECTED = "rejected"
    LAPSED = "lapsed"
    CANCELLED = "cancelled"


class FillReason(StrEnum):
    ENTRY = "entry"
    STOP = "stop"
    TARGET = "target"
    SIGNAL = "signal"
    TRAILING_STOP = "trailing_stop"
    TIME = "time"
    LIQUIDATION = "liquidation"


FOREVER = -1
ID_LETTERS = 32  # exchanges take 32 to 36


def client_order_id(  # noqa: PLR0913  (what makes an intent itself)
    *,
    account: str,
    exchange: str,
    symbol: str,
    timeframe: str,
    candle_open_time: datetime,
    side: OrderSide,
    purpose: OrderPurpose,
    level: int = 0,
    attempt: int = 0,
    key: str = "",
) -> str:
    """The same intent always has the same id, so that whoever asks twice orders once.

    attempt: how many times it was decided before on this candle, for an order that lapsed. key: tells apart
    those who decide on the same candle.
    """
    facts = (
        account,
        exchange,
        symbol,
        timeframe,
        candle_open_time.isoformat(),
        side,
        purpose,
        level,
        attempt,
        key,
    )
    return _hashed(*facts)


def exit_order_id(entry_id: str, purpose: OrderPurpose, number: int) -> str:
    """Of an exit that an entry, or the lapse of time, has brought: number is its place in the book."""
    return _hashed(entry_id, purpose, number)


def _hashed(*facts: object) -> str:
    told = "\x1f".join(str(fact) for fact in facts)
    return f"cp{hashlib.sha256(told.encode()).hexdigest()[: ID_LETTERS - 2]}"
