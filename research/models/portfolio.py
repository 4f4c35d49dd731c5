"""How to spread money over instruments: what was asked and what came of it."""

import uuid

from django.db import models

from signals.models import Job


class PortfolioStudy(models.Model):
    """Kept as asked, with the job that works it out."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=120)
    parameters = models.JSONField(help_text="Instruments, history, objective, bounds.")
    owner = models.CharField(max_length=150)
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="portfolio_study")
    report = models.JSONField(null=True, blank=True, help_text="Weights, frontier, risk, verdict.")
    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "portfolio studies"

    def __str__(self) -> str:
        return self.title
