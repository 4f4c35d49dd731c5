"""Every entry of the schedule names a task that exists, and Django's copy of it keeps what it needs."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from celery import current_app
from django.db import connection
from django_celery_beat.models import PeriodicTask

from copilot_project.celery import app
from copilot_project.schedule import SCHEDULE
from copilot_project.scheduler import BeatingScheduler
from signals.models import Heartbeat


def test_every_scheduled_task_is_registered() -> None:
    app.loader.import_default_modules()

    assert {entry["task"] for entry in SCHEDULE.values()} <= set(current_app.tasks)


@pytest.mark.django_db(transaction=True)
def test_beat_keeps_period_and_expiry_of_each_entry_and_leaves_a_heartbeat() -> None:
    app.loader.import_default_modules()
    scheduler = BeatingScheduler(app=app)

    scheduler.tick()

    stored = {task.name: task for task in PeriodicTask.objects.all()}
    for name, entry in SCHEDULE.items():
        period = entry["options"]["headers"]["period_seconds"]
        assert f'"period_seconds": {period}' in stored[name].headers
        assert stored[name].expire_seconds == period
    assert Heartbeat.objects.filter(name="beat").exists()


@pytest.fixture
def stopping() -> Iterator[list[BeatingScheduler]]:
    """SIGTERM does what Celery's beat lets it do, with the schedulers that the test puts into the list."""
    schedulers: list[BeatingScheduler] = []

    def write_and_leave(number: int, frame: object) -> None:
        for scheduler in schedulers:
            scheduler.close()
        raise SystemExit

    before = signal.signal(signal.SIGTERM, write_and_leave)
    yield schedulers
    signal.signal(signal.SIGTERM, before)


def ask_to_stop(execute: Any, sql: str, *arguments: Any) -> Any:
    """A wrapper of statements: SIGTERM comes in the middle of each."""
    signal.raise_signal(signal.SIGTERM)
    return execute(sql, *arguments)


@pytest.mark.django_db(transaction=True)
def test_beat_that_is_stopped_while_it_writes_its_schedule_writes_all_of_it_and_stops(
    stopping: list[BeatingScheduler],
) -> None:
    app.loader.import_default_modules()

    with connection.execute_wrapper(ask_to_stop), pytest.raises(SystemExit):
        BeatingScheduler(app=app)

    assert set(SCHEDULE) <= set(PeriodicTask.objects.values_list("name", flat=True))


@pytest.mark.parametrize("work", ["tick", "sync"])
@pytest.mark.django_db(transaction=True)
def test_beat_that_is_stopped_in_the_middle_of_a_statement_ends_its_work_and_stops(
    stopping: list[BeatingScheduler], work: str
) -> None:
    app.loader.import_default_modules()
    scheduler = BeatingScheduler(app=app)
    (entry,) = [entry for name, entry in scheduler.schedule.items() if "updates" in name]
    scheduler.reserve(entry)  # what was sent and is not written yet
    stopping.append(scheduler)

    with connection.execute_wrapper(ask_to_stop), pytest.raises(SystemExit):
        getattr(scheduler, work)()

    assert Heartbeat.objects.filter(name="beat").exists() is (work == "tick")
    assert PeriodicTask.objects.get(name=entry.name).total_run_count == 1
