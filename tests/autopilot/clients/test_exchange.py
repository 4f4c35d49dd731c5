"""There is one way to live orders."""

import ast
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
ORDERING = ("create", "edit", "cancel")  # ccxt: create_order, createMarketOrder, cancel_all_orders, editOrder


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
