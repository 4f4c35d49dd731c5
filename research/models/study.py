"""The registry of trials: whoever tries often finds something, so every try counts."""

import pgtrigger
from django.db import models
from django.db.models import Q

from signals.market.models import TIMEFRAME_CHOICES, Instrument
from signals.models import Job, never_truncated


class TrialState(models.TextChoices):
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class Study(models.Model):
    """One research question: these instruments, this timeframe, these candles, this objective; never changed."""

    instruments = models.ManyToManyField(Instrument, related_name="+")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    dataset_hash = models.CharField(max_length=64, help_text="Of all candles that it reads.")
    objective = models.CharField(max_length=60, help_text="What is made as large as possible.")
    question_hash = models.CharField(max_length=64, unique=True, help_text="Of the four together.")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "studies"
        triggers = [
            pgtrigger.Protect(name="stays_as_asked", operation=pgtrigger.Update | pgtrigger.Delete),
            never_truncated(
                "stays_untruncated", "studies cannot be truncated: their trials would count no more"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.objective}, {self.timeframe}, candles {self.dataset_hash[:8]}"


class TrialQuerySet(models.QuerySet["Trial"]):
    def shown(self) -> "TrialQuerySet":
        """Without those that somebody deleted from sight; they count all the same."""
        return self.filter(deleted_at=None)


class Trial(models.Model):
    """One combination of parameters that was run, whatever became of it. Rows are never removed.

    The Sharpe ratio is per period, so that trials of a study can be deflated together.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="trials")
    parameters = models.JSONField(help_text="Strategy, settings, costs, sizing: all that makes it differ.")
    combination = models.CharField(max_length=64, help_text="Hash of the parameters.")
    state = models.CharField(max_length=9, choices=TrialState.choices, default=TrialState.RUNNING)
    score = models.FloatField(null=True, blank=True, help_text="Of the study's objective.")
    sharpe_ratio = models.FloatField(null=True, blank=True, help_text="Per period; empty: there is none.")
    observations = models.PositiveIntegerField(null=True, blank=True)
    metrics = models.JSONField(default=dict, blank=True)
    returns = models.BinaryField(
        null=True,
        blank=True,
        help_text="Net returns of each period, float64; where a search goes on from them.",
    )
    error = models.TextField(blank=True)
    attempt = models.PositiveSmallIntegerField(default=1, help_text="A run again is the same trial.")
    seed = models.BigIntegerField(default=0)
    code_version = models.CharField(max_length=64)
    owner = models.CharField(max_length=150, blank=True)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, blank=True, related_name="trials")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True, help_text="Not shown any more; it still counts.")

    objects = TrialQuerySet.as_manager()

    class Meta:
        ordering = ["study", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["study", "combination"], name="research_trial_once"),
            models.CheckConstraint(
                name="research_trial_end_has_its_moment",
                condition=Q(state=TrialState.RUNNING, ended_at=None)
                | (~Q(state=TrialState.RUNNING) & Q(ended_at__isnull=False)),
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="counts_for_good", operation=pgtrigger.Delete),
            never_truncated("counts_untruncated", "trials cannot be truncated: every one counts"),
        ]

    def __str__(self) -> str:
        return f"Trial {self.pk} ({self.state})"
