"""Everything long is a job: started here, from the console or the API by a row, from a command line in its process."""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from celery import Task, current_app
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from signals.models import Job, JobState
from signals.services.actions import record_action
from signals.services.job_lease import take_lease
from signals.services.job_run import JobCancelled, JobLeaseLostError, JobRun, carry_out
from signals.services.wake_up import wake_up

__all__ = [
    "JobCancelled",
    "JobLeaseLostError",
    "JobRun",
    "JobStateError",
    "UnknownJobKindError",
    "cancel_job",
    "carry_out",
    "run_here",
    "start_job",
    "take_lease",
    "wake",
]


# A wake-up is void after this, and the sweeper sends another: however long a queue is, few of them wait in it.
WAKE_AGAIN_SECONDS = 60


class UnknownJobKindError(Exception):
    """No task does this kind of work; the message names those that exist."""


class JobStateError(Exception):
    """The job is past what was asked for."""


def start_job(*, kind: str, parameters: dict[str, Any], owner: str, now: datetime) -> Job:
    """Queue one piece of work; a worker is woken on commit, and by the sweeper should that be lost."""
    task = task_of(kind)
    job = Job.objects.create(
        kind=kind,
        parameters=parameters,
        owner=owner,
        code_version=settings.CODE_VERSION,
        queue=task.job_queue,
        is_resumable=task.job_resumable,
        time_limit_seconds=task.job_time_limit_seconds,
        created_at=now,
    )
    transaction.on_commit(lambda: wake(job=job))
    return job


def run_here(
    *, kind: str, parameters: dict[str, Any], owner: str, work: Callable[[JobRun], dict[str, Any]]
) -> Job:
    """Do the work in this process under a row of its own, without broker or worker; its errors come through."""
    row = Job.objects.create(
        kind=kind, parameters=parameters, owner=owner, code_version=settings.CODE_VERSION, created_at=Now()
    )
    job = take_lease(job_id=row.pk)
    if job is None:
        raise JobLeaseLostError(f"job {row.pk} was taken by somebody else")
    return carry_out(job=job, work=work)


def cancel_job(*, job_id: uuid.UUID | str, by: str, now: datetime) -> None:
    """A queued job is cancelled at once, a running one at its next step of progress."""
    with transaction.atomic():
        job = Job.objects.select_for_update().get(pk=job_id)
        if job.has_ended:
            raise JobStateError(f"The job has ended already: {job.get_state_display().lower()}.")
        before = {"state": job.state}
        job.cancel_asked_at, job.cancel_asked_by = job.cancel_asked_at or now, job.cancel_asked_by or by
        if job.state == JobState.QUEUED:
            job.state, job.ended_at = JobState.CANCELLED, now
        job.save(update_fields=["state", "ended_at", "cancel_asked_at", "cancel_asked_by"])
        record_action(
            actor=by or "system",
            what="job.cancel_asked",
            target=f"job {job.pk}: {job.kind}",
            now=now,
            before=before,
            after={"state": job.state},
        )


def wake(*, job: Job) -> None:
    """Tell a worker of a queued job. A broker that is down costs time only: the sweeper asks again."""
    Job.objects.filter(pk=job.pk).update(woken_at=Now())
    wake_up(task_of(job.kind), str(job.pk), queue=job.queue, expires=WAKE_AGAIN_SECONDS)


def task_of(kind: str) -> Task:
    """The task that declared this `job_kind`."""
    tasks = _job_tasks()
    if kind not in tasks:
        current_app.autodiscover_tasks(force=True)  # the web process has not needed every task so far
        tasks = _job_tasks()
    if kind not in tasks:
        raise UnknownJobKindError(f"No job is called {kind!r}; there are: {', '.join(sorted(tasks))}.")
    return tasks[kind]


def _job_tasks() -> dict[str, Task]:
    tasks = current_app.tasks.values()
    return {task.job_kind: task for task in tasks if getattr(task, "job_kind", None)}
