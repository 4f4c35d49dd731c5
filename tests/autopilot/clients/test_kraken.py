"""Kraken through our client: ccxt's own recorded cases, the sandbox's dialect, and which errors are believed."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal, getcontext
from pathlib import Path
from typing import Any

import pytest

from autopilot.clients.exchange import (
    Submission,
    Venue,
    VenueBusyError,
    VenueRefusedError,
    VenueUnknownError,
)
from autopilot.clients.venue_answers import order_view
from autopilot.engine.order import OrderSide, OrderType
from tests.autopilot.services.executor.exchange import FarEnd, exchange_at_work

KEY, SECRET = "canary-kraken-key", "Y2FuYXJ5LWtyYWtlbi1zZWNyZXQ="
PAIR = "BTC/USDT"


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with exchange_at_work(tmp_path_factory.mktemp("kraken")) as running:
        running.price("50000")
        running.open_account(KEY, SECRET)
        yield running


@pytest.fixture
def venue(far: FarEnd) -> Venue:
    far.forget_faults()
    url = f"{far.url}/kraken"
    return Venue(
        exchange="kraken", api_key=KEY, api_secret=SECRET, api_url=url, timeout_ms=500, is_paced=False
    )


def order(client_id: str, **values: Any) -> Submission:
    given = {
        "symbol": PAIR,
        "side": OrderSide.BUY,
        "order_type": OrderType.MARKET,
        "quantity": Decimal("0.01"),
        "price": None,
        "client_order_id": client_id,
    }
    return Submission(**given | values)


def minute_ago() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=1)


def test_order_is_sent_found_by_our_id_and_its_trades_are_exact(venue: Venue) -> None:
    assert venue.rounded(symbol=PAIR, quantity=Decimal("0.0100049"), price=None)[0] == Decimal("0.01")
    sent = venue.submit(order("cpkraken1"))
    found = venue.find(symbol=PAIR, client_order_id="cpkraken1", venue_order_id="", since=minute_ago())
    assert found is not None
    assert (found.id, found.status, found.filled) == (sent.id, "closed", Decimal("0.01"))
    trades = [each for each in venue.trades(symbol=PAIR, since=minute_ago()) if each.order_id == sent.id]
    assert [(each.quantity, each.price, each.fee, each.fee_asset) for each in trades] == [
        (Decimal("0.01"), Decimal(50_000), Decimal("0.5"), "USDT")
    ]
    assert venue.balances()["BTC"] == Decimal("0.01")


def test_what_ccxt_does_to_the_context_stays_with_it(venue: Venue) -> None:
    before = getcontext().copy()
    venue.rounded(symbol=PAIR, quantity=Decimal("0.0123456789"), price=Decimal("40000.123456"))
    after = getcontext()
    assert (after.rounding, after.traps) == (before.rounding, before.traps)


def test_limit_and_stop_rest_and_are_cancelled(venue: Venue) -> None:
    limit = venue.submit(order("cpkraken2", order_type=OrderType.LIMIT, price=Decimal(40_000)))
    stop = venue.submit(
        order("cpkraken3", side=OrderSide.SELL, order_type=OrderType.STOP, price=Decimal(45_000))
    )
    assert {each.id for each in venue.open_orders(PAIR)} == {limit.id, stop.id}
    for each in (limit, stop):
        venue.cancel(symbol=PAIR, venue_order_id=each.id)
        with pytest.raises(VenueRefusedError):
            venue.cancel(symbol=PAIR, venue_order_id=each.id)
    found = venue.find(symbol=PAIR, client_order_id="cpkraken2", venue_order_id=limit.id, since=minute_ago())
    assert found is not None
    assert found.status == "canceled"


def test_dead_man_switch_is_renewed_and_taken_off(venue: Venue) -> None:
    assert venue.cancel_all_after(60)
    assert venue.cancel_all_after(0)


@pytest.mark.parametrize("kind", ["502", "close", "hang", "garbage", "500", "418", "429"])
def test_what_is_no_body_of_krakens_is_unknown(far: FarEnd, venue: Venue, kind: str) -> None:
    venue.rounded(symbol=PAIR, quantity=Decimal(1), price=None)
    far.fault(kind, "kraken AddOrder")
    with pytest.raises(VenueUnknownError):
        venue.submit(order(f"cpfault{kind}"))


def test_refusal_in_krakens_own_words_is_believed(venue: Venue) -> None:
    with pytest.raises(VenueRefusedError, match="Insufficient"):
        venue.submit(order("cptoomuch", quantity=Decimal(1000)))


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("EOrder:Insufficient funds", VenueRefusedError),
        ("EAPI:Invalid key", VenueRefusedError),
        ("EGeneral:Permission denied", VenueRefusedError),
        ("EOrder:Rate limit exceeded", VenueBusyError),
        ("EService:Unavailable", VenueUnknownError),
        ("EService:Deadline elapsed", VenueUnknownError),
        ("EOrder:Unknown order", VenueUnknownError),
    ],
)
def test_krakens_errors_are_told_apart(venue: Venue, words: str, error: type[Exception]) -> None:
    client = venue._client
    body = json.dumps({"error": [words]})

    def call() -> None:
        venue._seen(200, "OK", "", "POST", {}, body)
        client.handle_errors(200, "OK", "", "POST", {}, body, json.loads(body), None, None)
        raise AssertionError("ccxt saw no error")

    with pytest.raises(error):
        venue._call(call)


def test_a_host_without_an_address_is_unknown() -> None:
    venue = Venue(
        exchange="kraken",
        api_key=KEY,
        api_secret=SECRET,
        api_url="http://no-such-host.invalid",
        timeout_ms=300,
    )
    with pytest.raises(VenueUnknownError):
        venue.balances()


def test_ccxts_own_recorded_cases_are_read_as_ccxt_reads_them(venue: Venue, shared_data: Path) -> None:
    recorded = json.loads((shared_data / "payloads" / "kraken" / "ccxt_static_subset.json").read_text())
    checked = 0
    for case in recorded["cases"]:
        if case["method"] not in ("createOrder", "fetchOrder"):
            continue
        result = case["httpResponse"]["result"]
        raw = (
            result
            if case["method"] == "createOrder"
            else next(iter(result.values())) | {"id": next(iter(result))}
        )
        client = venue._client
        view = order_view(client.parse_order(raw))
        assert view is not None
        expected = case["parsed"]
        assert view.id == expected["id"]
        assert view.status == expected["status"]
        assert view.filled == (None if expected["filled"] is None else Decimal(str(expected["filled"])))
        checked += 1
    assert checked == 3
