"""Everything long is one row: who asked, how far it is, what came of it."""

import uuid

from django.db import models
from django.db.models import Q


class JobState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class Job(models.Model):
    """One long piece of work (`signals.services.jobs`).

    Whoever runs it holds a lease under a token of its own: a row under another token is not its any more.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=40)
    owner = models.CharField(max_length=150, blank=True, help_text="Who asked, in words; empty = the system.")
    parameters = models.JSONField(default=dict)
    code_version = models.CharField(max_length=64)
    state = models.CharField(max_length=9, choices=JobState.choices, default=JobState.QUEUED)
    progress_done = models.PositiveBigIntegerField(default=0)
    progress_total = models.PositiveBigIntegerField(default=0)
    message = models.CharField(max_length=300, blank=True)
    result = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True)
    trace = models.TextField(blank=True)
    queue = models.CharField(max_length=20, blank=True, help_text="Empty: it runs where it was started.")
    is_resumable = models.BooleanField(default=False)
    time_limit_seconds = models.PositiveIntegerField(null=True, blank=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    cancel_asked_at = models.DateTimeField(null=True, blank=True)
    cancel_asked_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField()
    woken_at = models.DateTimeField(null=True, blank=True, help_text="When a worker was last told of it.")
    started_at = models.DateTimeField(null=True, blank=True, help_text="Of the present attempt.")
    ended_at = models.DateTimeField(null=True, blank=True)
    checkpoint = models.JSONField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        get_latest_by = "created_at"
        indexes = [
            models.Index(
                fields=["state"],
                condition=Q(state__in=[JobState.QUEUED, JobState.RUNNING]),
                name="signals_job_unfinished",
            ),
            models.Index(fields=["-created_at"], name="signals_job_newest"),
        ]
        constraints = [
            models.CheckConstraint(
                name="signals_job_runs_under_a_lease",
                condition=Q(state=JobState.RUNNING, lease_token__isnull=False, lease_until__isnull=False)
                | (~Q(state=JobState.RUNNING) & Q(lease_token=None, lease_until=None)),
            ),
            models.CheckConstraint(
                name="signals_job_end_has_its_moment",
                condition=Q(state__in=ENDED, ended_at__isnull=False)
                | (~Q(state__in=ENDED) & Q(ended_at=None)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {str(self.pk)[:8]} ({self.state})"

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    @property
    def progress_ratio(self) -> float | None:
        """0 to 1; None while nobody knows how much there is to do."""
        return min(self.progress_done / self.progress_total, 1.0) if self.progress_total else None
