"""The judge of `python -m tests.chaos.delivery` sees what it is there to see."""

from typing import Any
from uuid import UUID

import pytest

from notifications.models import Delivery
from tests.chaos.judge import arrivals, judge_messages
from tests.chaos.report import Report

SIGNAL, OUTCOME = UUID(int=1), UUID(int=2)


def system(*, signal: str = "sent", outcome: str = "sent", **values: Any) -> dict[str, Delivery]:
    """One signal and its follow-up, in these states."""
    rows = (
        Delivery(public_id=SIGNAL, signal_id=7, subscriber_id=8, kind="signal", state=signal, **values),
        Delivery(public_id=OUTCOME, signal_id=7, subscriber_id=8, kind="outcome", state=outcome),
    )
    return {row.public_id.hex: row for row in rows}


def told(message_id: int = 50, *, is_marked: bool = False) -> dict[str, Any]:
    button = {"callback_data": f"fa:{SIGNAL.hex}"}
    return {
        "method": "sendPhoto",
        "chat_id": 9,
        "message_id": message_id,
        "reply_markup": {"inline_keyboard": [[button]]},
        "text": "LONG (repeat)" if is_marked else "LONG",
        "disable_notification": is_marked,
    }


def answered(message_id: int = 50) -> dict[str, Any]:
    return {
        "method": "sendMessage",
        "chat_id": 9,
        "message_id": 60,
        "reply_markup": None,
        "message": {"reply_to_message": {"message_id": message_id}},
        "text": "Target reached",
        "disable_notification": False,
    }


def verdict(records: list[dict[str, Any]], rows: dict[str, Delivery], *, sender_kills: int = 1) -> Report:
    report = Report(seeds=[1])
    report.kills["sender"] = report.sender_kills_while_sending = sender_kills
    judge_messages(arrivals(records, rows), rows, report)
    return report


def test_all_that_arrived_once_is_neither_lost_nor_doubled() -> None:
    report = verdict([told(), {"method": "setWebhook"}, answered()], system())
    assert (report.accepted, report.accepted_pictures, report.accepted_follow_ups) == (2, 1, 1)
    assert (report.lost, report.sent_twice, report.failed) == (0, 0, False)


@pytest.mark.parametrize("state", ["sent", "pending", "expired", "dead"])
def test_what_the_journal_does_not_know_is_lost_whatever_the_row_says(state: str) -> None:
    report = verdict([told()], system(outcome=state))
    assert (report.lost, report.failed) == (1, True)


def test_unknown_is_no_loss_and_its_follow_up_may_end_with_it() -> None:
    rows = system(signal="unknown", outcome="dead")
    rows[OUTCOME.hex].reason = "signal_not_sent"
    report = verdict([], rows)
    assert (report.lost, report.left_unknown, report.left_unknown_and_never_arrived) == (0, 1, 1)
    assert report.follow_ups_ended_with_an_unknown_signal == 1
    rows[SIGNAL.hex].state = "sent"
    assert verdict([told()], rows).lost == 1


def test_repeat_is_allowed_marked_and_only_once() -> None:
    twice = [told(), told(51, is_marked=True), answered(51)]
    good = verdict(twice, system(is_repeat=True))
    assert (good.sent_twice, good.sent_twice_unmarked, good.failed) == (1, 0, False)
    assert verdict(twice, system()).sent_twice_unmarked == 1  # the row does not say so
    assert verdict([told(), told(51), answered()], system(is_repeat=True)).sent_twice_unmarked == 1
    thrice = verdict([*twice, told(52, is_marked=True)], system(is_repeat=True))
    assert (thrice.sent_more_than_twice, thrice.failed) == (1, True)
    assert verdict(twice, system(is_repeat=True), sender_kills=0).failed  # nobody was killed


def test_late_return_and_kills_that_miss_are_failures() -> None:
    report = verdict([told(), answered()], system())
    report.seconds_until_back = {"sender": [3.0, 30.0]}
    assert not report.failed
    report.seconds_until_back["web"] = [30.1]
    assert report.failed
    report.seconds_until_back.clear()
    report.sender_kills_while_sending = 0
    assert report.failed


def test_reports_of_seeds_add_up() -> None:
    total, other = verdict([told(), answered()], system()), verdict([told()], system())
    total.seconds_until_back, other.seconds_until_back = {"web": [1.0]}, {"web": [2.0], "beat": [3.0]}
    total.add(other)
    assert (total.seeds, total.lost, total.kills["sender"]) == ([1, 1], 1, 2)
    assert total.seconds_until_back == {"web": [1.0, 2.0], "beat": [3.0]}
