"""What whoever decides asks for."""

from dataclasses import dataclass
from decimal import Decimal
from math import isfinite

from autopilot.engine.order import FOREVER, OrderPurpose, OrderSide, OrderType


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What is asked for; `quantity` and prices are rounded to the exchange's steps, the quantity down.

    stop, target, trail (a distance) and hold_bars are what a filled entry brings. trail_atr: of a managed exit
    (`exit_plan`), with a stop and without target or trail. good_bars: bars after which it lapses. level tells
    apart several entries of one position. key: who decided, where several decide on one candle.
    """

    side: OrderSide
    order_type: OrderType
    quantity: Decimal
    purpose: OrderPurpose = OrderPurpose.ENTRY
    level: int = 0
    price: Decimal | None = None
    stop: Decimal | None = None
    target: Decimal | None = None
    trail: Decimal | None = None
    trail_atr: float | None = None
    good_bars: int = FOREVER
    hold_bars: int = FOREVER
    strategy: str = ""
    strength: float | None = None
    is_fallback: bool = False
    is_calibrated: bool = False
    is_proven: bool = False
    attempt: int = 0
    key: str = ""

    def __post_init__(self) -> None:
        if not (self.quantity.is_finite() and self.quantity >= 0):
            raise ValueError(f"quantity is {self.quantity}; it must be zero or more")
        if self.order_type is not OrderType.MARKET and self.price is None:
            raise ValueError(f"a {self.order_type} order needs a price")
        for name in ("price", "stop", "target", "trail"):
            amount = getattr(self, name)
            if amount is not None and not (amount.is_finite() and amount > 0):
                raise ValueError(f"{name} is {amount}; it must be positive, or None")
        for name in ("good_bars", "hold_bars"):
            if not (getattr(self, name) >= 1 or getattr(self, name) == FOREVER):
                raise ValueError(
                    f"{name} is {getattr(self, name)}; it must be at least 1, or -1 for no limit"
                )
        if self.trail_atr is not None and not (
            isfinite(self.trail_atr) and self.trail_atr > 0 and self.stop and not (self.target or self.trail)
        ):
            raise ValueError(
                "a managed exit has a stop and ranges above zero, and no target and no other trail"
            )
        if self.purpose is not OrderPurpose.ENTRY and (self.stop or self.target):
            raise ValueError("an exit brings no exits of its own")
