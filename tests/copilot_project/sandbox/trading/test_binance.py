"""Binance's private endpoints as ccxt's own client meets them."""

import json
from pathlib import Path
from typing import Any

import ccxt.async_support as ccxt
import pytest

from copilot_project.sandbox.trading.opening import SANDBOX_API_KEY, SANDBOX_API_SECRET
from tests.copilot_project.sandbox.served import Served, configured, serving

pytestmark = pytest.mark.asyncio
PAIR = "BTC/USDT"


async def trader(served: Served, price: str = "50000", secret: str = SANDBOX_API_SECRET) -> Any:
    await served.post("/_sandbox/exchange/price", {"symbol": "BTCUSDT", "price": price})
    client = served.exchange()
    client.apiKey, client.secret = SANDBOX_API_KEY, secret
    client.options["fetchMargins"] = False
    return client


async def book(served: Served) -> dict[str, Any]:
    return (await served.get("/_sandbox/exchange/book"))[2]  # type: ignore[no-any-return]


async def test_market_order_fills_and_pays_the_fee_in_base(served: Served) -> None:
    async with await trader(served) as client:
        order = await client.create_order(PAIR, "market", "buy", 0.5, None, {"newClientOrderId": "cpone"})
        balance = await client.fetch_balance()
        trades = await client.fetch_my_trades(PAIR)
    assert (order["status"], order["clientOrderId"], order["filled"]) == ("closed", "cpone", 0.5)
    assert balance["BTC"]["total"] == pytest.approx(0.4995)
    assert balance["USDT"]["total"] == pytest.approx(75_000)
    assert [(each["amount"], each["fee"]["currency"]) for each in trades] == [(0.5, "BTC")]


async def test_limit_order_rests_locks_and_is_cancelled(served: Served) -> None:
    async with await trader(served) as client:
        order = await client.create_order(PAIR, "limit", "buy", 1, 40_000, {"newClientOrderId": "cptwo"})
        assert [each["id"] for each in await client.fetch_open_orders(PAIR)] == [order["id"]]
        assert (await client.fetch_balance())["USDT"]["free"] == pytest.approx(60_000)
        cancelled = await client.cancel_order(order["id"], PAIR)
        assert cancelled["status"] == "canceled"
        with pytest.raises(ccxt.OrderNotFound):
            await client.cancel_order(order["id"], PAIR)
        assert await client.fetch_open_orders(PAIR) == []


async def test_stop_sleeps_until_the_price_has_been_there(served: Served) -> None:
    async with await trader(served) as client:
        await client.create_order(PAIR, "market", "buy", 0.1)
        stop = await client.create_order(PAIR, "STOP_LOSS", "sell", 0.05, None, {"stopPrice": 45_000})
        assert (await client.fetch_order(stop["id"], PAIR))["status"] == "open"
        await trader(served, "44000")
        assert (await client.fetch_order(stop["id"], PAIR))["status"] == "closed"


@pytest.mark.parametrize(
    ("amount", "price", "error"),
    [
        (100, 50_000, ccxt.InsufficientFunds),
        (0.00001, 50_000, ccxt.BadRequest),
    ],
)
async def test_refusals_are_binances_own(
    served: Served, amount: float, price: float, error: type[Exception]
) -> None:
    async with await trader(served) as client:
        with pytest.raises(error):
            await client.create_order(PAIR, "limit", "buy", amount, price)
    assert (await book(served))["orders"] == []


async def test_client_id_is_unique_among_open_orders_only(served: Served) -> None:
    async with await trader(served) as client:
        again = {"newClientOrderId": "cpsame"}
        await client.create_order(PAIR, "market", "buy", 0.01, None, again)
        await client.create_order(PAIR, "market", "buy", 0.01, None, again)  # the first is filled: accepted
        await client.create_order(PAIR, "limit", "buy", 0.01, 40_000, again)
        with pytest.raises(ccxt.InvalidOrder):
            await client.create_order(PAIR, "limit", "buy", 0.01, 40_000, again)


async def test_wrong_signature_and_skewed_clock_are_refused(served: Served) -> None:
    async with await trader(served, secret="other") as client:
        with pytest.raises(ccxt.AuthenticationError):
            await client.fetch_balance()
    await served.post("/_sandbox/exchange/lies", {"skew_ms": 60_000})
    async with await trader(served) as client:
        with pytest.raises(ccxt.InvalidNonce):
            await client.fetch_balance()


