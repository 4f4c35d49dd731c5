"""A training in the middle, so that another attempt goes on from there."""

from django.db import models

from signals.models import Job


class PolicyCheckpoint(models.Model):
    """The newest snapshot of one training of a job; an npz file, never one of stable-baselines3."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="policy_checkpoints")
    name = models.CharField(max_length=160, help_text="Scope, algorithm, fold and seed.")
    step = models.PositiveBigIntegerField()
    arrays = models.BinaryField(help_text="Parameters, optimiser, step and generators.")
    sha256 = models.CharField(max_length=64, help_text="Of `arrays`, checked whenever they are read.")
    kept_at = models.DateTimeField()

    class Meta:
        ordering = ["job", "name"]
        constraints = [
            models.UniqueConstraint(fields=["job", "name"], name="research_policy_checkpoint_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} at {self.step:,} steps"
