"""A small storm in every run, and the judge of the large one (`python -m tests.chaos.storm`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from notifications.models import Delivery
from tests.chaos.storm_experiment import STORM, publish
from tests.chaos.storm_judge import Call, Row, StormReport, judge, read_calls, total
from tests.notifications.rows import sandbox_process, send_until

# A hanging call takes 15 seconds, and so would this test.
QUICK = [fault for fault in STORM if fault[1] != "hang" and fault[2].get("retry_after", 1) == 1]


@pytest.fixture
def recording_sandbox(tmp_path: Path) -> Iterator[str]:
    with sandbox_process(tmp_path, "--record-calls") as url:
        yield url


@pytest.mark.process
@pytest.mark.django_db(transaction=True)
def test_storm_leaves_every_row_in_a_state_that_its_calls_explain(
    recording_sandbox: str, tmp_path: Path
) -> None:
    publish(recording_sandbox, rows=16, rows_per_chat=2, storm=QUICK)
    send_until(recording_sandbox, seconds=240)
    report = judge(read_calls(tmp_path / "calls.jsonl"), list(Delivery.objects.all()))
    assert report.rows == 16
    assert {"429", "403", "ok"} <= report.outcomes.keys()
    wrong = (report.lost, report.illegal_ends, report.sent_twice_without_a_doubt, report.sent_twice_unmarked)
    assert wrong == (0, 0, 0, 0)
    assert report.sent_more_than_twice == 0
    assert report.most_calls_to_a_chat_that_is_gone <= 1


@dataclass
class Hex:
    hex: str


@dataclass
class Settled:
    public_id: Hex
    state: str = "sent"
    subscriber_id: int = 1
    is_repeat: bool = False


def call(arrived: float, outcome: str = "ok", *, chat: int = 1, delivery: str = "a", wait: int = 0) -> Call:
    return Call(arrived, arrived + 0.001, chat, delivery, outcome, False, "", wait)


def row(name: str = "a", state: str = "sent", *, repeat: bool = False) -> Row:
    return Settled(Hex(name), state, is_repeat=repeat)


def judged(calls: list[Call], *rows: Row) -> StormReport:
    return judge(calls, rows or [row()])


def test_judge_finds_nothing_wrong_with_a_calm_day() -> None:
    assert not judged([call(0.0), call(1.0, delivery="b")], row(), row("b")).failed


def test_judge_sees_a_call_inside_a_retry_after_and_spares_one_that_crossed_it() -> None:
    refused = call(0.0, "429", wait=2)
    assert judged([refused, call(1.9)]).calls_inside_a_retry_after == 1
    assert judged([refused, call(0.02, chat=2)]).calls_that_crossed_a_429 == 1
    assert not judged([refused, call(2.1)]).failed


def test_judge_sees_the_thirty_first_call_of_a_second_wherever_the_second_begins() -> None:
    names = [f"{n}" for n in range(31)]
    calls = [call(0.7 + n * 0.03, chat=n, delivery=name) for n, name in enumerate(names)]
    assert judged(calls, *map(row, names)).most_calls_in_a_second == 31
    assert judged(calls, *map(row, names)).failed
    assert not judged(calls[1:], *map(row, names[1:])).failed


def test_judge_sees_a_chat_that_is_called_twice_within_a_second() -> None:
    assert judged([call(0.0), call(0.9, delivery="b")], row(), row("b")).failed


def test_judge_counts_calls_to_a_chat_that_is_gone() -> None:
    gone = call(0.0, "403")
    late = [call(2.0 * n, "403") for n in (1, 2)]
    assert not judged([gone, late[0]], row(state="dead")).failed
    assert judged([gone, *late], row(state="dead")).failed


@pytest.mark.parametrize(
    ("outcomes", "state", "what"),
    [
        (["400"], "sent", "lost"),
        (["500"], "dead", "illegal_ends"),
        (["ok"], "retry", "illegal_ends"),
        (["ok"], "unknown", "illegal_ends"),
        (["ok", "ok"], "sent", "sent_twice_without_a_doubt"),
        (["502", "ok"], "sent", "sent_twice_unmarked"),
        (["502", "502", "ok"], "sent", "sent_more_than_twice"),
    ],
)
def test_judge_sees_rows_that_their_calls_do_not_explain(outcomes: list[str], state: str, what: str) -> None:
    calls = [call(2.0 * n, outcome) for n, outcome in enumerate(outcomes)]
    report = judged(calls, row(state=state))
    assert getattr(report, what) == 1
    assert report.failed


def test_row_that_was_never_called_is_lost_unless_its_chat_is_gone() -> None:
    assert judged([], row(state="dead")).lost == 1
    assert not judged([call(0.0, "403")], row(state="dead"), row("b", "dead")).failed


def test_reports_of_several_systems_are_added_and_their_extremes_kept() -> None:
    one = {"rows": 2, "states": {"sent": 2}, "most_calls_in_a_second": 9, "failed": False, "seeds": [1]}
    two = {"rows": 3, "states": {"dead": 3}, "most_calls_in_a_second": 4, "failed": True, "seeds": [2]}
    assert total([one, two]) == {
        "rows": 5,
        "states": {"dead": 3, "sent": 2},
        "most_calls_in_a_second": 9,
        "failed": True,
        "seeds": [1, 2],
    }
