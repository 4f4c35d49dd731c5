"""Every named crash point once, in a real process; another one goes on. The sandbox's journal is the judge."""

import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from copilot_project.sandbox.config import DEFAULT_TOKEN
from notifications.models import Delivery, Feedback, SenderLease, TelegramUpdate
from notifications.services.fan_out import fan_out
from notifications.services.inbox import store_update
from notifications.tasks import process_update
from signals import crash_points
from signals.crash_points import EXIT_STATUS, CrashPoint
from signals.engine.ledger import verify
from signals.engine.strategy import Direction, StrategySignal
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.models import LedgerEntry, Signal, SignalSource, StrategyWeight
from signals.services.publishing import publish
from tests.chaos.orders_experiment import POINTS as EXECUTOR
from tests.factories import make_instrument
from tests.notifications.rows import (
    REPOSITORY,
    Controls,
    make_signal,
    make_subscriber,
    make_tier,
    send_until,
    sender_process,
    wait_for,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]

PUBLISH = "from tests.notifications.test_crash_points import publish_one; publish_one()"
STORE = """
from django.utils import timezone
from notifications.services.inbox import store_update
store_update(payload={payload!r}, now=timezone.now())
"""
WORK_OFF = "from notifications.tasks import process_update; process_update(7)"

SENDER = {
    # Where it dies: how often Telegram gets the message in all, and whether the row is marked as a repeat.
    CrashPoint.BEFORE_CLAIM: (1, False),
    CrashPoint.AFTER_CLAIM: (1, True),
    CrashPoint.BEFORE_SEND: (1, True),
    CrashPoint.AFTER_SEND: (2, True),
    CrashPoint.BEFORE_SETTLE: (2, True),
    CrashPoint.AFTER_SETTLE: (1, False),
}
PUBLICATION = {
    # Where it dies: how many signals stand then.
    CrashPoint.AFTER_SIGNAL_INSERT: 0,
    CrashPoint.AFTER_FAN_OUT_BEFORE_COMMIT: 0,
    CrashPoint.AFTER_COMMIT: 1,
}
REPLY = {
    # Where it dies: how many replies went out.
    CrashPoint.BEFORE_REPLY: 0,
    CrashPoint.AFTER_REPLY: 1,
}


def test_every_crash_point_is_tried_here() -> None:
    inbox = {CrashPoint.AFTER_UPDATE_INSERT, CrashPoint.AFTER_EFFECT_BEFORE_COMMIT}
    cycle = {CrashPoint.BEFORE_CYCLE_COMMIT}  # tests/autopilot/services/test_cycles.py
    assert {*SENDER, *PUBLICATION, *REPLY, *inbox, *cycle, *EXECUTOR} == set(CrashPoint)


@pytest.fixture
def bot_of(telegram: Controls, settings: Settings) -> None:
    """Replies go to the sandbox."""
    settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_API_URL = DEFAULT_TOKEN, telegram.url


def dies(code: str, env: dict[str, str], point: CrashPoint) -> bool:
    """Whether a process of ours that runs the code ends at the place."""
    command = [sys.executable, "-c", f"import django; django.setup()\n{code}"]
    told = {
        "COPILOT_CRASH_AT": point.value,
        "DJANGO_SETTINGS_MODULE": "copilot_project.settings",
        "PGAPPNAME": "dies",
    }
    process = subprocess.run(command, cwd=REPOSITORY, env=env | told, check=False, timeout=300)
    wait_for(lambda: sessions("dies") == 0)  # until then the dead process's locks are held
    return process.returncode == EXIT_STATUS


def sessions(name: str) -> int:
    """How many sessions of such a process the database still has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [name])
        number: int = cursor.fetchone()[0]
    return number


def publish_one() -> None:
    publish(
        instrument=Instrument.objects.select_related("exchange").get(),
        decision=StrategySignal("rsi", Direction.LONG, 0.6, 100.0, 95.0, 110.0, ("because",)),
        timeframe=Timeframe.H1,
        candle_open_time=datetime(2025, 1, 1, tzinfo=UTC),
        source=SignalSource.HYBRID,
    )


def let_leases_lapse() -> None:
    """As after half a minute."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    SenderLease.objects.update(lapses_at=past)
    Delivery.objects.filter(state="sending").update(lease_until=past)


