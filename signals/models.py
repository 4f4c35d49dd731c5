"""What was decided, what was published, and what everybody needs to know that the house is alive."""

import uuid
from datetime import datetime

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from signals.engine.exit_reason import ExitReason
from signals.engine.hybrid import Outcome
from signals.engine.session import TradingSession
from signals.engine.strategy import Direction
from signals.engine.volatility import VolatilityModel
from signals.market.models import TIMEFRAME_CHOICES, Instrument


def never_truncated(name: str, refusal: str) -> pgtrigger.Trigger:
    """TRUNCATE fires no trigger of rows, so that those which keep a history need this one as well."""
    return pgtrigger.Trigger(
        name=name,
        operation=pgtrigger.Truncate,
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        func=f"RAISE EXCEPTION '{refusal}';",
    )


class SignalSource(models.TextChoices):
    HYBRID = "hybrid", "Hybrid engine"
    AUTOPILOT = "autopilot", "Autopilot"


class SignalQuerySet(models.QuerySet["Signal"]):
    def with_instrument(self) -> "SignalQuerySet":
        return self.select_related("instrument__exchange")


class Signal(models.Model):
    """One published decision and, at once, one entry of the ledger.

    Rows are only ever added: triggers refuse UPDATE, DELETE and TRUNCATE, and each entry's hash covers
    the hash before it (`signals.engine.ledger`). `public_id` is random, so nobody can count signals.
    """

    sequence = models.BigIntegerField(unique=True, help_text="Gapless position in the ledger, from 1.")
    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="signals")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    candle_open_time = models.DateTimeField(help_text="The closed candle on which it was decided.")
    source = models.CharField(max_length=16, choices=SignalSource.choices)
    variant = models.CharField(max_length=32, blank=True, help_text="Arm of an A/B test; empty = none.")
    strategy = models.CharField(max_length=40, help_text="The strategy that contributed most.")
    direction = models.CharField(max_length=5, choices=[(d.value, d.value.title()) for d in Direction])
    confidence = models.FloatField()
    entry_price = models.FloatField()
    stop_loss = models.FloatField()
    take_profit = models.FloatField()
    reasons = ArrayField(models.CharField(max_length=300))
    experimental = models.BooleanField(default=False)
    sessions = ArrayField(
        models.CharField(max_length=10, choices=[(s.value, s.value) for s in TradingSession]),
        blank=True,
        help_text="Trading sessions that were open at publication.",
    )
    published_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    objects = SignalQuerySet.as_manager()

    class Meta:
        ordering = ["-sequence"]
        get_latest_by = "sequence"
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "candle_open_time", "source", "variant"],
                name="signals_signal_once_per_candle_source_and_variant",
            ),
            models.CheckConstraint(
                name="signals_signal_confidence_is_a_ratio", condition=Q(confidence__gte=0, confidence__lte=1)
            ),
            models.CheckConstraint(
                name="signals_signal_stop_and_target_enclose_entry",
                condition=Q(
                    direction=Direction.LONG.value,
                    stop_loss__lt=F("entry_price"),
                    take_profit__gt=F("entry_price"),
                )
                | Q(
                    direction=Direction.SHORT.value,
                    stop_loss__gt=F("entry_price"),
                    take_profit__lt=F("entry_price"),
                ),
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


class SignalOutcome(models.Model):
    """How a signal ended on closed candles, after costs (`signals.engine.outcome`); written once.

    A candle that is corrected later changes no outcome: the record shows what was known when it ended.
    """

    signal = models.OneToOneField(Signal, on_delete=models.PROTECT, related_name="outcome")
    exit_reason = models.CharField(max_length=6, choices=[(r.value, r.value.title()) for r in ExitReason])
    entered_at = models.DateTimeField(help_text="Opening of the bar in which it was entered.")
    exited_at = models.DateTimeField(help_text="Opening of the bar in which it ended.")
    entry_price = models.FloatField()
    exit_price = models.FloatField()
    return_ratio = models.FloatField(help_text="After costs, a share of the entry.")
    r_multiple = models.FloatField(help_text="After costs, in units of the planned risk.")
    best_r = models.FloatField(help_text="Best excursion, before fees, in units of the planned risk.")
    worst_r = models.FloatField(help_text="Worst excursion, before fees, in units of the planned risk.")
    bars_held = models.PositiveIntegerField()
    is_ambiguous = models.BooleanField(help_text="One bar reached stop and target; it counts as stopped.")
    maker_bps = models.DecimalField(max_digits=7, decimal_places=2)
    taker_bps = models.DecimalField(max_digits=7, decimal_places=2)
    slippage_bps = models.DecimalField(max_digits=7, decimal_places=2)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["-exited_at"]
        constraints = [
            models.CheckConstraint(
                name="signals_outcome_ends_after_it_begins", condition=Q(exited_at__gte=F("entered_at"))
            ),
            models.CheckConstraint(
                name="signals_outcome_excursions_enclose_the_entry",
                condition=Q(best_r__gte=0, worst_r__lte=0),
            ),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.signal}: {self.exit_reason}, {self.r_multiple:+.2f} R"


class VolatilityFit(models.Model):
    """Parameters of the volatility models as fitted on the candles up to `fitted_through`; added daily."""

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="volatility_fits")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    fitted_through = models.DateTimeField(help_text="Close of the last candle that it has seen.")
    known_at = models.DateTimeField(
        help_text="The exchange's time when it was made: no earlier close knows it."
    )
    fitted_at = models.DateTimeField()
    returns_used = models.PositiveIntegerField()
    chosen = models.CharField(max_length=5, choices=[(m.value, m.value.upper()) for m in VolatilityModel])
    qlike = models.JSONField(help_text="Loss out of sample by model, lower is better; absent: not judged.")
    garch = models.JSONField(null=True, help_text="Empty: no usable estimate (fallback).")
    har = models.JSONField(null=True, help_text="Empty: too few candles.")

    class Meta:
        ordering = ["-fitted_through", "instrument"]
        get_latest_by = "fitted_through"
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "fitted_through"], name="signals_volatility_fitted_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument} {self.timeframe} {self.fitted_through:%Y-%m-%d}: {self.chosen}"


