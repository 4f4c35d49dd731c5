"""One run of a job: its progress, its lease kept alive beside the work, and how it ends."""

import json
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.db import Error, connection
from django.utils import timezone

from signals.models import Job, JobState
from signals.services.job_lease import (
    LONGEST_MESSAGE,
    end_lease,
    extend_lease,
    keep_checkpoint,
)
from signals.services.liveness import show_worker_alive

logger = structlog.get_logger(__name__)

PROGRESS_EVERY_SECONDS = 1.0
BEAT_EVERY_SECONDS = 5.0
LONGEST_ERROR = 2_000


class JobCancelled(Exception):  # noqa: N818  (not an error: somebody asked for it)
    """Somebody asked to cancel the job; whoever works lets it pass through."""


class JobLeaseLostError(Exception):
    """The job is not this process's any more: it was silent for longer than its lease."""


class JobRun:
    """What the work of a job sees of its row."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._progress: dict[str, Any] = {}
        self._written: dict[str, Any] = {}
        self._written_at = self._beaten_at = time.monotonic()
        self._is_cancel_asked = self._is_lost = False
        # Inside a transaction the row is nobody else's to see yet: then the work itself writes.
        self._beats_itself = connection.in_atomic_block

    @property
    def parameters(self) -> dict[str, Any]:
        parameters: dict[str, Any] = self.job.parameters
        return parameters

    @property
    def checkpoint(self) -> dict[str, Any] | None:
        """What an earlier attempt saved last; None for a first one."""
        checkpoint: dict[str, Any] | None = self.job.checkpoint
        return checkpoint

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Say how far the work is, as often as you like; raises JobCancelled when somebody asked for that."""
        self._progress = {
            "progress_done": done,
            "progress_total": total,
            "message": message[:LONGEST_MESSAGE],
        }
        if self._beats_itself and self._is_due():
            self._beat()
        self._require_held()
        if self._is_cancel_asked:
            raise JobCancelled(f"{self.job.kind} was cancelled")

    def save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Where another attempt goes on should this one's worker die."""
        self._require_held()
        if not keep_checkpoint(job=self.job, checkpoint=checkpoint):
            self._is_lost = True
            self._require_held()
        self.job.checkpoint = checkpoint

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """The lease is renewed by a thread while the work runs, however long one step of it takes."""
        if self._beats_itself:
            yield
            return
        done = threading.Event()
        thread = threading.Thread(target=self._beat_until, args=(done,), name="job lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    @property
    def last_progress(self) -> dict[str, Any]:
        return self._progress

    def _beat_until(self, done: threading.Event) -> None:
        try:
            while not self._is_lost and not done.wait(PROGRESS_EVERY_SECONDS / 4):
                if not self._is_due():
                    continue
                try:
                    self._beat()
                except Error as error:  # the lease outlasts a database that is away for a moment
                    logger.warning("job could not renew its lease", job=str(self.job.pk), error=str(error))
                    connection.close()
        finally:
            connection.close()

    def _is_due(self) -> bool:
        now = time.monotonic()
        if now - self._beaten_at >= BEAT_EVERY_SECONDS:
            return True
        return self._progress is not self._written and now - self._written_at >= PROGRESS_EVERY_SECONDS

    def _beat(self) -> None:
        self._beaten_at = self._written_at = time.monotonic()
        progress = self._progress
        standing = extend_lease(job=self.job, progress=progress)
        self._written = progress
        self._is_lost, self._is_cancel_asked = not standing.is_held, standing.is_cancel_asked
        if self.job.queue:
            show_worker_alive(now=timezone.now(), queue=self.job.queue)

    def _require_held(self) -> None:
        if self._is_lost:
            raise JobLeaseLostError(f"job {self.job.pk} is not this process's any more")


def carry_out(*, job: Job, work: Callable[[JobRun], dict[str, Any]]) -> Job:
    """Do the work of a leased job and write what came of it. Whatever it raises is recorded and raised again.

    A job that was cancelled is returned as such.
    """
    run = JobRun(job)
    try:
        with run.kept_alive():
            result = work(run)
        json.dumps(result, allow_nan=False)
    except JobCancelled:
        _end(run, JobState.CANCELLED)
    except KeyboardInterrupt:
        _end(run, JobState.CANCELLED, error="interrupted in the terminal")
        raise
    except BaseException as error:
        told = f"{type(error).__name__}: {error}"[:LONGEST_ERROR]
        _end(run, JobState.FAILED, error=told, trace=traceback.format_exc())
        raise
    else:
        _end(run, JobState.SUCCEEDED, result=result)
    job.refresh_from_db()
    return job


def _end(run: JobRun, state: JobState, **values: Any) -> None:
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
    if end_lease(job=run.job, state=state, **run.last_progress, **values):
        logger.info("job ended", job=str(run.job.pk), kind=run.job.kind, state=state.value)
    else:
        logger.error("job ended after its lease: what came of it is dropped", job=str(run.job.pk))
