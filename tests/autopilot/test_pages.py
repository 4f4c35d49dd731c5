"""The Autopilot pages: started, confirmed, steered, and every decision with its reasons."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from autopilot.engine.cycle import Mode
from autopilot.models import Decision, Instance
from autopilot.services.champion import forget_loaded
from autopilot.services.cycles import run_cycle
from autopilot.services.firing import firing_of
from autopilot.services.paper import fill_orders
from autopilot.services.record_keeping import forget_records
from signals.engine.timeframe import Timeframe
from tests.autopilot.accounts import make_traded
from tests.autopilot.market_rows import END, make_autopilot, market, store, walk
from users.models import User

pytestmark = pytest.mark.django_db
PAGE = "/admin/console/autopilot/"


@pytest.fixture
def boss(client: Client) -> Client:
    forget_loaded()
    forget_records()
    client.force_login(User.objects.create_superuser("boss", "boss@example.com", "a-password-1"))
    return client


def read(client: Client, address: str = PAGE) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def form(instrument: Any, **values: Any) -> dict[str, Any]:
    given = {
        "instrument": instrument.pk,
        "timeframe": "1h",
        "mode": "pattern",
        "min_confidence_threshold": "0.4",
        "interval_seconds": "60",
        "max_trades_per_day": "10",
        "hold_bars": "24",
    }
    return given | values


def test_the_first_page_says_that_nothing_runs_and_offers_the_form(boss: Client) -> None:
    text = read(boss)
    assert "No autopilot runs" in text
    assert "Start on paper" in text


def test_started_from_the_form_and_shown_with_its_state(boss: Client) -> None:
    instrument = make_traded()
    answer = boss.post(PAGE, form(instrument))

    instance = Instance.objects.get()
    assert answer.headers["location"] == reverse("autopilot:instance", args=[instance.pk])
    assert (instance.mode, instance.min_confidence_threshold, instance.auto_execute) == (
        "pattern",
        0.4,
        False,
    )
    assert instance.started_by == "boss"
    assert instrument.symbol in read(boss)


def test_auto_execution_without_confirmation_and_a_conflict_are_told_at_the_form(boss: Client) -> None:
    instrument = make_traded()
    answer = boss.post(PAGE, form(instrument, auto_execute="on"))
    assert (answer.status_code, Instance.objects.count()) == (422, 0)
    assert "needs its own confirmation" in answer.content.decode()

    boss.post(PAGE, form(instrument, auto_execute="on", confirmed="on"))
    assert Instance.objects.get().auto_execute
    answer = boss.post(PAGE, form(instrument, interval_seconds="120"))
    assert "with another configuration" in answer.content.decode()


def test_the_page_of_one_shows_decisions_orders_and_trades(boss: Client) -> None:
    instrument, rest, closed_at = market()
    instance = make_autopilot(instrument, closed_at, label="Demo")
    decision = run_cycle(instance_id=instance.pk, as_of=closed_at, now=closed_at)
    assert decision is not None
    store(instrument, rest[:4])
    moment = closed_at + timedelta(hours=4)
    fill_orders(instrument=instrument, timeframe=Timeframe.H1, as_of=moment, now=moment)

    text = read(boss, reverse("autopilot:instance", args=[instance.pk]))
    assert decision.strategy.replace("_", " ") in text
    assert "Candles and trades" in text
    assert "Demo" in text
    shown = read(boss, reverse("autopilot:decision", args=[decision.pk]))
    for part in ("Who spoke", "What was seen", "How the size was found", "Decided by rules"):
        assert part in shown
    for name in ("autopilot_candles", "autopilot_equity"):
        figure = boss.get(reverse(f"research:{name}", args=[instance.pk])).json()
        assert figure["data"]
    assert "Newest decisions" in read(boss, reverse("autopilot:autopilots_state"))


@pytest.mark.parametrize(
    ("values", "column", "value"),
    [
        ({"do": "pause"}, "state", "paused"),
        ({"do": "stop"}, "state", "stopped"),
        ({"do": "mode", "mode": "hybrid"}, "mode", "hybrid"),
        ({"do": "threshold", "threshold": "0.33"}, "min_confidence_threshold", 0.33),
        ({"do": "auto_on", "confirmed": "on"}, "auto_execute", True),
        ({"do": "auto_on"}, "auto_execute", False),
        ({"do": "threshold", "threshold": "2"}, "min_confidence_threshold", 0.0),
        ({"do": "dance"}, "state", "running"),
    ],
)
def test_each_button_does_what_it_says(boss: Client, values: dict[str, str], column: str, value: Any) -> None:
    instance = make_autopilot(make_traded(), END, auto_execute=False)
    assert boss.post(reverse("autopilot:act", args=[instance.pk]), values).status_code == 302
    assert getattr(Instance.objects.get(), column) == value


def test_resume_goes_on(boss: Client) -> None:
    instance = make_autopilot(make_traded(), END)
    act = reverse("autopilot:act", args=[instance.pk])
    boss.post(act, {"do": "pause"})
    boss.post(act, {"do": "resume"})
    assert Instance.objects.get().is_running


def test_how_often_the_threshold_would_have_fired_and_the_weekly_value(boss: Client) -> None:
    instrument = make_traded()
    store(instrument, walk())
    given = form(instrument, min_confidence_threshold="0.75")
    found = firing_of(instrument=instrument, timeframe=Timeframe.H1, mode=Mode.PATTERN, as_of=END)
    assert found is not None
    assert found.weekly is not None
    assert found.count(found.weekly) >= round(found.days / 7)
    assert found.count(0.0) == len(found.scores)
    assert (found.scores[:-1] >= found.scores[1:]).all()

    answer = boss.get(reverse("autopilot:firing"), given)
    assert answer.status_code == 200
    few = boss.get(reverse("autopilot:firing"), form(make_traded()))
    assert "Too few" in few.content.decode()


def test_who_may_only_look_may_not_start(client: Client) -> None:
    user = User.objects.create_user("eve", "eve@example.com", "a-password-1", is_staff=True)
    client.force_login(user)
    assert client.get(PAGE).status_code == 403
    rights = ("view_instance", "view_decision")
    user.user_permissions.set(
        Permission.objects.filter(codename__in=rights, content_type__app_label="autopilot")
    )
    instance = make_autopilot(make_traded(), END)

    assert "Start on paper" not in read(client)
    assert client.post(PAGE, form(instance.instrument)).status_code == 403
    assert client.post(reverse("autopilot:act", args=[instance.pk]), {"do": "stop"}).status_code == 403
    assert Decision.objects.count() == 0