class AnomalyForest(models.Model):
    """An isolation forest grown on the candles up to `fitted_through`; added daily, deleted when out of use."""

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="anomaly_forests")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    fitted_through = models.DateTimeField(help_text="Close of the last candle that it has seen.")
    known_at = models.DateTimeField(
        help_text="The exchange's time when it was made: no earlier close knows it."
    )
    fitted_at = models.DateTimeField()
    rows_used = models.PositiveIntegerField()
    arrays = models.BinaryField(help_text="An npz file, read with allow_pickle=False.")
    sha256 = models.CharField(max_length=64, help_text="Of `arrays`, checked whenever they are read.")

    class Meta:
        ordering = ["-fitted_through", "instrument"]
        get_latest_by = "fitted_through"
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "fitted_through"], name="signals_forest_fitted_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument} {self.timeframe} {self.fitted_through:%Y-%m-%d}"


class PartnerChoice(models.Model):
    """The instrument that another one moved with most, by the candles up to `chosen_through`; added daily."""

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="partner_choices")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    partner = models.ForeignKey(
        Instrument, on_delete=models.CASCADE, null=True, related_name="+", help_text="Empty: it moves alone."
    )
    correlation = models.FloatField(null=True, help_text="Of log returns, over 90 days of hours.")
    chosen_through = models.DateTimeField(help_text="Close of the last candle that was compared.")
    known_at = models.DateTimeField(
        help_text="The exchange's time when it was made: no earlier close knows it."
    )
    chosen_at = models.DateTimeField()

    class Meta:
        ordering = ["-chosen_through", "instrument"]
        get_latest_by = "chosen_through"
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "chosen_through"], name="signals_partner_chosen_once"
            ),
        ]

    def __str__(self) -> str:
        return (
            f"{self.instrument} {self.timeframe} {self.chosen_through:%Y-%m-%d}: {self.partner or 'nobody'}"
        )


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


class Heartbeat(models.Model):
    """The last sign of life of one process or task."""

    name = models.CharField(max_length=100, primary_key=True)
    beat_at = models.DateTimeField()
    expected_every_seconds = models.PositiveIntegerField()
    detail = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} at {self.beat_at:%H:%M:%S}"


