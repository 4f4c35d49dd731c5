"""What subscribers' answers moved."""

from django.db import models
from django.db.models import Q

from signals.market.models import Instrument


class StrategyWeight(models.Model):
    """How subscribers' answers moved one strategy on one instrument. Orders deliveries, nothing else."""

    strategy = models.CharField(max_length=40)
    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="strategy_weights")
    weight = models.FloatField(default=1.0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["strategy", "instrument"], name="signals_weight_once"),
            models.CheckConstraint(
                name="signals_weight_stays_within_bounds", condition=Q(weight__gte=0.5, weight__lte=1.5)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.strategy} on {self.instrument}: {self.weight:.2f}"
