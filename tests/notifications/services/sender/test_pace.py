"""Telegram's limits as the sender keeps them, with a clock of the test's own."""

from notifications.services.sender.pace import Pace


def test_claim_keeps_a_place_free_until_its_call_and_takes_it_then() -> None:
    """However long a message is prepared: the second that counts is the one in which it is called."""
    pace = Pace(per_second=3)
    pace.claimed(1)
    assert pace.allowance(100.0) == 2
    assert pace.allowance(200.0) == 2
    pace.called(1, 200.0)
    assert pace.allowance(200.9) == 2
    assert pace.allowance(201.0) == 3


def test_claim_that_was_never_called_gives_its_place_back() -> None:
    pace = Pace(per_second=1)
    pace.claimed(1)
    assert pace.allowance(100.0) == 0
    pace.finished(1, 100.0)
    assert pace.allowance(100.0) == 1


def test_chat_is_busy_from_the_claim_until_a_second_after_the_answer() -> None:
    pace = Pace()
    pace.claimed(7)
    assert pace.busy(100.0) == [7]
    pace.called(7, 101.0)
    assert pace.busy(109.0) == [7]
    pace.finished(7, 109.0)
    assert pace.busy(109.9) == [7]
    assert pace.busy(110.0) == []


def test_full_second_is_over_when_its_first_call_is_a_second_old() -> None:
    pace = Pace(per_second=2, seconds_per_chat=0)
    for subscriber, now in ((1, 100.0), (2, 100.4)):
        pace.claimed(subscriber)
        pace.called(subscriber, now)
    assert pace.allowance(100.5) == 0
    assert pace.seconds_until_change(100.5) == 0.5
    assert pace.allowance(101.0) == 1


def test_chat_that_becomes_free_in_a_full_second_wakes_nobody() -> None:
    pace = Pace(per_second=1, seconds_per_chat=0.2)
    pace.claimed(1)
    pace.called(1, 100.0)
    pace.finished(1, 100.1)
    assert pace.seconds_until_change(100.5) == 0.5


def test_chat_that_became_free_since_the_claim_is_looked_at_at_once() -> None:
    pace = Pace(per_second=2)
    pace.claimed(1)
    pace.called(1, 100.0)
    pace.finished(1, 100.1)
    assert pace.busy(101.0) == [1]
    assert pace.seconds_until_change(101.2) == 0.0
