"""Market or limit: the rule of the autopilot, for both sides.

A strong signal and whatever protects capital go to market; everything else asks for a slightly better price and
pays the maker's fee. Why a position is left is said, never guessed from the price: a short that loses stands above
its entry.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import NamedTuple

from autopilot.engine.order import OrderSide, OrderType

STRONG = 0.8  # above this a signal does not wait for a better price
BETTER = Decimal("0.001")


class ExitCause(StrEnum):
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    TIME = "time"
    SIGNAL = "signal"


class TypeAndPrice(NamedTuple):
    order_type: OrderType
    price: Decimal | None


def order_type_and_price(
    *, side: OrderSide, strength: float, price: Decimal, tick: Decimal, exit_cause: ExitCause | None = None
) -> TypeAndPrice:
    """How to place an order decided at `price`; exit_cause None is an entry.

    strength: rank confidence of the strategy, a ratio. A limit stands 0.1 % better, and on a whole tick away
    from the market. ValueError for a price that is not positive or a strength that is no ratio.
    """
    if not (price.is_finite() and price > 0 and tick > 0):
        raise ValueError(f"price and tick must be positive, not {price} and {tick}")
    if not 0 <= strength <= 1:
        raise ValueError(f"strength is {strength}; it must be between 0 and 1")
    urgent = exit_cause in {ExitCause.STOP_LOSS, ExitCause.TIME}
    if urgent or strength > STRONG:
        return TypeAndPrice(OrderType.MARKET, None)
    better = price * (1 - side.sign * BETTER)
    rounding = ROUND_FLOOR if side is OrderSide.BUY else ROUND_CEILING
    ticks = (better / tick).to_integral_value(rounding)
    return TypeAndPrice(OrderType.LIMIT, max(ticks, Decimal(1)) * tick)
