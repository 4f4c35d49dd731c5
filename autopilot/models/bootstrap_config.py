"""What the selector is trained on: one row, changed by people and by the API."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from autopilot.engine.sampling import Sampling
from signals.market.models import TIMEFRAME_CHOICES

FEWEST_DAYS, MOST_DAYS = 7, 1_500
FEWEST_SAMPLES, MOST_SAMPLES = 1, 1_000
MOST_SYMBOLS = 200


def usual_symbols() -> list[str]:
    return ["BTC/USD", "ETH/USD"]


class BootstrapConfig(models.Model):
    """The seed's settings of training with its defaults, and which candles become samples."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    days = models.PositiveIntegerField(
        default=90,
        validators=[MinValueValidator(FEWEST_DAYS), MaxValueValidator(MOST_DAYS)],
        help_text="Of stored candles, counted back from the newest.",
    )
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES, default="1h")
    min_samples_per_strategy = models.PositiveIntegerField(
        default=10,
        validators=[MinValueValidator(FEWEST_SAMPLES), MaxValueValidator(MOST_SAMPLES)],
        help_text="A strategy with fewer judged trades is left out of the training.",
    )
    symbols = ArrayField(
        models.CharField(max_length=32),
        default=usual_symbols,
        help_text="Instruments by symbol or alias, separated by commas.",
    )
    sampling = models.CharField(
        max_length=5,
        choices=[(each.value, each.label) for each in Sampling],
        default=Sampling.FULL.value,
        help_text="Every candle; or only those where the regime changes, a day apart at least and two at most.",
    )
    changed_by = models.CharField(max_length=150, blank=True, editable=False)
    changed_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name_plural = "bootstrap config"
        constraints = [
            models.CheckConstraint(name="autopilot_one_bootstrap_config", condition=Q(id=1)),
            models.CheckConstraint(
                name="autopilot_bootstrap_bounds",
                condition=Q(days__gte=FEWEST_DAYS, days__lte=MOST_DAYS)
                & Q(
                    min_samples_per_strategy__gte=FEWEST_SAMPLES,
                    min_samples_per_strategy__lte=MOST_SAMPLES,
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.days} days of {self.timeframe} of {len(self.symbols)} instruments"

    def as_parameters(self) -> dict[str, object]:
        """What a training is asked for, as JSON."""
        return {
            "days": self.days,
            "timeframe": self.timeframe,
            "min_samples_per_strategy": self.min_samples_per_strategy,
            "symbols": list(self.symbols),
            "sampling": self.sampling,
        }
