"""What the integrators' lists hold, page by page, and that nobody sees early."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pyarrow.parquet
import pytest
from django.core.cache import cache
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pytest_django.fixtures import Settings

from autopilot.models import Position, Trade
from research.api.answers import cursor_text
from research.selectors.integrator import OUTCOMES, SIGNALS, audience_of, newest, page
from signals.engine.timeframe import Timeframe
from signals.models import KillSwitch, Signal
from signals.services.kill_switch import engage
from signals.services.ledger_heads import sign_head
from tests.autopilot.accounts import make_account
from tests.factories import make_instrument, make_series, store
from tests.notifications.rows import make_outcome, make_signal, make_tier
from tests.static.test_verify_ledger import script
from users.engine.api_key import ApiScope
from users.models import Tier, User
from users.services import create_api_key

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
V1 = "/api/v1/"


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    set_clock(monkeypatch, NOW)


def set_clock(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)


def caller(tier: Tier | None = None) -> Client:
    boss = User.objects.filter(username="boss").first() or User.objects.create_superuser(
        "boss", "boss@example.com", "a-password-1"
    )
    key = create_api_key(user=boss, name="x", scopes=[ApiScope.READ], tier=tier, now=NOW)[1]
    return Client(headers={"Authorization": f"Bearer {key}"})


def ids(answer: Any, name: str = "id") -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row[name] for row in answer.json()["results"]]


def minutes_ago(minutes: float, **values: Any) -> Any:
    return make_signal(published_at=NOW - timedelta(minutes=minutes), **values)


# --- nobody sees early


def test_signal_is_listed_from_the_instant_of_its_release_on(monkeypatch: pytest.MonkeyPatch) -> None:
    signal = minutes_ago(0)
    staff, free = caller(), caller(make_tier(delay_seconds=900))
    moment = timedelta(microseconds=1)
    for now, seen in ((NOW, False), (NOW + timedelta(seconds=900) - moment, False),
                      (NOW + timedelta(seconds=900), True)):  # fmt: skip
        set_clock(monkeypatch, now)
        cache.clear()
        assert ids(staff.get(V1 + "signals")) == [str(signal.public_id)]
        assert ids(free.get(V1 + "signals")) == ([str(signal.public_id)] if seen else [])
        assert free.get(f"{V1}signals/{signal.public_id}").status_code == (200 if seen else 404)


def test_outcome_comes_after_its_own_delay_and_never_without_its_signal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    early, late = minutes_ago(60), minutes_ago(5)
    for signal in (early, late):
        make_outcome(signal=signal, recorded_at=NOW - timedelta(minutes=10 if signal is early else 16))
    free = caller(make_tier(delay_seconds=900))

    assert ids(free.get(V1 + "outcomes"), "signal_id") == []
    assert free.get(V1 + "performance").json()["overall"]["n"] == 0
    set_clock(monkeypatch, NOW + timedelta(minutes=5))
    assert ids(free.get(V1 + "outcomes"), "signal_id") == [str(early.public_id)]
    set_clock(monkeypatch, NOW + timedelta(minutes=10))
    assert len(ids(free.get(V1 + "outcomes"), "signal_id")) == 2
    assert free.get(V1 + "performance").json()["overall"]["n"] == 2


def test_experimental_signals_are_of_tiers_that_have_them() -> None:
    plain, trial = minutes_ago(60), minutes_ago(50, experimental=True)
    make_outcome(signal=trial, recorded_at=NOW - timedelta(minutes=30))
    vip, free = caller(make_tier(experimental=True)), caller(make_tier())

    assert ids(vip.get(V1 + "signals")) == [str(trial.public_id), str(plain.public_id)]
    assert ids(free.get(V1 + "signals")) == [str(plain.public_id)]
    assert free.get(f"{V1}signals/{trial.public_id}").status_code == 404
    assert ids(free.get(V1 + "outcomes"), "signal_id") == []
    judged = [each.get(V1 + "performance").json()["overall"]["n"] for each in (free, vip)]
    assert judged == [0, 1]


def test_engaged_switch_keeps_from_a_tier_what_was_not_released_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, new = minutes_ago(60), minutes_ago(5)
    engage(reason="test", by="boss", now=NOW - timedelta(minutes=30))
    assert KillSwitch.objects.get().changed_at

    assert ids(caller(make_tier()).get(V1 + "signals")) == [str(old.public_id)]
    assert ids(caller().get(V1 + "signals")) == [str(new.public_id), str(old.public_id)]


def make_trade(signal: Signal | None, *, recorded_at: datetime) -> Trade:
    """A long one of an hour, in its instrument's own account."""
    instrument = signal.instrument if signal else make_instrument()
    steps = {"timeframe": "1h", "tick": Decimal("0.01"), "lot": Decimal("0.001")}
    account = make_account()
    position = Position.objects.create(account=account, instrument=instrument, clock=recorded_at, **steps)
    return Trade.objects.create(
        account=account, instrument=instrument, position=position, round_trip=1, direction="long",
        quantity=Decimal(1), entered_at=recorded_at - timedelta(hours=1), exited_at=recorded_at,
        entry_price=Decimal(100), exit_price=Decimal(110), fees=Decimal("0.2"), funding=Decimal(0),
        net_profit=Decimal("9.8"), r_multiple=1.96, exit_reason="target", is_ambiguous=False,
        signal=signal, strategy="rsi", recorded_at=recorded_at,
    )  # fmt: skip


