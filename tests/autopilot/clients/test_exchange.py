"""The door to live orders is shut, and there is no other."""

import ast
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from autopilot.clients.exchange import LiveNotAvailable, cancel_order, submit_order
from autopilot.engine.order import OrderSide, OrderType

REPOSITORY = Path(__file__).resolve().parents[3]
DOOR = "autopilot/clients/exchange.py"
ORDERING = ("create", "edit", "cancel")  # ccxt: create_order, createMarketOrder, cancel_all_orders, editOrder


def test_no_order_is_sent_nor_cancelled() -> None:
    with pytest.raises(LiveNotAvailable, match="only paper accounts trade"):
        submit_order(
            exchange="binance",
            symbol="BTC/USDT",
            side=OrderSide.BUY,
            order_type=OrderType.MARKET,
            quantity=Decimal(1),
            price=None,
            client_order_id="x",
        )
    with pytest.raises(LiveNotAvailable):
        cancel_order(exchange="binance", symbol="BTC/USDT", client_order_id="x")


def test_no_provider_calls_what_orders_at_an_exchange() -> None:
    found = {
        f"{path}: {name}"
        for path in tracked_sources("signals/market/providers")
        for name in ordering_calls((REPOSITORY / path).read_text())
    }
    assert not found


@pytest.mark.parametrize(
    "call", ["x.create_order(1)", "x.createMarketOrder()", "await x.cancel_all_orders()"]
)
def test_a_call_that_orders_would_be_found(call: str) -> None:
    body = f"async def f(x):\n    {call}\n"
    assert ordering_calls(body)


def tracked_sources(folder: str) -> list[str]:
    told = subprocess.run(
        ["git", "ls-files", f"{folder}/*.py"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    return told.stdout.split()


def ordering_calls(source: str) -> list[str]:
    """Names of attributes that ccxt gives to what places, changes or cancels an order."""
    names = [node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)]
    return [each for each in names if each.lower().startswith(ORDERING) and "order" in each.lower()]
