"""The archive: narrowed by everything, full reasons, and a file that no spreadsheet computes."""

import io
from datetime import UTC, datetime, timedelta

import pyarrow.parquet
import pytest
from django.test import Client
from django.urls import reverse

from signals.models import Signal
from tests.factories import make_instrument
from tests.notifications.rows import make_outcome, make_signal
from users.models import User

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


@pytest.fixture
def boss(db: None, client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss", "boss@example.org", "a-password-1"))
    return client


def three() -> list[Signal]:
    instrument = make_instrument(symbol="AAA/USDT")
    won = make_signal(
        instrument=instrument, strategy="rsi", published_at=NOW - timedelta(days=3),
        reasons=["RSI at 21, below 30", "=cmd|x"], confidence=0.9,
    )  # fmt: skip
    make_outcome(signal=won, r_multiple=1.5, exited_at=NOW, entered_at=NOW - timedelta(days=3))
    lost = make_signal(
        strategy="macd", published_at=NOW - timedelta(days=2), reasons=["=1+1"], confidence=0.5
    )
    make_outcome(signal=lost, r_multiple=-1.0, exited_at=NOW, entered_at=NOW - timedelta(days=3))
    still_open = make_signal(strategy="dca", published_at=NOW - timedelta(days=1), reasons=["plain"])
    return [won, lost, still_open]


def listed(boss: Client, query: str) -> str:
    answer = boss.get(reverse("research:archive") + query)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"won", "lost", "open"}),
        ("?text=below+30", {"won"}),
        ("?strategy=macd", {"lost"}),
        ("?result=win", {"won"}),
        ("?result=loss", {"lost"}),
        ("?result=open", {"open"}),
        ("?confidence=0.85", {"won"}),
        ("?start=2026-05-02&end=2026-05-02", {"lost"}),
        ("?source=autopilot", set()),
        ("?confidence=nonsense", {"won", "lost", "open"}),
    ],
)
def test_each_filter_leaves_what_fits(boss: Client, query: str, found: set[str]) -> None:
    rows = dict(zip(("won", "lost", "open"), three(), strict=True))
    text = listed(boss, query)
    shown = {name for name, row in rows.items() if f"/signals/signal/{row.pk}/change/" in text}
    assert shown == found


def test_the_file_has_the_chosen_columns_and_runs_no_formula(boss: Client) -> None:
    three()
    answer = boss.get(
        reverse("research:archive_export") + "?column=strategy&column=r_multiple&column=reasons"
    )
    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert lines == [
        "strategy,r_multiple,reasons",
        "dca,,plain",
        "macd,-1.0,'=1+1",
        'rsi,1.5,"RSI at 21, below 30 | =cmd|x"',
    ]


def test_nobody_without_the_right_reads_it(db: None, client: Client) -> None:
    client.force_login(User.objects.create_user("eve", "eve@example.org", "a-password-1", is_staff=True))
    for name in ("archive", "archive_export", "analytics"):
        assert client.get(reverse(f"research:{name}")).status_code == 403


def test_the_parquet_file_holds_the_same(boss: Client) -> None:
    three()
    answer = boss.get(
        reverse("research:archive_parquet"), {"column": ["strategy", "r_multiple", "confidence"]}
    )
    table = pyarrow.parquet.read_table(io.BytesIO(answer.content))
    assert table.column_names == ["strategy", "confidence", "r_multiple"]
    assert table["r_multiple"].to_pylist() == [None, -1.0, 1.5]