def test_a_tier_sees_a_trade_after_its_delay_and_only_of_a_signal_that_it_gets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = NOW - timedelta(minutes=10)
    own = make_trade(None, recorded_at=ended)
    trial = make_trade(minutes_ago(90, experimental=True), recorded_at=ended)
    told = make_trade(minutes_ago(60), recorded_at=ended)
    staff, vip, free = caller(), caller(make_tier(experimental=True)), caller(make_tier(delay_seconds=900))
    moment = timedelta(microseconds=1)

    assert ids(staff.get(V1 + "trades")) == [told.pk, trial.pk, own.pk]
    assert ids(vip.get(V1 + "trades")) == [told.pk, trial.pk]
    assert ids(free.get(V1 + "trades")) == []
    for now, seen in ((timedelta(minutes=5) - moment, []), (timedelta(minutes=5), [told.pk])):
        set_clock(monkeypatch, NOW + now)
        cache.clear()
        assert ids(free.get(V1 + "trades")) == seen
        assert ids(free.get(V1 + "trades", {"order": "oldest"})) == seen


def test_a_receipt_comes_with_the_first_head_after_the_tiers_release_and_verifies(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.LEDGER_SIGNING_KEY = "ab" * 32
    signal = minutes_ago(0)
    staff, free = caller(), caller(make_tier(delay_seconds=900))
    path = f"{V1}signals/{signal.public_id}/receipt"
    assert staff.get(path).status_code == 404

    def told(after: timedelta, *, signs: bool = False) -> list[int]:
        set_clock(monkeypatch, NOW + after)
        cache.clear()
        if signs:
            sign_head(now=NOW + after)
        return [each.get(path).status_code for each in (staff, free)]

    assert told(timedelta(minutes=1), signs=True) == [200, 404]
    assert told(timedelta(minutes=16)) == [200, 404], "of a head that was signed before the release"
    assert told(timedelta(minutes=17), signs=True) == [200, 200]
    text = free.get(path).content.decode()
    head = json.loads(text)["head"]
    known = script.check_receipt(script.parse(text), {head["public_key"]})
    assert known["public_id"] == str(signal.public_id)
    for wrong in ("nonsense", "00000000-0000-4000-8000-000000000000"):
        assert free.get(f"{V1}signals/{wrong}/receipt").status_code == 404
    engage(reason="test", by="boss", now=NOW + timedelta(minutes=17))
    assert told(timedelta(minutes=18)) == [200, 404]


class Polling(TestCase):
    """Whoever polls oldest first gets each signal once, none before its release, whatever the order of commits."""

    @settings(max_examples=20)
    @given(
        st.lists(st.integers(0, 40), min_size=1, max_size=12),
        st.integers(0, 20),
        st.integers(1, 5),
    )
    def test_each_once_and_none_early(self, ages: list[int], delay: int, limit: int) -> None:
        signals = [minutes_ago(age) for age in ages]
        tier = make_tier(delay_seconds=delay * 60)
        released = {str(s.public_id): s.published_at + timedelta(minutes=delay) for s in signals}
        after, got = None, []
        for step in range(80):
            now = NOW + timedelta(minutes=step - 40)
            audience = audience_of(tier, now=now)
            found = page(SIGNALS, audience, wanted={}, after=after, oldest_first=True, limit=limit)
            rows = [each["id"] for each in json.loads(found.text)]
            assert all(released[each] <= now for each in rows)
            got += rows
            after = found.last if found.last is not None else after

        assert sorted(got) == sorted(released)


def test_sign_of_change_differs_whenever_the_list_does() -> None:
    tier = make_tier(delay_seconds=300)
    for age in (30, 10, 12, 3, 7):
        minutes_ago(age)
    seen: dict[str, str] = {}
    for step in range(60):
        audience = audience_of(tier, now=NOW + timedelta(seconds=30 * step - 900))
        text = page(SIGNALS, audience, wanted={}, after=None, oldest_first=False, limit=100).text
        assert seen.setdefault(newest(SIGNALS, audience), text) == text
    assert len(seen) > 3


# --- pages


def test_pages_follow_each_other_either_way_without_gap_or_repeat() -> None:
    expected = [str(minutes_ago(age).public_id) for age in range(25, 0, -1)]
    client = caller()
    for order, wanted in (("oldest", expected), ("newest", expected[::-1])):
        got, cursor = [], ""
        for _ in range(6):
            more = {"cursor": cursor} if cursor else {}
            answer = client.get(V1 + "signals", {"limit": 7, "order": order} | more)
            got += ids(answer)
            cursor = answer.json()["next"]
            if cursor is None:
                break
        assert got == wanted
    assert cursor is None
    late = minutes_ago(0)
    first = client.get(V1 + "signals", {"order": "oldest", "cursor": cursor_text(late.sequence - 1)}).json()
    assert client.get(V1 + "signals", {"order": "oldest", "cursor": first["next"]}).json() == {
        "results": [],
        "next": first["next"],
    }


def test_filters_are_joined() -> None:
    bitcoin = make_instrument(symbol="BTC/USDT", aliases=["BTC/USD"])
    wanted = minutes_ago(30, instrument=bitcoin, confidence=0.9, strategy="macd")
    minutes_ago(30, instrument=bitcoin, confidence=0.5, strategy="macd")
    minutes_ago(20, strategy="macd")
    minutes_ago(90, instrument=bitcoin, confidence=0.9, strategy="macd")
    query = {
        "symbol": "BTC-USD",
        "min_confidence": 0.8,
        "strategy": "macd",
        "direction": "long",
        "timeframe": "1h",
        "source": "hybrid",
        "since": "2026-06-01T11:00:00Z",
        "until": "2026-06-01T11:45:00Z",
    }

    assert ids(caller().get(V1 + "signals", query)) == [str(wanted.public_id)]


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("signals", "limit", "0"),
        ("signals", "limit", "1001"),
        ("signals", "cursor", "nonsense"),
        ("signals", "cursor", "_" * 11),
        ("signals", "order", "random"),
        ("signals", "since", "yesterday"),
        ("signals", "since", "0001-01-01T00:00:00Z"),
        ("signals", "min_confidence", "nan"),
        ("signals", "symbol", "NOPE"),
        ("outcomes", "exchange_id", "0"),
        ("candles", "timeframe", "2h"),
        ("candles", "file", "csv"),
        ("performance", "days", "4000"),
    ],
)
def test_wrong_parameter_is_named(path: str, field: str, value: str) -> None:
    make_instrument(symbol="BTC/USDT")
    answer = caller().get(V1 + path, {"symbol": "BTC/USDT"} | {field: value})

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_known_answer_is_not_sent_again_until_it_changes() -> None:
    minutes_ago(30)
    client = caller()
    first = client.get(V1 + "signals")
    named = {"If-None-Match": first.headers["ETag"]}

    assert client.get(V1 + "signals", headers=named).status_code == 304
    assert client.get(V1 + "signals", {"limit": 5}, headers=named).status_code == 200
    assert caller(make_tier()).get(V1 + "signals", headers=named).status_code == 200
    minutes_ago(1)
    changed = client.get(V1 + "signals", headers=named)
    assert (changed.status_code, len(ids(changed))) == (200, 2)
    assert "Authorization" in changed.headers["Vary"]
    instruments = client.get(V1 + "instruments")
    assert (
        client.get(V1 + "instruments", headers={"If-None-Match": instruments.headers["ETag"]}).status_code
        == 304
    )


