"""The seed's table of order types, for both sides."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.engine.order import OrderSide, OrderType
from autopilot.engine.order_type import ExitCause, order_type_and_price

BUY, SELL = OrderSide.BUY, OrderSide.SELL
TICK = Decimal("0.01")


@pytest.mark.parametrize(
    ("side", "strength", "cause", "expected"),
    [
        (BUY, 0.81, None, None),  # strong
        (SELL, 0.81, None, None),
        (BUY, 0.8, None, "99.90"),  # normal: 0.1 % below
        (SELL, 0.8, None, "100.10"),  # a normal short: 0.1 % above
        (SELL, 0.5, ExitCause.TAKE_PROFIT, "100.10"),  # of a long
        (BUY, 0.5, ExitCause.TAKE_PROFIT, "99.90"),  # of a short
        (SELL, 0.5, ExitCause.STOP_LOSS, None),  # of a long
        (BUY, 0.5, ExitCause.STOP_LOSS, None),  # of a short, which loses above its entry
        (SELL, 0.5, ExitCause.TIME, None),
        (SELL, 0.5, ExitCause.SIGNAL, "100.10"),
    ],
)
def test_the_table(side: OrderSide, strength: float, cause: ExitCause | None, expected: str | None) -> None:
    found = order_type_and_price(
        side=side, strength=strength, price=Decimal(100), tick=TICK, exit_cause=cause
    )
    assert found == ((OrderType.MARKET, None) if expected is None else (OrderType.LIMIT, Decimal(expected)))


@given(
    price=st.decimals("0.02", "1e6", places=4),
    tick=st.sampled_from([Decimal("0.01"), Decimal("0.5"), Decimal("0.0001")]),
    side=st.sampled_from(OrderSide),
)
def test_a_limit_stands_on_a_tick_and_no_nearer_than_asked(
    price: Decimal, tick: Decimal, side: OrderSide
) -> None:
    _, limit = order_type_and_price(side=side, strength=0.5, price=price, tick=tick)
    assert limit is not None
    assert limit % tick == 0
    assert limit >= tick
    better = price * (1 - side.sign * Decimal("0.001"))
    assert limit == tick or 0 <= side.sign * (better - limit) < tick


@pytest.mark.parametrize(("price", "strength"), [(Decimal(0), 0.5), (Decimal("NaN"), 0.5), (Decimal(1), 1.1)])
def test_what_makes_no_sense_is_refused(price: Decimal, strength: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        order_type_and_price(side=BUY, strength=strength, price=price, tick=TICK)
