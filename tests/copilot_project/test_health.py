"""Probes and metrics: what they say when something is wrong, and to whom."""

import shutil
from datetime import datetime, timedelta

import pytest
import redis
from django.conf import settings
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from copilot_project.embedded import Redis, redis_url
from copilot_project.health import _told_last, readiness, watched_periods
from notifications.models import SenderState
from signals.models import Heartbeat, ScheduledSlot

TICK = "signals.tasks.beat_heart()"


@pytest.fixture
def now(db: None) -> datetime:
    """A system in which everything lives."""
    now = timezone.now()
    for name in ("beat", "worker", "sender"):
        Heartbeat.objects.create(name=name, beat_at=now, expected_every_seconds=15)
    ScheduledSlot.objects.create(name=TICK, slot=now - timedelta(seconds=20), started_at=now)
    return now


def wrong(now: datetime) -> dict[str, str]:
    return {name: answer for name, answer in readiness(now=now)[0].items() if answer != "ok"}


def test_database_that_is_lost_while_we_look_is_told(
    now: datetime, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost() -> bool:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr("copilot_project.health.sending_allowed", lost)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "no answer (OperationalError)"


def test_everything_alive_is_ready(now: datetime, client: Client) -> None:
    # The view reads the clock itself, some time after the fixture did: signs of life that stay fresh meanwhile.
    soon = now + timedelta(minutes=10)
    Heartbeat.objects.update(beat_at=soon)
    ScheduledSlot.objects.update(slot=soon)

    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["checks"].keys() == {
        "redis",
        "cache",
        "database",
        "migrations",
        "beat",
        "worker",
        "sender",
        "schedule",
    }


@pytest.mark.parametrize(("name", "patience"), [("beat", 30), ("worker", 30), ("sender", 30)])
def test_silent_process_is_named_once_its_patience_is_over(now: datetime, name: str, patience: int) -> None:
    silent = Heartbeat.objects.filter(name=name)

    silent.update(beat_at=now - timedelta(seconds=patience - 1))
    assert wrong(now) == {}
    silent.update(beat_at=now - timedelta(seconds=patience + 1))
    assert wrong(now).keys() == {name}
    silent.delete()
    assert wrong(now) == {name: "not seen yet"}


def test_sender_whose_token_is_refused_is_not_ready_and_a_metric_says_so(
    now: datetime, client: Client
) -> None:
    SenderState.objects.update_or_create(id=1, defaults={"halted_reason": "Unauthorized"})
    assert wrong(now) == {"sender": "halted: Unauthorized"}
    assert "copilot_sender_halted 1.0" in client.get("/metrics").content.decode()
    SenderState.objects.update(halted_reason="")
    assert wrong(now) == {}
    assert "copilot_sender_halted 0.0" in client.get("/metrics").content.decode()


def test_schedule_that_stands_still_is_named(now: datetime) -> None:
    ScheduledSlot.objects.update(slot=now - timedelta(seconds=61))

    assert wrong(now) == {"schedule": f"late: {TICK}"}


def test_every_quick_entry_of_the_schedule_is_watched_under_the_name_of_its_slots() -> None:
    names = watched_periods()

    assert names["signals.market.tasks.sync_candles(1h)"] == timedelta(seconds=30)
    assert TICK in names


def test_missing_migration_says_what_to_run(now: datetime, client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'research'")

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "manage.py migrate" in answer.json()["checks"]["migrations"]


def test_redis_gone_is_named_without_its_address(now: datetime, settings: Settings) -> None:
    settings.REDIS_URL = "redis://:a-password@127.0.0.1:1/0"

    assert wrong(now) == {"redis": "no answer (ConnectionError)"}


@pytest.mark.parametrize("which", ["REDIS_URL", "CACHE_URL"])
def test_redis_that_answers_and_takes_nothing_is_not_ready(
    now: datetime, settings: Settings, which: str
) -> None:
    """Its memory is full and nothing may be evicted: it still answers a ping."""
    folder = settings.STATE_DIR / "full-redis"
    server = Redis(folder)
    server.start()
    try:
        setattr(settings, which, redis_url(folder))
        name = {"REDIS_URL": "redis", "CACHE_URL": "cache"}[which]
        assert wrong(now) == {}
        with redis.Redis.from_url(redis_url(folder)) as client:
            client.config_set("maxmemory", "1")
            assert client.ping()
            assert wrong(now) == {name: "takes no writes (OutOfMemoryError)"}
            client.config_set("maxmemory", "0")
    finally:
        server.stop()
        shutil.rmtree(folder)


def test_database_that_takes_no_writes_is_not_ready(now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
    assert wrong(now) == {"database": "takes no writes"}


def test_heartbeats_from_before_the_start_do_not_count(now: datetime, settings: Settings) -> None:
    settings.STARTED_AT = now + timedelta(seconds=1)
    assert wrong(now + timedelta(seconds=2)) == dict.fromkeys(("beat", "worker", "sender"), "starting")
    Heartbeat.objects.update(beat_at=now + timedelta(seconds=2))
    assert wrong(now + timedelta(seconds=3)) == {}


def test_what_came_due_while_nothing_ran_is_not_late(now: datetime, settings: Settings) -> None:
    night = now + timedelta(hours=9)
    Heartbeat.objects.update(beat_at=night)
    settings.STARTED_AT = night - timedelta(seconds=1)
    assert wrong(night) == {}


def test_not_ready_yet_costs_a_line_that_says_starting(
    db: None, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    _told_last.clear()
    with caplog.at_level("INFO"):
        for _ in range(5):
            assert client.get("/readyz").status_code == 503
    assert len(caplog.records) == 1
    assert "starting" in caplog.text
    assert caplog.records[0].levelname == "INFO"


def test_what_breaks_later_is_a_warning(
    now: datetime, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    _told_last.clear()
    SenderState.objects.update_or_create(id=1, defaults={"halted_reason": "Unauthorized"})
    with caplog.at_level("INFO"):
        client.get("/readyz")
        client.get("/readyz")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_liveness_asks_nothing_but_the_process(client: Client) -> None:
    assert client.get("/livez").json() == {"status": "ok"}  # without the database: it would be refused here


def test_metrics_without_a_token_answer_this_machine_only(now: datetime, client: Client) -> None:
    assert settings.METRICS_TOKEN == ""
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="::1").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.7").status_code == 403
    assert client.get("/metrics", REMOTE_ADDR="").status_code == 403


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_metrics_behind_a_proxy_are_not_loopback(db: None, client: Client, header: str) -> None:
    assert client.get("/metrics", headers={header: "127.0.0.1"}).status_code == 403


def test_metrics_with_a_token_ask_everybody_for_it(now: datetime, client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = "0123456789abcdef"

    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer 0123456789abcdeg"}).status_code == 403
    right = {"Authorization": "Bearer 0123456789abcdef"}
    assert client.get("/metrics", headers=right, REMOTE_ADDR="203.0.113.7").status_code == 200


def test_metrics_hold_counters_and_the_state_of_the_system(now: datetime, client: Client) -> None:
    Heartbeat.objects.filter(name="sender").update(beat_at=now - timedelta(seconds=100))

    lines = client.get("/metrics").content.decode().splitlines()

    samples = dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    assert 100 <= float(samples['copilot_heartbeat_age_seconds{name="sender"}']) < 160
    assert samples['copilot_deliveries_open{state="pending"}'] == "0.0"
    assert samples["copilot_oldest_due_seconds"] == "0.0"
    assert any(name.startswith("copilot_outside_calls_total") for name in samples) or any(
        line.startswith("# TYPE copilot_outside_calls_total") for line in lines
    )
