"""Ended signals in blocks, so that analytics reads hundreds of thousands of them at once."""

from django.db import models


class EndedChunk(models.Model):
    """Outcomes `first_sequence` to `last_sequence` of the ledger as columns (`research.engine.ended_signals`).

    Made from rows that never change, and from answers of subscribers, which may: deleted, it is made again.
    """

    first_sequence = models.BigIntegerField(primary_key=True)
    last_sequence = models.BigIntegerField(unique=True)
    count = models.PositiveIntegerField()
    first_exited_at = models.DateTimeField()
    last_exited_at = models.DateTimeField()
    names = models.JSONField(help_text="Of the codes in the columns.")
    delays = models.JSONField(help_text="Delays of tiers, in seconds, for which later entries were followed.")
    data = models.BinaryField()
    is_settled = models.BooleanField(help_text="No later entry in it is still open.")
    packed_at = models.DateTimeField()
    checked_at = models.DateTimeField(help_text="Looked through for newer answers.")

    class Meta:
        ordering = ["first_sequence"]

    def __str__(self) -> str:
        return f"{self.first_sequence} to {self.last_sequence}"