@pytest.mark.parametrize("point", SENDER)
def test_sender_that_dies_loses_nothing_and_repeats_at_most_once_marked(
    telegram: Controls, process_env: dict[str, str], point: CrashPoint
) -> None:
    telegram.open_chats(make_subscriber(tier=make_tier(max_sessions=None)))
    fan_out(signal=make_signal())
    with sender_process(process_env | {"COPILOT_CRASH_AT": point.value}, telegram.url) as sender:
        assert sender.wait(120) == EXIT_STATUS
    fan_out(signal=make_signal())
    let_leases_lapse()
    send_until(telegram.url, seconds=120)

    hit, spared = Delivery.objects.order_by("id")
    copies = Counter(
        record["reply_markup"]["inline_keyboard"][0][0]["callback_data"].removeprefix("fa:")
        for record in telegram.sent()
    )
    assert (copies[hit.public_id.hex], hit.is_repeat) == SENDER[point]
    assert (copies[spared.public_id.hex], spared.is_repeat) == (1, False)
    marked = [record["disable_notification"] for record in telegram.sent() if "(repeat)" in record["text"]]
    assert marked == [True] * hit.is_repeat


@pytest.mark.parametrize("point", PUBLICATION)
def test_publication_that_dies_leaves_all_or_nothing_and_its_repeat_is_harmless(
    process_env: dict[str, str], point: CrashPoint
) -> None:
    make_instrument()
    make_subscriber(tier=make_tier(max_sessions=None))
    assert dies(PUBLISH, process_env, point)
    assert Signal.objects.count() == Delivery.objects.count() == PUBLICATION[point]
    publish_one()
    assert Signal.objects.count() == Delivery.objects.count() == 1
    assert Signal.objects.get().sequence == LedgerEntry.objects.count() == 1
    assert verify(LedgerEntry.objects.entries()) is None


def tap(delivery: Delivery) -> dict[str, Any]:
    pressed = {"id": "1", "from": {"id": delivery.subscriber.chat_id}, "data": f"fa:{delivery.public_id.hex}"}
    return {"update_id": 7, "callback_query": pressed}


def test_inbox_that_dies_before_it_answers_has_the_update_and_takes_it_once(
    process_env: dict[str, str],
) -> None:
    make_subscriber(tier=make_tier(max_sessions=None))
    fan_out(signal=make_signal())
    payload = tap(Delivery.objects.get())
    assert dies(STORE.format(payload=payload), process_env, CrashPoint.AFTER_UPDATE_INSERT)
    assert TelegramUpdate.objects.filter(processed_at=None).count() == 1
    store_update(payload=payload, now=datetime.now(UTC))
    assert TelegramUpdate.objects.count() == 1


def test_worker_that_dies_before_its_commit_applies_a_tap_once(
    telegram: Controls, process_env: dict[str, str], bot_of: None
) -> None:
    make_subscriber(tier=make_tier(max_sessions=None))
    fan_out(signal=make_signal())
    Delivery.objects.update(state="sent", sent_at=datetime.now(UTC))
    store_update(payload=tap(Delivery.objects.get()), now=datetime.now(UTC))
    assert dies(WORK_OFF, process_env, CrashPoint.AFTER_EFFECT_BEFORE_COMMIT)
    assert not Feedback.objects.exists()
    process_update(7)
    process_update(7)
    assert Feedback.objects.count() == 1
    assert StrategyWeight.objects.get().weight == pytest.approx(1.1)


@pytest.mark.parametrize("point", REPLY)
def test_reply_is_never_repeated_and_its_doubt_is_on_record(
    telegram: Controls, process_env: dict[str, str], bot_of: None, point: CrashPoint
) -> None:
    subscriber = make_subscriber()
    telegram.open_chats(subscriber)
    person = {"id": subscriber.chat_id}
    message = {"message_id": 1, "chat": person | {"type": "private"}, "from": person, "text": "/help"}
    store_update(payload={"update_id": 7, "message": message}, now=datetime.now(UTC))
    env = process_env | {"TELEGRAM_BOT_TOKEN": DEFAULT_TOKEN, "TELEGRAM_API_URL": telegram.url}
    assert dies(WORK_OFF, env, point)
    process_update(7)
    assert len(telegram.sent()) == REPLY[point]
    assert TelegramUpdate.objects.get().outcome == "asked for help; reply unknown"


@pytest.mark.parametrize("text", ["nowhere", "after_send:0", "after_send:x", ":1"])
def test_place_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        crash_points.parse(text)


def test_crash_comes_at_the_visit_that_is_named_and_nowhere_without_the_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends: list[int] = []
    monkeypatch.setattr(crash_points, "end", lambda: ends.append(EXIT_STATUS))
    monkeypatch.setattr(crash_points, "_visits_left", crash_points.parse("after_send:3"))
    for expected in ([], [], [EXIT_STATUS], [EXIT_STATUS]):
        for point in CrashPoint:
            crash_points.reach(point)
        assert ends == expected
    crash_points.arm("")
    for point in CrashPoint:
        crash_points.reach(point)
    assert ends == [EXIT_STATUS]
