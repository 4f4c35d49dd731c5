"""What came of each closed candle."""

from django.db import models
from django.db.models import Q

from signals.engine.decided import Outcome
from signals.market.models import TIMEFRAME_CHOICES, Instrument
from signals.models.signal import Signal, SignalSource


class Evaluation(models.Model):
    """What came of one closed candle, once: a signal, or the reason why not."""

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="evaluations")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    candle_open_time = models.DateTimeField()
    source = models.CharField(max_length=16, choices=SignalSource.choices)
    variant = models.CharField(max_length=32, blank=True)
    outcome = models.CharField(max_length=10, choices=[(o.value, o.value.title()) for o in Outcome])
    reason = models.TextField()
    score = models.FloatField(
        null=True, help_text="Blended score, -1 to 1; empty where nothing was computed."
    )
    signal = models.OneToOneField(Signal, on_delete=models.PROTECT, null=True, related_name="evaluation")
    as_of = models.DateTimeField(help_text="The exchange's time at which it was decided.")
    evaluated_at = models.DateTimeField()
    features = models.JSONField(
        default=dict, blank=True, help_text="What was known besides the candles, by name: for later models."
    )

    class Meta:
        ordering = ["-candle_open_time", "instrument"]
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "candle_open_time", "source", "variant"],
                name="signals_evaluation_once_per_candle_source_and_variant",
            ),
            models.CheckConstraint(
                name="signals_evaluation_names_its_signal",
                condition=Q(outcome=Outcome.SIGNAL.value, signal__isnull=False)
                | (~Q(outcome=Outcome.SIGNAL.value) & Q(signal__isnull=True)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument} {self.timeframe} {self.candle_open_time:%Y-%m-%d %H:%M}: {self.outcome}"
