"""A search over parameters that somebody asked for, and what came of it."""

import uuid

from django.db import models

from research.models.study import Study
from signals.models import Job


class SweepQuerySet(models.QuerySet["Sweep"]):
    def summaries(self) -> "SweepQuerySet":
        """Without what a list does not show."""
        return self.defer("arrays", "report").select_related("job")


class Sweep(models.Model):
    """What was asked, the job that does it, the study that counts its trials."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=120)
    parameters = models.JSONField(help_text="The backtest that is varied, the space, the method, the folds.")
    owner = models.CharField(max_length=150)
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="sweep")
    study = models.ForeignKey(Study, on_delete=models.PROTECT, null=True, blank=True, related_name="sweeps")
    report = models.JSONField(null=True, blank=True, help_text="Trials, choices of the folds, verdicts.")
    arrays = models.BinaryField(null=True, blank=True, help_text="Returns out of sample, numpy's npz.")
    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = SweepQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.title
