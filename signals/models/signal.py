"""What was decided and published."""

import uuid

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from signals.engine.direction import Direction
from signals.engine.exit_plan import ExitPlan, PlanKind
from signals.engine.horizon import HORIZON_BARS
from signals.engine.session import TradingSession
from signals.market.models import TIMEFRAME_CHOICES, Instrument
from signals.models.ledger import LedgerEntry
from signals.models.truncation import never_truncated


class SignalSource(models.TextChoices):
    HYBRID = "hybrid", "Hybrid engine"
    AUTOPILOT = "autopilot", "Autopilot"


class SignalQuerySet(models.QuerySet["Signal"]):
    def with_instrument(self) -> "SignalQuerySet":
        return self.select_related("instrument__exchange")


class Signal(models.Model):
    """One published decision, with the entry of the ledger that records it.

    Rows are only ever added: triggers refuse UPDATE, DELETE and TRUNCATE. `public_id` is random, so nobody can
    count signals.
    """

    ledger_entry = models.OneToOneField(
        LedgerEntry, on_delete=models.PROTECT, db_column="sequence", related_name="signal"
    )
    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="signals")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    candle_open_time = models.DateTimeField(help_text="The closed candle on which it was decided.")
    source = models.CharField(max_length=16, choices=SignalSource.choices)
    variant = models.CharField(max_length=32, blank=True, help_text="Arm of an A/B test; empty = none.")
    strategy = models.CharField(max_length=40, help_text="The strategy that contributed most.")
    direction = models.CharField(max_length=5, choices=[(d.value, d.value.title()) for d in Direction])
    confidence = models.FloatField()
    probability = models.FloatField(
        null=True, blank=True, help_text="Calibrated P(profit after costs); empty: nobody has estimated it."
    )
    probability_n = models.PositiveIntegerField(null=True, blank=True, help_text="Outcomes behind it.")
    probability_low = models.FloatField(null=True, blank=True)
    probability_high = models.FloatField(null=True, blank=True)
    entry_price = models.FloatField()
    stop_loss = models.FloatField()
    take_profit = models.FloatField(null=True, help_text="Empty where a managed plan has no target.")
    plan = models.JSONField(null=True, help_text="How it is left (signals.engine.exit_plan).")
    standing = models.CharField(
        max_length=10, blank=True, help_text="Which bound of the gate held, or why none did (experimental)."
    )
    evidence = models.CharField(max_length=300, blank=True, help_text="What the gate said, as it was told.")
    reasons = ArrayField(models.CharField(max_length=300))
    experimental = models.BooleanField(default=False)
    sessions = ArrayField(
        models.CharField(max_length=10, choices=[(s.value, s.value) for s in TradingSession]),
        blank=True,
        help_text="Trading sessions that were open at publication.",
    )
    published_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    objects = SignalQuerySet.as_manager()

    class Meta:
        ordering = ["-ledger_entry_id"]
        get_latest_by = "ledger_entry_id"
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "candle_open_time", "source", "variant"],
                name="signals_signal_once_per_candle_source_and_variant",
            ),
            models.CheckConstraint(
                name="signals_signal_confidence_is_a_ratio", condition=Q(confidence__gte=0, confidence__lte=1)
            ),
            models.CheckConstraint(
                name="signals_signal_probability_has_its_interval",
                condition=Q(probability=None, probability_n=None, probability_low=None, probability_high=None)
                | Q(
                    probability_n__isnull=False,
                    probability_low__gte=0,
                    probability__gte=F("probability_low"),
                    probability__lte=F("probability_high"),
                    probability_high__lte=1,
                ),
            ),
            models.CheckConstraint(
                name="signals_signal_stop_and_target_enclose_entry",
                condition=Q(
                    direction=Direction.LONG.value,
                    stop_loss__lt=F("entry_price"),
                )
                & (Q(take_profit=None) | Q(take_profit__gt=F("entry_price")))
                | Q(
                    direction=Direction.SHORT.value,
                    stop_loss__gt=F("entry_price"),
                )
                & (Q(take_profit=None) | Q(take_profit__lt=F("entry_price"))),
            ),
            models.CheckConstraint(
                name="signals_signal_without_target_has_a_plan",
                condition=Q(take_profit__isnull=False) | Q(plan__isnull=False),
            ),
            models.CheckConstraint(
                name="signals_signal_expires_after_publication", condition=Q(expires_at__gt=F("published_at"))
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            never_truncated("no_truncate", "the ledger is append-only: signals_signal cannot be truncated"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument} {self.direction} {self.published_at:%Y-%m-%d %H:%M}"

    @property
    def exit_plan(self) -> ExitPlan:
        """Signals from before there were plans have a fixed stop and target."""
        if self.plan is not None:
            return ExitPlan.from_json(self.plan)
        return ExitPlan(PlanKind.FIXED, self.stop_loss, self.take_profit, None, HORIZON_BARS)

    @property
    def sequence(self) -> int:
        """Its position in the ledger."""
        return self.ledger_entry_id
