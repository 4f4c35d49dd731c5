"""The stress test's contract, a tiny run of it, and the verdict on books that are wrong in each possible way."""

import json
import subprocess
import sys
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from copilot_project.stress.verdict import Row, Verdict, judge

KEYS = [
    "committed",
    "deliveries",
    "sent",
    "expired",
    "pending",
    "dead",
    "unknown",
    "lost",
    "doubled",
    "seconds",
    "latency_ms",
]
ONE = "0" * 31 + "1"


def record(name: str = ONE, *, text: str = "LONG", silent: bool = False) -> dict[str, Any]:
    buttons = [[{"text": "I acted", "callback_data": f"fa:{name}"}]]
    return {
        "method": "sendMessage",
        "text": text,
        "disable_notification": silent,
        "reply_markup": {"inline_keyboard": buttons},
    }


REPEAT = record(text="(repeat) LONG", silent=True)


def counts(rows: list[Row], journal: list[dict[str, Any]], owed: int = 1) -> tuple[int, int]:
    verdict = judge(owed=owed, rows=rows, journal=journal)
    return verdict.lost, verdict.doubled


def test_every_state_is_counted_once() -> None:
    states = ["sent", "expired", "dead", "unknown", "pending", "sending", "retry"]
    rows = [Row(f"{number:032x}", state, False) for number, state in enumerate(states)]
    other = {"method": "editMessageReplyMarkup", "reply_markup": record()["reply_markup"]}
    reply = {"method": "sendMessage", "reply_markup": None}
    verdict = judge(owed=7, rows=rows, journal=[record("0" * 32), other, reply])
    assert verdict == Verdict(
        deliveries=7, sent=1, expired=1, pending=3, dead=1, unknown=1, lost=0, doubled=0
    )


def test_sent_message_that_the_journal_does_not_know_is_lost() -> None:
    assert counts([Row(ONE, "sent", False)], []) == (1, 0)


def test_delivery_that_was_owed_and_has_no_row_is_lost() -> None:
    assert counts([Row(ONE, "sent", False)], [record()], owed=3) == (2, 0)


@pytest.mark.parametrize("state", ["expired", "dead"])
def test_accepted_message_that_its_row_denies_is_lost(state: str) -> None:
    assert counts([Row(ONE, state, False)], [record()]) == (1, 0)


def test_accepted_message_of_no_row_is_lost() -> None:
    assert counts([Row(ONE, "sent", False)], [record(), record("f" * 32)]) == (1, 0)


def test_row_beyond_those_owed_is_doubled() -> None:
    assert counts([Row(ONE, "expired", False), Row("f" * 32, "expired", False)], []) == (0, 1)


@pytest.mark.parametrize(
    ("marked", "copies", "doubled"),
    [
        (True, [record(), REPEAT], 0),
        (True, [record(), REPEAT, REPEAT], 1),
        (True, [record(), record()], 1),
        (True, [record(), record(silent=True)], 1),
        (True, [record(), record(text="(repeat) LONG")], 1),
        (False, [record(), REPEAT], 1),
        (True, [REPEAT], 0),
    ],
)
def test_second_message_is_doubled_unless_it_is_the_one_marked_repeat(
    marked: bool, copies: list[dict[str, Any]], doubled: int
) -> None:
    assert counts([Row(ONE, "sent", marked)], copies) == (0, doubled)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("rate", "0"),
        ("rate", "nan"),
        ("seconds", "-1"),
        ("seconds", "inf"),
        ("subscribers", "many"),
        ("subscribers", "2.5"),
        ("per_second", ""),
        ("expires_after", "3"),
    ],
)
def test_argument_that_cannot_work_is_refused_in_one_line_that_names_it(option: str, value: str) -> None:
    with pytest.raises(CommandError) as raised:
        call_command("stress_test", **{option: value})
    assert str(raised.value).startswith("--" + option.replace("_", "-"))
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_tiny_run_accounts_for_every_delivery_and_leaves_nothing_behind(process_env: dict[str, str]) -> None:
    options = ["--rate", "5", "--seconds", "3", "--subscribers", "8", "--json"]
    options += ["--per-second", "1000", "--expires-after", "120"]  # so that a slow machine can send them all
    run = subprocess.run(
        [sys.executable, "manage.py", "stress_test", *options],
        env=process_env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert list(report) == KEYS
    assert 0 < report["committed"] <= 15
    assert report["deliveries"] == report["committed"] * 8
    parts = [report[name] for name in ("sent", "expired", "pending", "dead", "unknown")]
    assert sum(parts) == report["deliveries"]
    assert (report["lost"], report["doubled"], report["pending"]) == (0, 0, 0)
    assert report["sent"] == report["deliveries"]
    assert list(report["latency_ms"]) == ["vip", "premium", "standard", "free"]
    assert all(set(values) == {"p50", "p95", "p99"} for values in report["latency_ms"].values())
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'copilot_stress%%'")
        assert cursor.fetchone() == (0,)
