"""The journal in the console: read-only, filtered, exported without formulas."""

import csv
import io
from decimal import Decimal

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from autopilot.models import Decision, Order, Trade
from autopilot.services.instances import start_instance
from autopilot.services.orders import close_position
from signals.admin.export import cell
from signals.engine.timeframe import Timeframe
from tests.autopilot.accounts import HOUR, START, add_candle, decide, make_account, make_traded, step
from tests.autopilot.live_rows import live_day
from users.models import User

pytestmark = pytest.mark.django_db
MODELS = [model for model in admin.site._registry if model._meta.app_label == "autopilot"]


@pytest.fixture
def traded() -> None:
    """One closed trade and one refused order."""
    account, instrument = make_account(name="=HYPERLINK(1)"), make_traded(taker_bps=Decimal(10))
    for hour in range(3):
        add_candle(instrument, hour, (100, 101, 99, 100))
    decide(account, instrument, strategy="rsi", stop=Decimal(90))
    step(instrument, 1)
    decide(account, instrument, 1, quantity=Decimal(1000), level=1)
    close_position(
        account=account, instrument=instrument, candle_open_time=START + HOUR, now=START + 2 * HOUR, by="test"
    )
    step(instrument, 2)
    assert Trade.objects.count() == 1
    instance, _ = start_instance(
        instrument=instrument, timeframe=Timeframe.H1, account=account, by="test", now=START
    )
    Decision.objects.create(
        instance=instance,
        slot=START,
        decided_at=START,
        mode="ml",
        outcome="silent",
        reason="-",
        threshold=0.75,
    )
    unsure = make_traded(symbol="SOL/USDT", base="SOL")
    live_day(bought=instrument, unsure=unsure, now=timezone.now())


@pytest.mark.usefixtures("traded")
def test_lists_show_their_rows_and_offer_no_change(admin_client: Client) -> None:
    """All in one test: making the rows takes longer than looking at them."""
    for model in MODELS:
        path = reverse(f"admin:autopilot_{model._meta.model_name}_changelist")
        page = admin_client.get(path)
        assert page.status_code == 200, model
        assert "export=csv" in page.content.decode(), model
        row = model.objects.first()
        change = reverse(f"admin:autopilot_{model._meta.model_name}_change", args=[row.pk])
        assert admin_client.get(change).status_code == 200, model
        assert admin_client.post(change, {}).status_code == 403, model
        assert admin_client.get(f"{path}add/").status_code == 403, model


@pytest.mark.usefixtures("traded")
def test_the_export_holds_what_the_filters_show(admin_client: Client) -> None:
    path = reverse("admin:autopilot_order_changelist")
    answer = admin_client.get(path, {"state__exact": "refused", "export": "csv"})
    assert answer["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [row["reason_code"] for row in rows] == ["insufficient_funds"]
    everything = b"".join(admin_client.get(path, {"export": "csv"}).streaming_content).decode()
    assert len(list(csv.DictReader(io.StringIO(everything)))) == Order.objects.count()


@pytest.mark.usefixtures("traded")
def test_text_that_a_spreadsheet_would_run_is_quoted_and_numbers_are_not(admin_client: Client) -> None:
    answer = admin_client.get(reverse("admin:autopilot_account_changelist"), {"export": "csv"})
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert rows[0]["name"] == "'=HYPERLINK(1)"
    assert [cell(each) for each in ("+1", "-1", "@x", "\tx", "plain", Decimal("-1.50"), -2, None)] == [
        "'+1",
        "'-1",
        "'@x",
        "'\tx",
        "plain",
        "-1.5",
        "-2",
        "",
    ]


@pytest.mark.usefixtures("traded")
def test_without_the_right_nothing_is_exported(client: Client) -> None:
    client.force_login(User.objects.create(username="guest", is_staff=True))
    assert client.get(reverse("admin:autopilot_order_changelist"), {"export": "csv"}).status_code == 403


@pytest.mark.usefixtures("traded")
def test_what_was_done_is_exported_as_well(admin_client: Client) -> None:
    path = reverse("admin:signals_action_changelist")
    answer = admin_client.get(path, {"what__exact": "autopilot.started", "export": "csv"})
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [(row["actor"], row["what"]) for row in rows] == [("test", "autopilot.started")]


@pytest.mark.usefixtures("traded")
def test_a_keys_ciphertext_is_neither_shown_nor_exported(admin_client: Client) -> None:
    path = reverse("admin:autopilot_exchangekey_changelist")
    exported = b"".join(admin_client.get(path, {"export": "csv"}).streaming_content).decode()
    (row,) = csv.DictReader(io.StringIO(exported))
    assert (row["shown"], row["state"]) == ("9f3a", "usable")
    shown = admin_client.get(reverse("admin:autopilot_exchangekey_change", args=[row["id"]])).content.decode()
    for text in (exported, shown):
        assert "ciphertext" not in text.lower()
        assert "sealed" not in text
