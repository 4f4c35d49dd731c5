"""The chart page of one instrument: what it shows, to whom, and in a browser under the policy."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from signals.market.models import Instrument
from signals.models import Evaluation
from tests.browser import log_in, visiting
from tests.factories import make_instrument
from tests.notifications.rows import make_outcome, make_signal
from tests.research.console_rows import last_hour, past, store_history
from users.models import User

pytestmark = pytest.mark.django_db


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def judged(instrument: Instrument, reason: str) -> None:
    Evaluation.objects.create(
        instrument=instrument, timeframe="1h", candle_open_time=last_hour() - timedelta(hours=1), source="hybrid",
        outcome="none", reason=reason, score=0.12, as_of=last_hour(), evaluated_at=timezone.now(),
    )  # fmt: skip


def test_page_shows_range_signals_and_reasons_and_its_figure_holds_them(admin_client: Client) -> None:
    instrument = make_instrument(symbol="BTC/USDT")
    store_history(instrument, bars=60, seed=3)
    signal = make_signal(instrument=instrument, published_at=last_hour() - timedelta(hours=20))
    make_outcome(signal=signal)
    make_signal(
        instrument=instrument,
        published_at=last_hour() - timedelta(hours=2),
        direction="short",
        stop_loss=110.0,
        take_profit=80.0,
    )
    judged(instrument, "blended <score> is small")

    page = text(admin_client, f"/admin/console/charts/{instrument.pk}/")
    figure = admin_client.get(f"/admin/console/charts/{instrument.pk}/figure/").json()

    assert "blended &lt;score&gt; is small" in page
    assert "Target" in page
    assert "+1.94" in page
    traces = {trace["name"]: trace for trace in figure["data"]}
    assert len(traces["BTC/USDT"]["x"]) == 60
    assert sorted(traces["Entry"]["y"]) == [100.0, 100.1]
    assert traces["Exit"]["text"] == ["Target, +1.94 R after costs"]
    assert traces["Stop"]["y"][:2] == [110.0, 110.0]


def test_chart_ends_where_it_is_asked_to(admin_client: Client) -> None:
    instrument = make_instrument()
    candles = store_history(instrument, bars=400, seed=3)
    until = last_hour() - timedelta(hours=100)

    figure = admin_client.get(
        f"/admin/console/charts/{instrument.pk}/figure/?until={until:%Y-%m-%dT%H:%M:%SZ}"
    ).json()

    (price,) = [trace for trace in figure["data"] if trace["type"] == "candlestick"]
    assert price["close"][-1] == candles.close[-101]
    assert price["x"][-1] == f"{until - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}"


@pytest.mark.parametrize(
    "query",
    [
        "timeframe=3w",
        "until=yesterday",
        "until=99999-01-01T00:00",
        "until=2026-02-31T00:00Z",
        "until=0001-01-01",
    ],
)
def test_rubbish_in_the_query_shows_the_newest(admin_client: Client, query: str) -> None:
    instrument = make_instrument()
    store_history(instrument, bars=30, seed=3)
    for path in ("", "figure/"):
        assert admin_client.get(f"/admin/console/charts/{instrument.pk}/{path}?{query}").status_code == 200


def test_empty_pages_say_when_the_first_candle_comes(admin_client: Client) -> None:
    assert "There is no instrument yet" in text(admin_client, "/admin/console/charts/")
    active, idle = make_instrument(), make_instrument(is_active=False)

    assert "The first comes within a minute" in text(admin_client, f"/admin/console/charts/{active.pk}/")
    assert "none will come" in text(admin_client, f"/admin/console/charts/{idle.pk}/")
    assert admin_client.get(f"/admin/console/charts/{active.pk}/figure/").json()["data"] == []
    assert admin_client.get("/admin/console/charts/999999/").status_code == 404


def test_list_of_instruments_leads_to_their_charts(admin_client: Client) -> None:
    instrument = make_instrument()
    assert f'href="/admin/console/charts/{instrument.pk}/"' in text(admin_client, "/admin/market/instrument/")


@pytest.mark.parametrize("asked", ["", "x", "-1", "999", "99999999999999999999"])
def test_menu_leads_to_an_instrument_whatever_is_asked_for(admin_client: Client, asked: str) -> None:
    instrument = make_instrument()
    answer = admin_client.get(f"/admin/console/charts/?instrument={asked}")
    assert answer.headers["Location"] == f"/admin/console/charts/{instrument.pk}/"


def test_signals_and_reasons_are_for_those_who_may_see_them(client: Client) -> None:
    instrument = make_instrument()
    store_history(instrument, bars=30, seed=3)
    make_signal(instrument=instrument, published_at=last_hour() - timedelta(hours=2), strategy="rsi")
    judged(instrument, "the reason")
    user = User.objects.create(username="guest", is_staff=True)
    client.force_login(user)
    base = f"/admin/console/charts/{instrument.pk}/"
    for path in (
        "/admin/console/charts/",
        base,
        f"{base}figure/",
        f"{base}evaluations/",
        "/admin/console/equity/",
    ):
        assert client.get(path).status_code == 403
    user.user_permissions.set(Permission.objects.filter(codename="view_instrument"))
    page = text(client, base)
    assert "the reason" not in page
    assert "Signals in this stretch" not in page
    (entries,) = [t for t in client.get(f"{base}figure/").json()["data"] if t["name"] == "Entry"]
    assert entries["x"] == []
    assert client.get(f"{base}evaluations/").status_code == 403


def test_more_signals_need_no_more_queries(admin_client: Client) -> None:
    """Counted by a wrapper of our own: Django's cursor that counts knows no COPY with parameters."""
    instrument = make_instrument()
    store_history(instrument, bars=60, seed=3)
    counts: list[int] = []

    def count(execute: Any, *call: Any) -> Any:
        counts[-1] += 1
        return execute(*call)

    for hours in (2, 3, 4, 5, 6):
        signal = make_signal(instrument=instrument, published_at=last_hour() - timedelta(hours=hours))
        if hours % 2:
            make_outcome(signal=signal)
        for path in ("", "figure/"):
            counts.append(0)
            with connection.execute_wrapper(count):
                admin_client.get(f"/admin/console/charts/{instrument.pk}/{path}")

    assert 0 < counts[8] <= counts[2] < 40
    assert 0 < counts[9] <= counts[3] < 15


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_charts_are_drawn_in_both_themes_at_any_width_and_nothing_leaves_the_host(
    chromium: Path, live_server: LiveServer
) -> None:
    User.objects.create_superuser("boss", "boss@example.com", "a-password-1")
    instrument, _ = past(symbols={"BTC/USDT": 67_000.0, "ETH/USDT": 3_400.0}, bars=300, every=25)
    with visiting(chromium, viewport={"width": 1280, "height": 800}, color_scheme="light") as (
        page,
        complaints,
    ):
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        log_in(page, live_server.url)
        page.wait_for_selector("#equity[data-drawn] .main-svg")
        page.goto(f"{live_server.url}/admin/console/charts/{instrument.pk}/")
        page.wait_for_selector("#candles[data-drawn] .main-svg")
        ink = "getComputedStyle(document.querySelector('#candles .xtick text')).fill"
        light = page.evaluate(ink)
        page.evaluate("document.documentElement.classList.add('dark')")  # as Unfold's switch does
        page.wait_for_function(f"{ink} !== '{light}'")
        shown = "document.getElementById('candles')._fullLayout.xaxis.range.join()"
        before = page.evaluate(shown)
        page.focus("#candles")
        page.keyboard.press("+")
        page.wait_for_function(f"{shown} !== '{before}'")
        page.set_viewport_size({"width": 390, "height": 800})
        page.wait_for_function("document.querySelector('#candles .main-svg').clientWidth < 390")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.select_option("#choice", label="ETH/USDT · Binance")
        page.wait_for_url(lambda url: not url.endswith(f"/{instrument.pk}/"))
        page.wait_for_selector("#candles[data-drawn]")
        assert complaints == []
        assert {url for url in asked if not url.startswith((live_server.url, "data:", "blob:"))} == set()
