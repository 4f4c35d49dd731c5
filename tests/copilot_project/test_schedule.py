"""Every entry of the schedule names a task that exists, and Django's copy of it keeps what it needs."""

import pytest
from celery import current_app
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
