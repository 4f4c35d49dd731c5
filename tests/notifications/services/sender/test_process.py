"""The sender as a process: killed, stopped, started twice. The sandbox's journal is the judge."""

from collections import Counter
from signal import SIGKILL, SIGTERM

import pytest

from notifications.models import Delivery
from notifications.services.fan_out import fan_out
from signals.models import Heartbeat
from tests.notifications.rows import (
    Controls,
    make_signal,
    make_subscriber,
    make_tier,
    send_until,
    sender_process,
    wait_for,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]


@pytest.fixture
def deliveries(telegram: Controls) -> int:
    tier = make_tier(max_sessions=None)
    people = [make_subscriber(tier=tier) for _ in range(6)]
    telegram.open_chats(*people)
    return fan_out(signal=make_signal())


def open_rows() -> int:
    return Delivery.objects.filter(state__in=["pending", "sending", "retry"]).count()


def is_sending() -> bool:
    return Delivery.objects.filter(state="sending").exists()


def copies(telegram: Controls) -> Counter[str]:
    """How often Telegram accepted each delivery, by the id in its buttons.

    What the killed sender of another test had under way may be accepted only now, and does not count.
    """
    ours = {public_id.hex for public_id in Delivery.objects.values_list("public_id", flat=True)}
    buttons = [record["reply_markup"]["inline_keyboard"][0][0]["callback_data"] for record in telegram.sent()]
    return Counter(name for data in buttons if (name := data.removeprefix("fa:")) in ours)


@pytest.mark.parametrize("accepted", [False, True])
def test_kill_while_sending_loses_nothing_and_marks_what_is_repeated(
    telegram: Controls, process_env: dict[str, str], deliveries: int, accepted: bool
) -> None:
    # Half of it lies before the acceptance: well within the lease, so that no repeat overtakes the first call.
    telegram.post("/latency", {"ms": 6000})
    with sender_process(process_env, telegram.url, "--lease-seconds", "5") as sender:
        wait_for((lambda: copies(telegram)) if accepted else is_sending)
        sender.send_signal(SIGKILL)
        sender.wait()
    assert is_sending()
    telegram.post("/latency", {"ms": 0})
    send_until(telegram.url, lease_seconds=5)
    found = copies(telegram)
    assert len(found) == deliveries
    repeated = {row.public_id.hex for row in Delivery.objects.filter(is_repeat=True)}
    assert repeated
    assert {name for name, times in found.items() if times > 1} <= repeated
    assert max(found.values()) <= 2
    marked = [record for record in telegram.sent() if "(repeat)" in record["text"]]
    assert len(marked) == len(repeated)
    assert all(record["disable_notification"] for record in marked)


def test_sigterm_finishes_what_is_in_flight_and_claims_no_more(
    telegram: Controls, process_env: dict[str, str], deliveries: int
) -> None:
    telegram.post("/latency", {"ms": 5000})
    fan_out(signal=make_signal())  # waits: a chat is sent one message at a time
    with sender_process(process_env, telegram.url) as sender:
        wait_for(is_sending)
        sender.send_signal(SIGTERM)
        assert sender.wait(120) == 0
    states = Counter(Delivery.objects.values_list("state", flat=True))
    assert states == {"sent": deliveries, "pending": deliveries}
    assert max(copies(telegram).values()) == 1


def test_second_sender_waits_until_the_first_is_gone(
    telegram: Controls, process_env: dict[str, str], deliveries: int
) -> None:
    with (
        sender_process(process_env, telegram.url) as first,
        sender_process(process_env, telegram.url) as second,
    ):
        wait_for(lambda: open_rows() == 0)
        assert Heartbeat.objects.filter(name="sender").exists()
        first.send_signal(SIGTERM)
        second_alone = fan_out(signal=make_signal())
        wait_for(lambda: open_rows() == 0)
        second.send_signal(SIGTERM)
        assert second.wait(120) == 0
    found = copies(telegram)
    assert len(found) == deliveries + second_alone
    assert max(found.values()) == 1
