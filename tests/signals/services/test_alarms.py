"""Silence becomes an alarm, once, and ends with the next sign of life."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import AsyncConnection

from copilot_project import web_heartbeat
from copilot_project.sandbox.config import DEFAULT_TOKEN
from notifications.clients.telegram import TelegramClient
from notifications.services.sender.conninfo import conninfo
from notifications.services.sender.loop import Sender, SenderOptions
from notifications.services.sender.pace import Pace
from signals import tasks
from signals.models import Alarm, Heartbeat
from signals.services.alarms import PATIENCE_SECONDS, look

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
MARGIN = timedelta(seconds=20)


def beat_of(name: str, age: timedelta) -> None:
    Heartbeat.objects.update_or_create(
        name=name, defaults={"beat_at": datetime.now(UTC) - age, "expected_every_seconds": 10}
    )


def patience(name: str) -> timedelta:
    return timedelta(seconds=PATIENCE_SECONDS[name])


@pytest.mark.django_db
@pytest.mark.parametrize("name", PATIENCE_SECONDS)
def test_silence_beyond_its_patience_is_one_alarm_until_the_next_sign_of_life(name: str) -> None:
    beat_of(name, patience(name) - MARGIN)
    look(watching_since=LONG_AGO)
    assert not Alarm.objects.exists()
    beat_of(name, patience(name) + MARGIN)
    look(watching_since=LONG_AGO)
    look(watching_since=LONG_AGO)
    alarm = Alarm.objects.get()
    assert (alarm.name, alarm.cleared_at) == (name, None)
    assert "no sign of life since" in alarm.detail
    beat_of(name, timedelta(0))
    look(watching_since=LONG_AGO)
    assert Alarm.objects.get().cleared_at is not None
    beat_of(name, patience(name) + MARGIN)
    look(watching_since=LONG_AGO)
    assert Alarm.objects.count() == 2


@pytest.mark.django_db
def test_one_who_has_just_begun_to_look_accuses_nobody_of_the_time_before() -> None:
    beat_of("sender", timedelta(hours=14))
    look(watching_since=datetime.now(UTC))
    assert not Alarm.objects.exists()
    look(watching_since=datetime.now(UTC) - patience("sender") - MARGIN)
    assert Alarm.objects.exists()


@pytest.mark.django_db
def test_sender_whose_token_is_refused_is_an_alarm_until_it_sends_again() -> None:
    beat_of("sender", timedelta(0))
    look(watching_since=LONG_AGO)
    assert not Alarm.objects.exists()
    Heartbeat.objects.update(detail="halted: Unauthorized")
    look(watching_since=LONG_AGO)
    look(watching_since=LONG_AGO)
    assert Alarm.objects.values_list("name", "detail", "cleared_at").get() == (
        "sender halted",
        "halted: Unauthorized",
        None,
    )
    for detail in ("sending stopped", "standing by"):
        Heartbeat.objects.update(detail=detail)
        look(watching_since=LONG_AGO)
        assert Alarm.objects.get().cleared_at is None, "nobody knows whether the token is good by now"
    Heartbeat.objects.update(detail="")
    look(watching_since=LONG_AGO)
    assert Alarm.objects.get().cleared_at is not None


@pytest.mark.django_db
def test_task_that_runs_once_a_day_raises_no_alarm() -> None:
    beat_of("signals.tasks.forget_old_slots()", timedelta(days=1))
    look(watching_since=LONG_AGO)
    assert not Alarm.objects.exists()


@pytest.mark.django_db
def test_web_shows_life_and_tells_of_the_sender() -> None:
    beat_of("sender", timedelta(hours=1))
    web_heartbeat.beat(watching_since=LONG_AGO)
    assert Heartbeat.objects.filter(name="web").exists()
    assert Alarm.objects.get().name == "sender"


@pytest.mark.django_db
def test_worker_tells_of_the_web_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "STARTED_AT", LONG_AGO)
    beat_of("web", timedelta(hours=1))
    tasks.beat_heart()
    assert Alarm.objects.get().name == "web"


@pytest.mark.django_db(transaction=True)
def test_sender_tells_of_worker_and_web() -> None:
    beat_of("worker", timedelta(hours=1))
    beat_of("web", timedelta(hours=1))

    async def tick() -> None:
        client = TelegramClient(token=DEFAULT_TOKEN, api_url="http://127.0.0.1:9")
        sender = Sender(client, SenderOptions(conninfo()), Pace())
        sender._started_at = LONG_AGO
        async with await AsyncConnection.connect(conninfo(), autocommit=True) as connection:
            await sender._tick(connection)

    asyncio.run(tick())
    assert sorted(Alarm.objects.values_list("name", flat=True)) == ["web", "worker"]


@pytest.mark.django_db
def test_worker_is_not_accused_of_a_beat_that_sends_no_ticks() -> None:
    beat_of("beat", timedelta(minutes=10))
    beat_of("worker", timedelta(minutes=10, seconds=9))
    look(watching_since=LONG_AGO)
    assert [alarm.name for alarm in Alarm.objects.all()] == ["beat"]
    beat_of("beat", timedelta(0))
    look(watching_since=LONG_AGO)  # the alarm about beat ends here
    look(watching_since=LONG_AGO)
    assert not Alarm.objects.filter(cleared_at=None).exists()
    Alarm.objects.update(cleared_at=datetime.now(UTC) - patience("worker") - MARGIN)
    look(watching_since=LONG_AGO)
    assert Alarm.objects.get(cleared_at=None).name == "worker"
