"""`celery -A tests.chaos.beat beat`: the real beat and the real entry, only more often."""

import os

from copilot_project.celery import app
from copilot_project.schedule import every

SWEEP_SECONDS = int(os.environ["CHAOS_SWEEP_SECONDS"])

app.conf.beat_schedule = {"sweep": every(SWEEP_SECONDS, "signals.tasks.sweep_evaluations")}
