"""The seed's start, stop and status: its fields, its codes."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from autopilot.models import Instance
from signals.market.models import Exchange, Instrument
from signals.models import Action
from tests.factories import make_instrument
from tests.notifications.rows import make_tier
from users.engine.api_key import ApiScope
from users.models import User
from users.services import create_api_key

pytestmark = pytest.mark.django_db
START, STOP = "/api/autopilot/start-unified", "/api/autopilot/stop-unified"
STATUS = "/api/autopilot/status-unified/"
KEYS = {
    "running", "symbol", "exchange_id", "timeframe", "last_analysis_at", "selected_strategy", "score",
    "trades_today", "next_run_at",
}  # fmt: skip


def caller(*scopes: ApiScope, **values: Any) -> Client:
    cache.clear()
    boss = User.objects.filter(username="boss").first() or User.objects.create_superuser(
        "boss", "boss@example.com", "a-password-1"
    )
    _, key = create_api_key(
        user=boss, name="robot", scopes=scopes or tuple(ApiScope), now=timezone.now(), **values
    )
    return Client(headers={"Authorization": f"Bearer {key}"})


def bitcoin(**values: Any) -> Instrument:
    return make_instrument(symbol="BTC/USDT", base="BTC", quote="USDT", aliases=["BTC/USD"], **values)


def post(client: Client, path: str, **body: Any) -> Any:
    return client.post(path, body, content_type="application/json")


def elsewhere() -> Instrument:
    exchange = Exchange.objects.create(code="kraken", name="Kraken")
    return Instrument.objects.create(
        exchange=exchange, symbol="BTC/USD", base="BTC", quote="USD", aliases=["BTC/USDT"]
    )


def test_start_creates_then_finds_then_refuses_another_configuration() -> None:
    client, instrument = caller(), bitcoin()

    first = post(client, START, symbol="BTC/USD")
    again = post(client, START, symbol="BTC-USD", interval=60.0)
    other = post(client, START, symbol="BTC/USD", interval=120)

    assert first.status_code == 201
    assert first.json() == {
        "instance_id": Instance.objects.get().pk,
        "symbol": "BTC/USDT",
        "exchange_id": instrument.exchange_id,
        "timeframe": "1h",
        "interval": 60,
        "paper_trading": True,
        "min_confidence_threshold": 0.75,
        "max_trades_per_day": 10,
        "auto_execute": False,
        "mode": "ml",
        "state": "running",
    }
    assert (again.status_code, again.json()) == (200, first.json())
    assert (other.status_code, other.json()["code"]) == (409, "already_running")
    assert post(client, START, symbol="BTC/USD", timeframe="4h").status_code == 201


def test_live_trading_is_refused_and_nothing_is_stored() -> None:
    bitcoin()
    answer = post(caller(), START, symbol="BTC/USD", paper_trading=False)

    assert (answer.status_code, answer.json()["code"]) == (409, "live_not_available")
    assert not Instance.objects.exists()
    assert not Action.objects.filter(what__startswith="autopilot").exists()


def test_orders_by_themselves_need_a_confirmation() -> None:
    bitcoin()
    client = caller()

    asked = post(client, START, symbol="BTC/USD", auto_execute=True)

    assert (asked.status_code, list(asked.json()["errors"])) == (400, ["confirmed"])
    assert post(client, START, symbol="BTC/USD", auto_execute=True, confirmed=True).status_code == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("symbol", "DOGE/USD"),
        ("symbol", ""),
        ("symbol", "x" * 33),
        ("exchange_id", 99_999),
        ("exchange_id", 2**70),
        ("exchange_id", "one"),
        ("timeframe", "7h"),
        ("interval", 9),
        ("interval", 86_401),
        ("interval", 60.5),
        ("min_confidence_threshold", 1.01),
        ("min_confidence_threshold", "nan"),
        ("max_trades_per_day", 0),
        ("paper_trading", "perhaps"),
        ("mode", "manual"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(field: str, value: Any) -> None:
    bitcoin()
    answer = post(caller(), START, **{"symbol": "BTC/USD"} | {field: value})

    assert answer.status_code == 400, answer.content
    assert list(answer.json()["errors"]) == [field]
    assert not Instance.objects.exists()


def test_body_that_is_no_object_and_a_missing_symbol_are_400() -> None:
    client = caller()
    assert client.post(START, [1], content_type="application/json").status_code == 400
    assert "symbol" in post(client, START).json()["errors"]


def test_instrument_without_candles_is_not_started() -> None:
    bitcoin(is_active=False)
    assert "not active" in post(caller(), START, symbol="BTC/USD").json()["detail"]


@pytest.mark.parametrize("name", ["BTC/USD", "BTC-USD", "BTC%2FUSD", "BTCUSDT", "btc/usdt", "BTC%252FUSD"])
def test_status_knows_the_instrument_by_every_spelling(name: str) -> None:
    client, instrument = caller(), bitcoin()
    quiet = client.get(STATUS + name).json()
    post(client, START, symbol="BTC/USD")

    answer = client.get(STATUS + name)

    assert answer.status_code == 200
    assert set(answer.json()) == set(quiet) == KEYS
    assert (quiet["running"], answer.json()["running"]) == (False, True)
    assert answer.json()["exchange_id"] == instrument.exchange_id
    assert (answer.json()["trades_today"], answer.json()["last_analysis_at"]) == (0, None)


def test_on_several_exchanges_one_must_be_named() -> None:
    client, here, there = caller(), bitcoin(), elsewhere()

    for asked in (client.get(f"{STATUS}BTC/USD"), post(client, START, symbol="BTC/USD"),
                  post(client, STOP, symbol="BTC/USD")):  # fmt: skip
        assert (asked.status_code, list(asked.json()["errors"])) == (400, ["exchange_id"])
    assert post(client, START, symbol="BTC/USD", exchange_id=there.exchange_id).status_code == 201
    assert client.get(f"{STATUS}BTC/USD?exchange_id={there.exchange_id}").json()["running"]
    assert not client.get(f"{STATUS}BTC/USD?exchange_id={here.exchange_id}").json()["running"]
    assert client.get(f"{STATUS}BTC/USD?exchange_id=x").status_code == 400
    assert client.get(f"{STATUS}DOGE").json()["errors"].keys() == {"symbol"}


def test_stop_is_the_same_asked_twice_and_stops_one_timeframe_or_all() -> None:
    client = caller()
    bitcoin()
    for timeframe in ("1h", "4h", "1d"):
        post(client, START, symbol="BTC/USD", timeframe=timeframe)

    one = post(client, STOP, symbol="BTC/USD", timeframe="4h")
    rest = post(client, STOP, symbol="BTC/USD")
    again = post(client, STOP, symbol="BTC/USD")

    assert [answer.status_code for answer in (one, rest, again)] == [200, 200, 200]
    assert [answer.json()["stopped"] for answer in (one, rest, again)] == [1, 2, 0]
    assert again.json()["running"] is False
    assert post(client, STOP, symbol="BTC/USD", timeframe="9h").status_code == 400
    assert post(client, STOP, symbol="DOGE").status_code == 400
    assert Action.objects.filter(what="autopilot.stopped", actor="boss, by API key robot").count() == 3


@pytest.mark.parametrize("path", ["/api/autopilot/start", "/api/autopilot/intelligent/start"])
def test_removed_endpoints_name_their_successor(path: str) -> None:
    answer = post(caller(), path, symbol="BTC/USD")

    assert answer.status_code == 410
    assert answer.json()["successor"] == START
    assert START in answer.json()["detail"]


def test_key_with_the_wrong_scope_or_of_a_tier_starts_and_sees_nothing() -> None:
    bitcoin()
    assert post(caller(ApiScope.READ, ApiScope.TRAIN), START, symbol="BTC/USD").status_code == 403
    tier = caller(ApiScope.READ, tier=make_tier())
    assert tier.get(f"{STATUS}BTC/USD").status_code == 403
    assert not Instance.objects.exists()
