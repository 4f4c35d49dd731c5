"""The archive of orders, trades and decisions: narrowed, paged by key, as files, each for those who may see it."""

import io
from datetime import timedelta
from typing import Any

import pyarrow.parquet
import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from autopilot.models import Decision, Order
from autopilot.services.instances import start_instance
from research.selectors.archive_kinds import KINDS
from signals.engine.timeframe import Timeframe
from tests.autopilot.accounts import START, make_account, make_traded
from tests.autopilot.admin.test_admin import traded  # noqa: F401  (a fixture: an account with a trade and orders)
from users.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("traded")]


@pytest.fixture
def boss(db: None, client: Client) -> Client:
    client.force_login(User.objects.create_superuser("archivist", "archivist@example.org", "a-password-1"))
    return client


def page(client: Client, name: str, **query: Any) -> str:
    answer = client.get(reverse("research:archive_kind", args=[name]), query)
    assert answer.status_code == 200
    return answer.content.decode()


def lines(client: Client, name: str, **query: Any) -> list[str]:
    answer = client.get(reverse("research:archive_kind_export", args=[name, "csv"]), query)
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", list(KINDS))
def test_a_kind_is_shown_narrowed_and_exported(boss: Client, name: str) -> None:
    kind = KINDS[name]
    rows = kind.model.objects.count()
    assert rows >= 1
    assert f"{rows} of {kind.title.lower()}" in page(boss, name)
    every = lines(boss, name, column=list(kind.columns))
    assert every[0].split(",") == list(kind.columns)
    assert len(every) == rows + 1
    assert len(lines(boss, name, strategy="nobody")) == 1
    assert len(lines(boss, name, start="2999-01-01")) == 1
    assert len(lines(boss, name, end="1999-01-01")) == 1
    assert "Nothing fits" in page(boss, name, text="a unicorn")
    assert "Nothing fits" in page(boss, name, before="1")
    table = boss.get(reverse("research:archive_kind_export", args=[name, "parquet"]))
    assert pyarrow.parquet.read_table(io.BytesIO(table.content)).num_rows == rows


def test_reasons_of_decisions_are_searched_and_pages_follow_each_other(boss: Client) -> None:
    instance, _ = start_instance(
        instrument=make_traded(), timeframe=Timeframe.H1, account=make_account(), by="test", now=START
    )
    before = Decision.objects.count()
    for number in range(60):
        Decision.objects.create(
            instance=instance, slot=START + timedelta(hours=number), decided_at=START, mode="ml",
            outcome="silent", reason=f"ADX {number} says no", threshold=0.75,
        )  # fmt: skip
    assert len(lines(boss, "decisions", text="adx 17 says")) == 2
    first = page(boss, "decisions")
    assert "ADX 59 says no" in first
    assert "ADX 2 says no" not in first
    oldest = Decision.objects.order_by("-pk")[49]
    assert f"before={oldest.pk}" in first
    assert "ADX 2 says no" in page(boss, "decisions", before=str(oldest.pk))
    assert before + 60 == Decision.objects.count()


def test_only_who_may_see_a_kind_is_shown_it() -> None:
    user = User.objects.create_user("staff", "staff@example.org", "a-password-1", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_signal"))
    client = Client()
    client.force_login(user)
    assert client.get(reverse("research:archive_kind", args=["orders"])).status_code == 403
    assert "Decisions" not in client.get(reverse("research:archive")).content.decode()
    user.user_permissions.add(Permission.objects.get(codename="view_order"))
    assert f"{Order.objects.count()} of orders" in page(client, "orders")
    assert client.get("/admin/console/archive/nonsense/").status_code == 404
