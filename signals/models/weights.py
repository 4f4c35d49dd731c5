"""What subscribers' answers moved."""

import pghistory
from django.db import models
from django.db.models import Q

from signals.market.models import Instrument


@pghistory.track()
class StrategyWeight(models.Model):
    """How subscribers' answers moved one strategy on one instrument. Orders deliveries, nothing else."""

    strategy = models.CharField(max_length=40)
    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="strategy_weights")
    weight = models.FloatField(
        default=1.0, help_text="As it was at the last answer; it decays to 1 from then on."
    )
    changed_at = models.DateTimeField(null=True, blank=True, help_text="Of the last answer.")
    answers = models.PositiveIntegerField(default=0, help_text="How many moved it.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["strategy", "instrument"], name="signals_weight_once"),
            models.CheckConstraint(
                name="signals_weight_stays_within_bounds", condition=Q(weight__gte=0.5, weight__lte=1.5)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.strategy} on {self.instrument}: {self.weight:.2f}"
