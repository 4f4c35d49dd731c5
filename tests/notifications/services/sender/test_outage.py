"""Telegram out of order: after some calls of unknown fate the bot waits, and a single answer ends the count."""

from datetime import UTC, datetime, timedelta

import pytest

from notifications.clients.telegram_call import Failure
from notifications.models import Delivery, SenderState
from notifications.services.fan_out import fan_out
from notifications.services.sender.outage import DOUBTS_IN_A_ROW, PAUSE_SECONDS, Outage
from tests.notifications.rows import Controls, make_signal, make_subscriber, make_tier, send_until


def after(*failures: Failure) -> float:
    """The pause after the last of those, in one outage."""
    outage = Outage()
    return [outage.pause_seconds(failure) for failure in failures][-1]


DOUBTS = (Failure.AMBIGUOUS,) * (DOUBTS_IN_A_ROW - 1)


def test_pause_begins_with_the_last_doubt_of_a_row_and_again_with_each_that_follows() -> None:
    assert after(*DOUBTS) == 0
    assert after(*DOUBTS, Failure.AMBIGUOUS) == PAUSE_SECONDS
    assert after(*DOUBTS, Failure.AMBIGUOUS, Failure.AMBIGUOUS) == PAUSE_SECONDS


@pytest.mark.parametrize("failure", [Failure.NOT_SENT, Failure.HELD_BACK])
def test_call_that_never_came_about_says_nothing(failure: Failure) -> None:
    assert after(*DOUBTS, Failure.AMBIGUOUS, failure) == 0
    assert after(*DOUBTS, failure, Failure.AMBIGUOUS) == PAUSE_SECONDS


@pytest.mark.parametrize("failure", [Failure.RATE_LIMITED, Failure.CHAT_GONE, Failure.REFUSED])
def test_any_answer_of_telegram_ends_the_row(failure: Failure) -> None:
    assert after(*DOUBTS, failure, Failure.AMBIGUOUS) == 0


def test_accepted_message_ends_the_row() -> None:
    outage = Outage()
    for failure in DOUBTS:
        outage.pause_seconds(failure)
    outage.answered()
    assert outage.pause_seconds(Failure.AMBIGUOUS) == 0


@pytest.mark.django_db(transaction=True)
def test_sender_waits_when_telegram_is_out_of_order(telegram: Controls) -> None:
    """One call at a time, twenty people: of all but the first five nothing is risked."""
    tier = make_tier(max_sessions=None)
    people = [make_subscriber(tier=tier) for _ in range(20)]
    telegram.open_chats(*people)
    fan_out(signal=make_signal())
    telegram.fault("500", count=100)
    before = datetime.now(UTC)
    send_until(telegram.url, "SELECT paused_until IS NOT NULL FROM notifications_senderstate", in_flight=1)
    assert sum(Delivery.objects.values_list("attempts", flat=True)) == DOUBTS_IN_A_ROW
    untouched = Delivery.objects.filter(state="pending", attempts=0)
    assert untouched.count() >= len(people) - DOUBTS_IN_A_ROW
    pause = timedelta(seconds=PAUSE_SECONDS)
    assert before + pause <= SenderState.objects.get().paused_until <= datetime.now(UTC) + pause


@pytest.mark.django_db(transaction=True)
def test_sender_goes_on_when_an_answer_came_between(telegram: Controls) -> None:
    people = [make_subscriber(tier=make_tier(max_sessions=None)) for _ in range(2 * DOUBTS_IN_A_ROW - 1)]
    telegram.open_chats(*people)
    fan_out(signal=make_signal())
    fifth = people[DOUBTS_IN_A_ROW - 1]
    for person in people:
        if person != fifth:
            telegram.fault("500", chat_id=person.chat_id)
    send_until(telegram.url, in_flight=1)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}
    assert SenderState.objects.get().paused_until is None