class Alarm(models.Model):
    """A process that fell silent or is halted, told by one that lives (`signals.services.alarms`)."""

    name = models.CharField(
        max_length=100, help_text="The process, and what is wrong with it unless it is silent."
    )
    raised_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True, blank=True)
    detail = models.CharField(max_length=200)

    class Meta:
        ordering = ["-raised_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=Q(cleared_at=None), name="signals_one_open_alarm_per_name"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}"


class ScheduledSlot(models.Model):
    """One tick of the schedule; unique, so that a second beat or a redelivery runs nothing twice."""

    name = models.CharField(max_length=100)
    slot = models.DateTimeField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-slot", "name"]
        constraints = [models.UniqueConstraint(fields=["name", "slot"], name="signals_slot_runs_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.slot:%Y-%m-%d %H:%M:%S}"


LONGEST_REASON, LONGEST_NAME = 300, 150


class KillSwitchState(models.TextChoices):
    ARMED = "armed", "Armed"
    ENGAGED = "engaged", "Engaged"


# Written by the database: no path, not even a hand in psql, changes the switch without an entry and a wake-up.
KILL_SWITCH_CHANNEL = "copilot_kill_switch"
RECORD_SWITCH = f"""
INSERT INTO signals_killswitchchange (event, reason, changed_by, changed_at)
SELECT entry.event, entry.reason, entry.changed_by, clock_timestamp()
FROM (SELECT CASE WHEN NEW.rearm_code IS NULL THEN NEW.state ELSE 'rearm_requested' END,
             CASE WHEN NEW.rearm_code IS NULL THEN NEW.reason ELSE NEW.rearm_reason END,
             CASE WHEN NEW.rearm_code IS NULL THEN NEW.changed_by ELSE NEW.rearm_requested_by END
     ) AS entry (event, reason, changed_by);
PERFORM pg_notify('{KILL_SWITCH_CHANNEL}', NEW.state);
RETURN NULL;
"""  # noqa: S608


# A new installation begins armed.
ARMED_ONLY_AT_FIRST = """
IF EXISTS (SELECT FROM signals_killswitchchange) THEN
    RAISE EXCEPTION 'the kill switch is armed by a confirmed request only';
END IF;
RETURN NEW;
"""


class KillSwitch(models.Model):
    """One row. Engaged, or not readable: nothing is sent (`signals.services.kill_switch`)."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    state = models.CharField(max_length=7, choices=KillSwitchState.choices)
    reason = models.CharField(max_length=LONGEST_REASON)
    changed_by = models.CharField(max_length=LONGEST_NAME)
    changed_at = models.DateTimeField()
    rearm_code = models.UUIDField(null=True, blank=True, help_text="Confirms one request to re-arm, once.")
    rearm_reason = models.CharField(max_length=LONGEST_REASON, blank=True)
    rearm_requested_by = models.CharField(max_length=LONGEST_NAME, blank=True)
    rearm_expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "kill switch"
        constraints = [
            models.CheckConstraint(name="signals_one_kill_switch", condition=Q(id=1)),
            models.CheckConstraint(
                name="signals_rearm_request_expires",
                condition=Q(rearm_code=None) | Q(rearm_expires_at__isnull=False, state="engaged"),
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="stays", operation=pgtrigger.Delete),
            never_truncated("stays_untruncated", "the kill switch cannot be truncated"),
            pgtrigger.Trigger(
                name="armed_once_without_request",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                condition=pgtrigger.Q(new__state="armed"),
                func=ARMED_ONLY_AT_FIRST,
            ),
            pgtrigger.Protect(
                name="armed_by_confirmed_request",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "NEW.state = 'armed' AND OLD.state <> 'armed'"
                    " AND (OLD.rearm_code IS NULL OR OLD.rearm_expires_at <= clock_timestamp())"
                ),
            ),
            pgtrigger.Trigger(
                name="record",
                operation=pgtrigger.Insert | pgtrigger.Update,
                when=pgtrigger.After,
                func=RECORD_SWITCH,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_state_display()} since {self.changed_at:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def is_armed(self) -> bool:
        return self.state == KillSwitchState.ARMED

    def rearm_is_open(self, now: datetime) -> bool:
        """Whether somebody asked to re-arm it and the second confirmation is still waited for."""
        return self.rearm_expires_at is not None and self.rearm_expires_at > now


class KillSwitchChange(models.Model):
    """One entry for each change of the kill switch, written by its trigger; rows are only ever added."""

    class Event(models.TextChoices):
        ARMED = "armed", "Armed"
        ENGAGED = "engaged", "Engaged"
        REARM_REQUESTED = "rearm_requested", "Re-arming requested"

    event = models.CharField(max_length=16, choices=Event.choices)
    reason = models.CharField(max_length=LONGEST_REASON)
    changed_by = models.CharField(max_length=LONGEST_NAME)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            never_truncated("no_truncate", "the record of the kill switch cannot be truncated"),
        ]

    def __str__(self) -> str:
        return f"{self.get_event_display()} by {self.changed_by}"