@pytest.mark.parametrize("kind", ["502", "close", "hang"])
async def test_order_of_a_caller_without_an_answer_was_accepted(served: Served, kind: str) -> None:
    fault = {"kind": kind, "target": "exchange", "method": "POST order", "count": 1}
    async with await trader(served) as client:
        await client.load_markets()
        client.timeout = 300
        await served.post("/_sandbox/faults", fault)
        with pytest.raises(ccxt.BaseError):
            await client.create_order(PAIR, "market", "buy", 0.01)
    assert len((await book(served))["orders"]) == 1


@pytest.mark.parametrize("kind", ["500", "418", "429", "403"])
async def test_refused_order_is_not_in_the_book(served: Served, kind: str) -> None:
    fault = {"kind": kind, "target": "exchange", "method": "POST order", "count": 1}
    async with await trader(served) as client:
        await client.load_markets()
        await served.post("/_sandbox/faults", fault)
        with pytest.raises(ccxt.BaseError):
            await client.create_order(PAIR, "market", "buy", 0.01)
    assert (await book(served))["orders"] == []


async def test_hidden_order_cannot_be_asked_for_and_comes_later(served: Served) -> None:
    lie = {"hidden_probability": 1, "hidden_seconds": 0.4}
    async with await trader(served) as client:
        await client.load_markets()
        await served.post("/_sandbox/exchange/lies", lie)
        order = await client.create_order(PAIR, "market", "buy", 0.01)
        with pytest.raises(ccxt.OrderNotFound):
            await client.fetch_order(order["id"], PAIR)
        assert await client.fetch_my_trades(PAIR) == []
        await served.post("/_sandbox/exchange/lies", {"hidden_seconds": 0})
        while not await client.fetch_my_trades(PAIR):
            pass


async def test_partial_fill_stays_open_and_trades_come_twice_and_mixed(served: Served) -> None:
    lies = {
        "partial_probability": 1,
        "partial_seconds": 600,
        "split_fills": 3,
        "duplicate_fills": True,
        "reorder_fills": True,
    }
    async with await trader(served) as client:
        await served.post("/_sandbox/exchange/lies", lies)
        order = await client.create_order(PAIR, "limit", "buy", 0.04, 50_000)
        assert (order["status"], order["filled"]) == ("open", 0.02)
        told = await client.privateGetMyTrades({"symbol": "BTCUSDT"})
        assert len(told) == 5
        assert len({each["id"] for each in told}) == 3
        await client.cancel_order(order["id"], PAIR)
        assert (await client.fetch_order(order["id"], PAIR))["filled"] == 0.02


async def test_book_is_read_back_from_its_file(tmp_path: Path) -> None:
    async with serving(configured(tmp_path)) as served, await trader(served) as client:
        await client.create_order(PAIR, "market", "buy", 0.5)
        resting = await client.create_order(PAIR, "limit", "buy", 0.5, 40_000)
        await client.cancel_order(resting["id"], PAIR)
        before = await book(served)
    async with serving(configured(tmp_path)) as served:
        after = await book(served)
    assert after == before


@pytest.mark.parametrize(
    ("file", "call"),
    [
        ("spot_order_response", "fetch_order"),
        ("spot_open_orders_response", "privateGetOpenOrders"),
        ("spot_account_trades_response", "privateGetMyTrades"),
        ("spot_cancel_order_response", "cancel"),
        ("spot_new_order_full_response", "create"),
        ("spot_account_response", "privateGetAccount"),
    ],
)
async def test_bodies_have_the_recorded_keys(served: Served, shared_data: Path, file: str, call: str) -> None:
    recorded = json.loads((shared_data / "payloads" / "binance" / f"{file}.json").read_text())
    async with await trader(served) as client:
        done = await client.create_order(PAIR, "market", "buy", 0.01)
        resting = await client.create_order(PAIR, "limit", "buy", 0.01, 40_000)
        told: Any
        if call == "create":
            told = done["info"]
        elif call == "fetch_order":
            told = (await client.fetch_order(resting["id"], PAIR))["info"]
        elif call == "cancel":
            told = (await client.cancel_order(resting["id"], PAIR))["info"]
        else:
            asked = {} if call == "privateGetAccount" else {"symbol": "BTCUSDT"}
            told = await getattr(client, call)(asked)
    if isinstance(recorded, list):
        recorded, told = recorded[0], told[0]
    assert set(told) == set(recorded)
