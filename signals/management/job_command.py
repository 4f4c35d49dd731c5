"""Commands whose work is a job: done in this process with its progress shown, or queued for a worker."""

import getpass
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from celery import Task
from django.core.management.base import CommandError
from django.utils import timezone

from signals.management.plain_command import PlainCommand
from signals.models import Job, JobState
from signals.services.jobs import JobRun, run_here, start_job


class JobCommand(PlainCommand):
    """`carry_out` does the work of a task with a `job_kind`, here or, with --background, at a worker."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--background", action="store_true", help="queue it for a worker; see manage.py jobs"
        )

    def carry_out(
        self,
        *,
        task: Task,
        parameters: dict[str, Any],
        background: bool,
        tell: Callable[[str], Any] | None = None,
    ) -> Job | None:
        """The finished job; None when a worker is to do it. CommandError when it was cancelled.

        `tell` gets each message of progress; by default it is printed.
        """
        owner = getpass.getuser()
        if background:
            job = start_job(kind=task.job_kind, parameters=parameters, owner=owner, now=timezone.now())
            self.stdout.write(f"Queued: manage.py jobs show {job.pk}")
            return None
        job = run_here(
            kind=task.job_kind,
            parameters=parameters,
            owner=owner,
            work=lambda run: task(ToldRun(run, tell or self.stdout.write)),
        )
        if job.state == JobState.CANCELLED:
            raise CommandError(f"Cancelled by {job.cancel_asked_by or 'somebody'}.")
        return job


class ToldRun(JobRun):
    """A run whose progress is told in a terminal as well, each message once."""

    def __init__(self, run: JobRun, tell: Callable[[str], Any]) -> None:
        self.job, self._run, self._tell, self._told = run.job, run, tell, ""

    def progress(self, done: int, total: int, message: str = "") -> None:
        if message and message != self._told:
            self._tell(message)
            self._told = message
        self._run.progress(done, total, message)

    def save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._run.save_checkpoint(checkpoint)


def parse_instant(text: str) -> datetime:
    """A date or an ISO instant; without a zone it is UTC. ArgumentTypeError on anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no ISO date or time such as 2024-01-01") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
