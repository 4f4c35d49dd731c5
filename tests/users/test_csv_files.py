"""Subscribers as CSV: out without formulas, in with every line checked."""

import csv
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from tests.notifications.rows import make_subscriber, make_tier
from users.models import Subscriber
from users.services.csv_files import export_csv, import_csv

pytestmark = pytest.mark.django_db


def read(text: str, *, dry_run: bool = False) -> tuple[int, int, list[tuple[int, str]]]:
    report = import_csv(text=text, by="boss", why="test", dry_run=dry_run)
    return report.created, report.changed, [(error.line, error.problem) for error in report.errors]


@pytest.mark.parametrize("name", ["=1+1", "+cmd", "-2", "@SUM(A1)", "\t=1", "  =1", "'=1", "plain"])
def test_no_cell_is_a_formula_and_the_way_back_is_the_same(name: str) -> None:
    person = make_subscriber(tier=make_tier(code="gold"), display_name=name, notes="=HYPERLINK(1)")
    text = export_csv(subscribers=[person])
    [row] = csv.DictReader(StringIO(text))
    assert not row["display_name"].lstrip(" ").startswith(("=", "+", "-", "@", "\t"))
    assert not row["notes"].startswith("=")
    assert read(text) == (0, 1, [])
    person.refresh_from_db()
    assert person.display_name == name.strip()


def test_lines_make_and_change_subscribers() -> None:
    make_tier(code="gold")
    old = make_subscriber(tier=make_tier(code="free"))
    text = (
        "display_name,tier,public_id,capital,subscription_ends_at\n"
        "Ada,gold,,2500,2027-01-31\n"
        f"Bob,gold,{old.public_id},,\n"
    )
    assert read(text, dry_run=True) == (1, 1, [])
    assert Subscriber.objects.count() == 1
    assert read(text) == (1, 1, [])
    ada = Subscriber.objects.get(display_name="Ada")
    assert (ada.capital, ada.subscription_ends_at) == (Decimal(2500), datetime(2027, 1, 31, tzinfo=UTC))
    old.refresh_from_db()
    assert (old.display_name, old.tier.code, old.capital) == ("Bob", "gold", 10_000)


def test_each_wrong_line_is_named_and_nothing_is_written() -> None:
    make_tier(code="gold", account_types=["demo"])
    text = (
        "display_name,tier,account_type,capital\n"
        "Ada,gold,demo,1\n"
        "Bob,silver,demo,1\n"
        ",gold,demo,1\n"
        "Cy,gold,live,1\n"
        "Di,gold,demo,much\n"
        "Ed,gold\n"
        "Fay,gold,demo,NaN\n"
    )
    created, changed, errors = read(text)
    assert (created, changed) == (1, 0)
    assert [line for line, _ in errors] == [3, 4, 5, 6, 7, 8]
    assert not Subscriber.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "display_name\nAda\n",
        "display_name,tier,chat_id\nAda,gold,5\n",
        'display_name,tier\n"Ada,gold\n',
        "\0",
    ],
)
def test_what_is_no_such_table_is_refused(text: str) -> None:
    make_tier(code="gold")
    _, _, errors = read(text)
    assert errors


def test_page_reads_a_file_and_asks_for_both_rights(admin_client: Client) -> None:
    make_tier(code="gold")
    file = SimpleUploadedFile("people.csv", b"display_name,tier\nAda,gold\nBob,none\n")
    address = reverse("admin:users_subscriber_import_page")
    page = admin_client.post(address, {"file": file, "why": "fair", "dry_run": "on"})
    assert "There is no tier none" in page.content.decode()
    person = make_subscriber(display_name="=1")
    answer = admin_client.post(
        "/admin/users/subscriber/", {"action": "export", "_selected_action": [str(person.pk)]}
    )
    assert answer["Content-Type"].startswith("text/csv")
    assert "'=1" in answer.content.decode()
