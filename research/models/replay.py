"""A replay and what it would have done. Live tables are never touched."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from signals.engine.direction import Direction
from signals.engine.exit_plan import ExitPlan, PlanKind
from signals.engine.horizon import HORIZON_BARS
from signals.engine.timeframe import BASE_TIMEFRAME
from signals.market.models import TIMEFRAME_CHOICES, Instrument
from users.models import Subscriber


class ReplayRun(models.Model):
    """One walk over stored candles, deciding at each close with what was known then."""

    start = models.DateTimeField(help_text="First candle close that was judged.")
    end = models.DateTimeField(help_text="Closes before this moment were judged.")
    instruments = models.ManyToManyField(Instrument, related_name="+")
    outcomes = models.JSONField(default=dict, help_text="Evaluations by outcome.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-started_at"]

    def __str__(self) -> str:
        return f"Replay {self.pk}: {self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}"


class ReplaySignal(models.Model):
    """A signal that would have been published at `published_at`, the close of its candle."""

    run = models.ForeignKey(ReplayRun, on_delete=models.CASCADE, related_name="signals")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    strategy = models.CharField(max_length=40)
    direction = models.CharField(max_length=5, choices=[(d.value, d.value.title()) for d in Direction])
    confidence = models.FloatField()
    entry_price = models.FloatField()
    stop_loss = models.FloatField()
    take_profit = models.FloatField(null=True)
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES, default=BASE_TIMEFRAME.value)
    plan = models.JSONField(null=True, help_text="How it is left (signals.engine.exit_plan).")
    verdict = models.CharField(max_length=300, blank=True, help_text="What the gate would have said.")
    experimental = models.BooleanField(default=False)
    sessions = ArrayField(models.CharField(max_length=10), blank=True)
    published_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["published_at", "instrument"]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "instrument", "published_at", "timeframe"], name="research_replay_signal_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument} {self.direction} {self.published_at:%Y-%m-%d %H:%M}"

    @property
    def exit_plan(self) -> ExitPlan:
        if self.plan is not None:
            return ExitPlan.from_json(self.plan)
        return ExitPlan(PlanKind.FIXED, self.stop_loss, self.take_profit, None, HORIZON_BARS)


class ReplayDelivery(models.Model):
    """Who would have received a replayed signal, and when."""

    signal = models.ForeignKey(ReplaySignal, on_delete=models.CASCADE, related_name="deliveries")
    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="+")
    tier = models.CharField(max_length=50)
    due_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "replay deliveries"
        constraints = [
            models.UniqueConstraint(fields=["signal", "subscriber"], name="research_replay_delivery_once"),
        ]

    def __str__(self) -> str:
        return f"{self.subscriber} at {self.due_at:%Y-%m-%d %H:%M}"