# --- market


def test_instruments_name_what_can_be_asked_for() -> None:
    instrument = make_instrument(symbol="BTC/USDT", base="BTC", aliases=["BTC/USD"])
    [row] = caller(make_tier()).get(V1 + "instruments").json()["results"]
    assert row == {
        "id": instrument.pk, "symbol": "BTC/USDT", "aliases": ["BTC/USD"], "base": "BTC", "quote": "USDT",
        "exchange_id": instrument.exchange_id, "exchange": "binance", "asset_class": "crypto",
        "market_type": "spot", "is_active": True, "is_simulated": True,
    }  # fmt: skip


def test_candles_come_in_pages_and_as_parquet_and_only_closed_ones() -> None:
    instrument = make_instrument(symbol="BTC/USDT")
    series = make_series(bars=31, start=NOW - timedelta(hours=30))  # the last one is still open
    store(instrument, Timeframe.H1, series)
    client = caller()

    got, start = [], "2026-05-01T00:00:00Z"
    while start:
        answer = client.get(V1 + "candles", {"symbol": "BTCUSDT", "limit": 10, "start": start}).json()
        got += answer["candles"]
        start = answer["next"]

    assert answer["columns"] == ["open_time", "open", "high", "low", "close", "volume"]
    assert [row[4] for row in got] == series.close[:-1].tolist()
    assert len(client.get(V1 + "candles", {"symbol": "BTCUSDT", "limit": 5}).json()["candles"]) == 5
    file = client.get(
        V1 + "candles", {"symbol": "BTCUSDT", "start": "2026-05-01T00:00:00Z", "file": "parquet"}
    )
    table = pyarrow.parquet.read_table(BytesIO(file.content))
    assert table.column("close").to_pylist() == series.close[:-1].tolist()
    assert "BTC-USDT-1h.parquet" in file.headers["Content-Disposition"]


def test_performance_is_arithmetic_on_the_outcomes() -> None:
    for number, r in enumerate((2.0, -1.0, -1.0)):
        signal = minutes_ago(600 - number, strategy="macd" if number else "rsi")
        make_outcome(signal=signal, r_multiple=r, recorded_at=NOW - timedelta(hours=1))

    found = caller().get(V1 + "performance").json()

    assert (found["overall"]["n"], found["overall"]["total_r"]) == (3, 0.0)
    assert found["overall"]["hit_rate"] == pytest.approx(1 / 3)
    assert found["overall"]["mean_r_interval"] is None
    assert {row["strategy"]: row["total_r"] for row in found["strategies"]} == {"macd": -2.0, "rsi": 2.0}
    assert newest(OUTCOMES, audience_of(None, now=NOW)).split()[0] != "0"
