"""Training of the selector is asked for here: one at a time, as a job of the training queue."""

from datetime import datetime

from django.db import transaction

from autopilot.models import BootstrapConfig
from signals.models import ENDED, Job
from signals.services.jobs import start_job

KIND = "selector"
JOB_KIND = "train_selector"
ALL_INSTRUMENTS = ""


class AlreadyRunning(Exception):  # noqa: N818  (a name that others rely on)
    """A training is queued or under way; `job` is it."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"a training is {job.get_state_display().lower()} already: job {job.pk}")
        self.job = job


def start_training(*, owner: str, now: datetime) -> Job:
    """Queue a training with the settings of now. AlreadyRunning while another has not ended."""
    with transaction.atomic():
        BootstrapConfig.objects.get_or_create(pk=1)
        config = BootstrapConfig.objects.select_for_update().get(pk=1)  # two that ask at once take turns here
        running = running_training()
        if running is not None:
            raise AlreadyRunning(running)
        return start_job(kind=JOB_KIND, parameters=config.as_parameters(), owner=owner, now=now)


def running_training() -> Job | None:
    return Job.objects.filter(kind=JOB_KIND).exclude(state__in=ENDED).order_by("created_at").first()


def newest_training() -> Job | None:
    return Job.objects.filter(kind=JOB_KIND).order_by("-created_at").first()
