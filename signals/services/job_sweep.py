"""Jobs whose process died, and jobs of which no worker was told: found by their rows."""

from datetime import timedelta
from typing import Any

import structlog
from django.db.models import Q
from django.db.models.functions import Now

from signals.models import Job, JobState
from signals.services.jobs import WAKE_AGAIN_SECONDS, UnknownJobKindError, wake

logger = structlog.get_logger(__name__)

MOST_ATTEMPTS = 3


def sweep_jobs() -> None:
    """Queue anew, or end, what its process left behind; wake a worker again for what still waits."""
    for job in Job.objects.filter(state=JobState.RUNNING, lease_until__lt=Now()):
        _take_from_dead(job)
    long_ago = Q(woken_at=None) | Q(woken_at__lt=Now() - timedelta(seconds=WAKE_AGAIN_SECONDS))
    for job in Job.objects.filter(long_ago, state=JobState.QUEUED).exclude(queue=""):
        try:
            wake(job=job)
        except UnknownJobKindError as error:
            _settle(job, state=JobState.FAILED, error=str(error), ended_at=Now())


def _take_from_dead(job: Job) -> None:
    """Whoever held the lease writes nothing any more, should it wake up: the token is gone."""
    told = f"its process fell silent at {job.heartbeat_at:%Y-%m-%d %H:%M:%S} UTC (attempt {job.attempt})"
    end: dict[str, Any] = {"ended_at": Now()}
    if job.cancel_asked_at:
        _settle(job, state=JobState.CANCELLED, **end)
    elif _overran(job):
        error = f"took longer than its limit of {job.time_limit_seconds} seconds"
        _settle(job, state=JobState.FAILED, error=error, **end)
    elif not job.is_resumable:
        _settle(job, state=JobState.FAILED, error=f"{told}; start it again", **end)
    elif job.attempt >= MOST_ATTEMPTS:
        _settle(job, state=JobState.FAILED, error=f"{told}; given up", **end)
    else:
        _settle(job, state=JobState.QUEUED, message=f"to be resumed: {told}", woken_at=None)


def _settle(job: Job, **values: Any) -> None:
    found = Job.objects.filter(
        pk=job.pk, state=job.state, lease_token=job.lease_token, lease_until=job.lease_until
    )
    if found.update(lease_token=None, lease_until=None, **values):
        logger.warning("job taken from a dead process", job=str(job.pk), kind=job.kind, state=values["state"])


def _overran(job: Job) -> bool:
    if job.time_limit_seconds is None or job.started_at is None or job.lease_until is None:
        return False
    return job.lease_until - job.started_at > timedelta(seconds=job.time_limit_seconds)
