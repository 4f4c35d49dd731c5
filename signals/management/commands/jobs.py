"""`manage.py jobs`: what is long and under way; `jobs show ID`, `jobs cancel ID`."""

import getpass
import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from signals.models import ENDED, Job
from signals.services.jobs import JobStateError, cancel_job

SHOWN = 20


class Command(BaseCommand):
    help = "List jobs, show one with its progress, or cancel it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        steps = parser.add_subparsers(dest="step", metavar="{list,show,cancel}")
        listed = steps.add_parser("list", help=f"the newest {SHOWN} (what is done without a word)")
        listed.add_argument("--unfinished", action="store_true", help="only what is queued or running")
        for name, text in (
            ("show", "everything about one"),
            ("cancel", "ask it to stop; a queued one is cancelled at once"),
        ):
            steps.add_parser(name, help=text).add_argument(
                "job", metavar="ID", help="its id, or the first characters of it"
            )

    def handle(self, *args: Any, step: str | None, **options: Any) -> None:
        if step == "show":
            self.show(found(options["job"]))
        elif step == "cancel":
            self.cancel(found(options["job"]))
        else:
            self.list(unfinished=options.get("unfinished", False))

    def list(self, *, unfinished: bool) -> None:
        jobs = Job.objects.exclude(state__in=ENDED) if unfinished else Job.objects.all()
        for job in jobs.defer("result", "trace", "checkpoint")[:SHOWN]:
            self.stdout.write(
                f"{str(job.pk)[:8]}  {job.created_at:%Y-%m-%d %H:%M}  {job.kind:<18} {job.state:<9} "
                f"{progress(job):>5}  {job.owner:<12} {job.error.splitlines()[0] if job.error else job.message}"
            )
        if not jobs.exists():
            self.stdout.write("No jobs.")

    def show(self, job: Job) -> None:
        lines = {
            "Job": job.pk,
            "Kind": job.kind,
            "State": job.get_state_display(),
            "Progress": f"{progress(job)} ({job.progress_done} of {job.progress_total or '?'})",
            "Message": job.message,
            "Owner": job.owner or "system",
            "Queue": job.queue or "none: where it was started",
            "Attempt": job.attempt,
            "Code": job.code_version,
            "Created": instant(job.created_at),
            "Started": instant(job.started_at),
            "Last sign of life": instant(job.heartbeat_at),
            "Ended": instant(job.ended_at),
            "Cancelling asked": f"{instant(job.cancel_asked_at)} by {job.cancel_asked_by}"
            if job.cancel_asked_at
            else "",
            "Parameters": json.dumps(job.parameters, ensure_ascii=False),
            "Result": json.dumps(job.result, ensure_ascii=False) if job.result is not None else "",
            "Error": job.error,
        }
        for name, value in lines.items():
            if value != "":
                self.stdout.write(f"{name + ':':<19}{value}")
        if job.trace:
            self.stdout.write("\n" + job.trace)

    def cancel(self, job: Job) -> None:
        try:
            cancel_job(job_id=job.pk, by=getpass.getuser(), now=timezone.now())
        except JobStateError as error:
            raise CommandError(str(error)) from error
        job.refresh_from_db()
        self.stdout.write(
            "Cancelled." if job.has_ended else "Asked; it stops at its next step. See manage.py jobs show."
        )


def found(name: str) -> Job:
    """The one job whose id begins with `name`."""
    jobs = list(Job.objects.filter(pk__startswith=name.lower())[:2]) if name else []
    try:
        jobs = jobs or list(Job.objects.filter(pk=name))
    except ValidationError:
        jobs = []
    if len(jobs) != 1:
        raise CommandError(
            f"{'Several jobs begin' if jobs else 'No job begins'} with {name}: see manage.py jobs."
        )
    return jobs[0]


def progress(job: Job) -> str:
    return "–" if job.progress_ratio is None else f"{job.progress_ratio:.0%}"


def instant(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""
