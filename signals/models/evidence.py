"""What is known of each kind of signal, and what came of decisions that were not published."""

from django.db import models
from django.db.models import Q

from signals.engine.direction import Direction
from signals.engine.evidence import Measured, SignalKind, Standing, figures
from signals.engine.exit_plan import ExitPlan, PlanKind
from signals.engine.exit_reason import ExitReason
from signals.market.models import TIMEFRAME_CHOICES, Instrument
from signals.models.evaluation import Evaluation
from signals.models.fits import Fitted
from signals.models.jobs import Job
from signals.models.signal import SignalSource


class Evidence(Fitted):
    """One kind of signal as the daily job found it: mean R after costs, its clustered error, and where it stands.

    history: on stored candles, decided from `history_from` on. live: outcomes of what was published, and of what was
    not (ShadowOutcome). Both together are `n` to `standard_error`; drawn to their group's mean they are `shrunk_*`,
    which is what the gate compares. Null: not known.
    """

    source = models.CharField(max_length=16, choices=SignalSource.choices)
    group = models.CharField(max_length=20, help_text="Group of the strategy that contributed most.")
    side = models.CharField(max_length=5, choices=[(d.value, d.value.title()) for d in Direction])
    plan = models.CharField(max_length=7, choices=[(k.value, k.value.title()) for k in PlanKind])
    asset_class = models.CharField(max_length=10)
    candidate = models.CharField(
        max_length=40, blank=True, help_text="Name under which it was registered beforehand."
    )
    history_from = models.DateTimeField(help_text="Earlier decisions chose the settings and do not count.")
    frozen_at = models.DateTimeField(null=True, help_text="Since when its settings have not changed.")
    history_n = models.PositiveIntegerField(default=0)
    history_mean = models.FloatField(null=True)
    history_error = models.FloatField(null=True)
    live_n = models.PositiveIntegerField(default=0)
    live_mean = models.FloatField(null=True)
    live_error = models.FloatField(null=True)
    n = models.PositiveIntegerField()
    weeks = models.PositiveIntegerField()
    mean = models.FloatField(null=True)
    standard_error = models.FloatField(null=True)
    shrunk_mean = models.FloatField(null=True)
    shrunk_error = models.FloatField(null=True)
    hit_rate = models.FloatField(null=True)
    median = models.FloatField(null=True)
    carried = models.FloatField(null=True, help_text="Share of the sum that the best 5 % of trades make.")
    standing = models.CharField(max_length=10, choices=[(s.value, s.in_words) for s in Standing])
    reason = models.CharField(max_length=300)
    measured_at = models.DateTimeField()
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-known_at", "source", "group", "side"]
        get_latest_by = "known_at"
        verbose_name_plural = "evidence"
        constraints = [
            models.UniqueConstraint(
                fields=["source", "group", "side", "plan", "asset_class", "known_at"],
                name="signals_evidence_once_per_kind_and_moment",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.get_standing_display()}"

    @property
    def kind(self) -> SignalKind:
        return SignalKind(self.source, self.group, self.side, PlanKind(self.plan), self.asset_class)

    @property
    def told(self) -> str:
        """Mean, interval and n of what the gate compares."""
        return figures(self.measured)

    @property
    def measured(self) -> Measured:
        """What the gate compares: both records together, drawn to the group's mean."""
        nothing = float("nan")
        mean, error = self.shrunk_mean, self.shrunk_error
        return Measured(
            self.n, self.weeks, nothing if mean is None else mean, nothing if error is None else error
        )


class ShadowOutcome(models.Model):
    """A decision that the gate kept back, followed like a signal; never part of the track record.

    Only so can a kind that abstains come back. Its end is empty until it has ended.
    """

    evaluation = models.OneToOneField(Evaluation, on_delete=models.CASCADE, related_name="shadow")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    candle_open_time = models.DateTimeField()
    source = models.CharField(max_length=16, choices=SignalSource.choices)
    strategy = models.CharField(max_length=40)
    direction = models.CharField(max_length=5, choices=[(d.value, d.value.title()) for d in Direction])
    confidence = models.FloatField()
    entry_price = models.FloatField()
    stop_loss = models.FloatField()
    take_profit = models.FloatField(null=True)
    plan = models.JSONField()
    decided_at = models.DateTimeField()
    exit_reason = models.CharField(
        max_length=6, blank=True, choices=[(r.value, r.value.title()) for r in ExitReason]
    )
    entered_at = models.DateTimeField(null=True)
    exited_at = models.DateTimeField(null=True)
    r_multiple = models.FloatField(null=True)
    recorded_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-candle_open_time", "instrument"]
        indexes = [
            models.Index(
                fields=["instrument", "timeframe"],
                condition=Q(recorded_at=None),
                name="signals_shadow_open",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="signals_shadow_ends_as_a_whole",
                condition=Q(
                    exit_reason="", entered_at=None, exited_at=None, r_multiple=None, recorded_at=None
                )
                | (
                    ~Q(exit_reason="")
                    & Q(
                        entered_at__isnull=False,
                        exited_at__isnull=False,
                        r_multiple__isnull=False,
                        recorded_at__isnull=False,
                    )
                ),
            ),
        ]

    def __str__(self) -> str:
        end = "open" if self.r_multiple is None else f"{self.exit_reason}, {self.r_multiple:+.2f} R"
        return f"{self.instrument} {self.timeframe} {self.direction}, not published: {end}"

    @property
    def exit_plan(self) -> ExitPlan:
        return ExitPlan.from_json(self.plan)
