"""An autopilot that runs on one instrument."""

from django.db import models
from django.db.models import Q

from autopilot.engine.cycle import LONGEST_INTERVAL, SHORTEST_INTERVAL, InstanceState, Mode
from autopilot.models.account import Account
from autopilot.models.columns import choices
from signals.market.models import TIMEFRAME_CHOICES, Instrument


class InstanceQuerySet(models.QuerySet["Instance"]):
    def running(self) -> "InstanceQuerySet":
        return self.filter(state=InstanceState.RUNNING.value)

    def live(self) -> "InstanceQuerySet":
        """Not stopped: running or paused."""
        return self.exclude(state=InstanceState.STOPPED.value)


class Instance(models.Model):
    """Started, paused, switched and stopped by services; all that it knows between two cycles is in this row.

    One that is stopped stays as it was; starting again makes a new row. It trades on paper only.
    """

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="autopilots")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="autopilots")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    interval_seconds = models.PositiveIntegerField(default=60, help_text="Between two cycles.")
    mode = models.CharField(max_length=7, choices=choices(Mode), default=Mode.ML.value)
    min_confidence_threshold = models.FloatField(
        default=0.75, help_text="Probability of profit after costs from which a signal is published."
    )
    max_trades_per_day = models.PositiveIntegerField(default=10, help_text="Entries from UTC midnight on.")
    auto_execute = models.BooleanField(default=False, help_text="Orders on paper follow its signals.")
    limit_bars = models.PositiveSmallIntegerField(
        default=3,
        help_text="A limit order that has not filled after so many bars lapses and is decided again.",
    )
    hold_bars = models.PositiveSmallIntegerField(
        default=24, help_text="A position that met neither stop nor target is closed after so many bars."
    )
    risk_fraction = models.FloatField(
        default=0.01, help_text="Of equity, lost at the stop of one trade before dynamic risk lowers it."
    )
    stop_costs = models.FloatField(
        default=3.0, help_text="A stop nearer than so many round trips of costs is refused."
    )
    experimental = models.BooleanField(
        default=False, help_text="Its signals go only to tiers that get experimental ones."
    )
    label = models.CharField(max_length=80, blank=True, help_text="Shown beside it: what it is for.")
    state = models.CharField(max_length=7, choices=choices(InstanceState))
    frozen_reason = models.TextField(
        blank=True, help_text="Why it places no orders although it may; resuming clears it."
    )
    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=200)
    stopped_at = models.DateTimeField(null=True, blank=True)
    last_analysis_at = models.DateTimeField(null=True, blank=True)
    last_candle_at = models.DateTimeField(
        null=True, blank=True, help_text="Opening of the last candle decided on."
    )
    selected_strategy = models.CharField(max_length=40, blank=True)
    score = models.FloatField(null=True, blank=True, help_text="Of the last decision.")
    next_run_at = models.DateTimeField(null=True, blank=True)

    objects = InstanceQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe"],
                condition=~Q(state=InstanceState.STOPPED.value),
                name="autopilot_instance_one_per_instrument_and_timeframe",
            ),
            models.CheckConstraint(
                name="autopilot_instance_interval",
                condition=Q(interval_seconds__gte=SHORTEST_INTERVAL, interval_seconds__lte=LONGEST_INTERVAL),
            ),
            models.CheckConstraint(
                name="autopilot_instance_ratios",
                condition=Q(
                    min_confidence_threshold__gte=0,
                    min_confidence_threshold__lte=1,
                    risk_fraction__gt=0,
                    risk_fraction__lte=1,
                ),
            ),
            models.CheckConstraint(
                name="autopilot_instance_stopped_has_ended",
                condition=Q(state=InstanceState.STOPPED.value, stopped_at__isnull=False, next_run_at=None)
                | (~Q(state=InstanceState.STOPPED.value) & Q(stopped_at=None)),
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_run_at"],
                condition=Q(state=InstanceState.RUNNING.value),
                name="autopilot_instance_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.instrument} {self.timeframe}"

    @property
    def is_running(self) -> bool:
        return self.state == InstanceState.RUNNING
