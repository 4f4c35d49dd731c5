"""What an autopilot saw, chose and refused in one cycle, and why."""

import pgtrigger
from django.db import models

from autopilot.engine.cycle import DecisionOutcome, Mode
from autopilot.models.columns import choices
from autopilot.models.instance import Instance
from autopilot.models.order import Order
from signals.models import Evaluation, Signal, TrainedModel


class Decision(models.Model):
    """One row per cycle, always; written in the transaction that publishes and orders, never changed.

    score: estimate of P(profit after costs), group_confidence x strategy_confidence, whose factors stand beside it.
    is_fallback: something was missing and its stand-in used (no model, old candles); `fallbacks` names it.
    is_calibrated: whether `score` was calibrated out of sample. reasons: of the model, feature by feature.
    """

    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="decisions")
    slot = models.DateTimeField(help_text="Beginning of the interval: one cycle in each.")
    decided_at = models.DateTimeField()
    as_of = models.DateTimeField(null=True, blank=True, help_text="The exchange's time.")
    candle_open_time = models.DateTimeField(null=True, blank=True)
    mode = models.CharField(max_length=7, choices=choices(Mode))
    outcome = models.CharField(max_length=15, choices=choices(DecisionOutcome))
    reason = models.TextField()
    reason_code = models.CharField(max_length=32, blank=True)
    regime = models.CharField(max_length=16, blank=True)
    seen = models.JSONField(default=dict, help_text="Conditions of the market, by name.")
    ranking = models.JSONField(
        default=list, help_text="Groups and strategies, best first, with their figures."
    )
    group = models.CharField(max_length=16, blank=True)
    strategy = models.CharField(max_length=40, blank=True)
    direction = models.CharField(max_length=5, blank=True)
    strength = models.FloatField(null=True, blank=True, help_text="Rank confidence of the strategy.")
    group_confidence = models.FloatField(null=True, blank=True)
    strategy_confidence = models.FloatField(null=True, blank=True)
    score = models.FloatField(null=True, blank=True)
    score_n = models.PositiveIntegerField(null=True, blank=True, help_text="Outcomes behind the score.")
    score_low = models.FloatField(null=True, blank=True)
    score_high = models.FloatField(null=True, blank=True)
    threshold = models.FloatField()
    is_calibrated = models.BooleanField(default=False)
    is_fallback = models.BooleanField(default=False)
    fallbacks = models.JSONField(default=list)
    reasons = models.JSONField(default=list)
    risk = models.JSONField(default=dict, help_text="How the size of the order was found.")
    model = models.ForeignKey(
        TrainedModel, on_delete=models.PROTECT, null=True, blank=True, related_name="decisions"
    )
    evaluation = models.ForeignKey(
        Evaluation, on_delete=models.PROTECT, null=True, blank=True, related_name="decisions"
    )
    signal = models.ForeignKey(
        Signal, on_delete=models.PROTECT, null=True, blank=True, related_name="decisions"
    )
    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, null=True, blank=True, related_name="decisions"
    )

    class Meta:
        ordering = ["-slot", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["instance", "slot"], name="autopilot_decision_once_per_instance_and_slot"
            )
        ]
        indexes = [models.Index(fields=["-decided_at"], name="autopilot_decision_by_time")]
        triggers = [pgtrigger.Protect(name="never_changed", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return f"{self.instance} {self.slot:%Y-%m-%d %H:%M}: {self.get_outcome_display()}"
