"""A backtest that somebody asked for, and what came of it."""

import uuid

from django.db import models

from research.models.study import Trial
from signals.models import Job


class BacktestQuerySet(models.QuerySet["Backtest"]):
    def summaries(self) -> "BacktestQuerySet":
        """Without the columns of numbers, which a list does not show."""
        return self.defer("arrays").select_related("job")


class Backtest(models.Model):
    """What was asked, the job that does it, the trial that counts it. Archived ones leave the list, never the count."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=120)
    parameters = models.JSONField(help_text="All that makes the run what it is.")
    owner = models.CharField(max_length=150)
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="backtest")
    trial = models.ForeignKey(
        Trial, on_delete=models.PROTECT, null=True, blank=True, related_name="backtests"
    )
    report = models.JSONField(null=True, blank=True, help_text="Measures, verdict, what it rests on.")
    arrays = models.BinaryField(null=True, blank=True, help_text="Equity and trades, numpy's npz.")
    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = BacktestQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.title
