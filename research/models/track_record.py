"""What the public record of the ledger showed on which day."""

from django.db import models

from signals.models import LedgerHead


class TrackRecord(models.Model):
    """The public record under one head of the ledger by the tiers' rules of that day; worked out by a worker."""

    head = models.ForeignKey(LedgerHead, on_delete=models.PROTECT, related_name="+")
    tiers = models.JSONField(help_text="Code, name, delay in seconds and experimental of each tier.")
    figures = models.JSONField(help_text="As research.engine.track_record gives them.")
    compiled_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Track record under {self.head}"
