"""Models that were trained on the past, which of them decides, and why."""

from django.db import models
from django.db.models import Q

from signals.models.fits import Fitted
from signals.models.jobs import Job


class ModelState(models.TextChoices):
    CANDIDATE = "candidate", "Candidate"
    CHAMPION = "champion", "Champion"
    RETIRED = "retired", "Retired"
    REJECTED = "rejected", "Rejected"


class PayloadFormat(models.TextChoices):
    LIGHTGBM_TEXT = "lightgbm-text", "LightGBM text"
    NPZ = "npz", "Arrays (npz)"


class TrainedModel(Fitted):
    """One trained model with what it was made of; its payload is data, never code (no pickle)."""

    kind = models.CharField(max_length=32, help_text="selector, ppo, dqn, …")
    scope = models.CharField(
        max_length=100, blank=True, help_text="EXCHANGE:SYMBOL:TIMEFRAME; empty = all instruments."
    )
    state = models.CharField(max_length=9, choices=ModelState.choices, default=ModelState.CANDIDATE)
    payload = models.BinaryField()
    sha256 = models.CharField(max_length=64, help_text="Of the payload, checked whenever it is read.")
    payload_format = models.CharField(max_length=16, choices=PayloadFormat.choices)
    feature_schema = models.JSONField(help_text="Names and order of what it reads.")
    data_from = models.DateTimeField(help_text="Opening of the first candle that it has seen.")
    data_to = models.DateTimeField(help_text="Close of the last candle that it has seen.")
    code_version = models.CharField(max_length=64)
    metrics = models.JSONField(default=dict)
    reason = models.TextField(blank=True, help_text="Why it was trained, and why it was rejected.")
    trained_at = models.DateTimeField()
    promoted_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, blank=True, related_name="models")

    class Meta:
        ordering = ["-trained_at", "-id"]
        get_latest_by = "trained_at"
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "scope"],
                condition=Q(state=ModelState.CHAMPION),
                name="signals_model_one_champion",
            ),
            models.CheckConstraint(
                name="signals_model_champion_was_promoted",
                condition=~Q(state=ModelState.CHAMPION) | Q(promoted_at__isnull=False, retired_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.scope or 'all instruments'} #{self.pk} ({self.state})"
