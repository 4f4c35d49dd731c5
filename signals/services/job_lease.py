"""Whoever runs a job holds its row's lease, by the database's clock and under a token of its own.

A row is leased only while it is queued, so that a message which the broker delivers twice runs nothing twice.
"""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from signals.models import Job, JobState

LEASE = timedelta(seconds=60)
LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class Standing:
    """What the row says to whoever holds its lease."""

    is_held: bool
    is_cancel_asked: bool


def take_lease(*, job_id: str | uuid.UUID) -> Job | None:
    """The job, running from now on; None when it runs already, has ended, or is not there."""
    leased = Job.objects.filter(pk=job_id, state=JobState.QUEUED).update(
        state=JobState.RUNNING,
        lease_token=uuid.uuid4(),
        lease_until=Now() + LEASE,
        heartbeat_at=Now(),
        started_at=Now(),
        attempt=F("attempt") + 1,
    )
    return Job.objects.get(pk=job_id) if leased else None


def extend_lease(*, job: Job, progress: dict[str, Any]) -> Standing:
    """Keep the lease and write how far the work is; whoever lost the lease writes nothing."""
    held = _held(job)
    if not held.update(lease_until=Now() + LEASE, heartbeat_at=Now(), **progress):
        return Standing(is_held=False, is_cancel_asked=False)
    return Standing(is_held=True, is_cancel_asked=held.filter(cancel_asked_at__isnull=False).exists())


def keep_checkpoint(*, job: Job, checkpoint: dict[str, Any]) -> bool:
    """False when the lease is lost."""
    return bool(_held(job).update(checkpoint=checkpoint))


def end_lease(*, job: Job, state: JobState, **values: Any) -> bool:
    """The job has ended in `state`; False, and nothing written, when the lease was lost."""
    ended = _held(job).update(state=state, lease_token=None, lease_until=None, ended_at=Now(), **values)
    return bool(ended)


def _held(job: Job) -> Any:
    return Job.objects.filter(pk=job.pk, state=JobState.RUNNING, lease_token=job.lease_token)
