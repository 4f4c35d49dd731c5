"""Who gets which signal when, what became of it, and what came back.

States of a delivery: pending → sending → sent | retry | dead | unknown | expired; retry → sending. What was claimed and
not called goes back; what may not be sent any more ends as dead, unknown or expired without a call.
`sending` is committed before Telegram is called, so a crash leaves a visible row, never a silent loss.
"""

import uuid
from datetime import UTC, datetime
from zoneinfo import available_timezones

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Now
from django.db.models.lookups import IsNull

from signals.engine.session import TradingSession
from signals.market.models import Instrument
from signals.models import Signal
from users.models import Subscriber


def require_timezone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(f"{name!r} is no IANA time zone; write for example Europe/Berlin or UTC.")


class LocalTime(Func):
    """`timezone(zone, instant)`: an error of the database when it does not know the zone."""

    function = "timezone"
    output_field = models.DateTimeField()


class DeliveryPreference(models.Model):
    """What one subscriber wants to hear, and when."""

    subscriber = models.OneToOneField(Subscriber, on_delete=models.CASCADE, related_name="preference")
    sessions = ArrayField(
        models.CharField(max_length=10, choices=[(s.value, s.label) for s in TradingSession]),
        default=list,
        blank=True,
        help_text="Trading sessions; ignored where the tier has every hour.",
    )
    instruments = models.ManyToManyField(
        Instrument, blank=True, related_name="+", help_text="Empty = all instruments."
    )
    quiet_from = models.TimeField(null=True, blank=True, help_text="Start of quiet hours, local time.")
    quiet_until = models.TimeField(null=True, blank=True, help_text="End of quiet hours, local time.")
    timezone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[require_timezone],
        help_text="IANA name, for example Europe/Berlin.",
    )
    daily_cap = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Signals a day; empty = no cap."
    )
    paused_until = models.DateTimeField(null=True, blank=True, help_text="No signals before this moment.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="notifications_quiet_hours_have_two_ends",
                condition=Q(quiet_from=None, quiet_until=None)
                | (Q(quiet_from__isnull=False, quiet_until__isnull=False) & ~Q(quiet_from=F("quiet_until"))),
            ),
            # One unknown zone would fail the fan-out of everybody; it is refused when it is written.
            models.CheckConstraint(
                name="notifications_database_knows_the_timezone",
                condition=IsNull(LocalTime(F("timezone"), Value(datetime(2026, 1, 1, tzinfo=UTC))), False),
            ),
        ]

    def __str__(self) -> str:
        return f"Preferences of {self.subscriber}"


class DeliveryState(models.TextChoices):
    PENDING = "pending", "Pending"
    SENDING = "sending", "Sending"
    SENT = "sent", "Sent"
    RETRY = "retry", "Retry"
    DEAD = "dead", "Dead"
    UNKNOWN = "unknown", "Unknown"
    EXPIRED = "expired", "Expired"


OPEN_STATES = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.RETRY)


class DeliveryKind(models.TextChoices):
    SIGNAL = "signal", "Signal"
    OUTCOME = "outcome", "Outcome"


class Delivery(models.Model):
    """One signal, or what became of it, on its way to one subscriber.

    Written by INSERT … SELECT (`services.fan_out`, `services.follow_up`).
    """

    # Every index and every constraint is paid for by each row of a fan-out, so these three have none of their own:
    # a `public_id` is random and looked for among one subscriber's rows only; the signal is written in the same
    # transaction, and the ledger's triggers let none be deleted; a trigger keeps subscribers who have deliveries.
    public_id = models.UUIDField(default=uuid.uuid4, editable=False, help_text="Names it in buttons.")
    signal = models.ForeignKey(
        Signal, on_delete=models.PROTECT, related_name="deliveries", db_index=False, db_constraint=False
    )
    subscriber = models.ForeignKey(
        Subscriber, on_delete=models.PROTECT, related_name="deliveries", db_index=False, db_constraint=False
    )
    kind = models.CharField(max_length=10, choices=DeliveryKind.choices, default=DeliveryKind.SIGNAL)
    state = models.CharField(max_length=8, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it is in this state.")
    tier = models.CharField(max_length=50, help_text="Code of the tier at publication.")
    tier_rank = models.PositiveSmallIntegerField()
    weight = models.FloatField(default=1.0)
    due_at = models.DateTimeField(help_text="Release: never sent earlier.")
    expires_at = models.DateTimeField(help_text="Never sent later.")
    next_attempt_at = models.DateTimeField(help_text="When the sender looks at it next.")
    attempts = models.PositiveSmallIntegerField(default=0)
    attempt_id = models.UUIDField(null=True, blank=True, help_text="Fences out a sender that lost its lease.")
    lease_until = models.DateTimeField(null=True, blank=True)
    is_repeat = models.BooleanField(default=False, help_text="Sent again after an attempt of unknown fate.")
    is_plain = models.BooleanField(default=False, help_text="Telegram refused the HTML; sent as plain text.")
    sent_at = models.DateTimeField(
        null=True, blank=True, help_text="The database's time when Telegram had it."
    )
    telegram_message_id = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["signal", "subscriber", "kind"], name="notifications_delivery_once_per_subscriber"
            ),
            models.CheckConstraint(
                name="notifications_delivery_not_sent_before_due",
                condition=Q(sent_at=None) | Q(sent_at__gte=F("due_at")),
            ),
            models.CheckConstraint(
                name="notifications_sent_delivery_has_a_time",
                condition=~Q(state=DeliveryState.SENT) | Q(sent_at__isnull=False),
            ),
            models.CheckConstraint(
                name="notifications_sending_delivery_has_a_lease",
                condition=~Q(state=DeliveryState.SENDING)
                | Q(lease_until__isnull=False, attempt_id__isnull=False),
            ),
        ]
        indexes = [
            # One subscriber's history, and the part of it that a daily cap counts.
            models.Index(fields=["subscriber", "due_at"], name="notifications_delivery_history"),
            models.Index(
                fields=["next_attempt_at"],
                name="notifications_delivery_open",
                condition=Q(state__in=[state.value for state in OPEN_STATES]),
            ),
            # What the console asks for by time; costs a fan-out next to nothing.
            BrinIndex(fields=["due_at"], name="notifications_delivery_due", autosummarize=True),
            # The order in which the sender claims, past what has expired.
            models.Index(
                F("tier_rank").desc(),
                F("weight").desc(),
                F("due_at"),
                F("id"),
                F("expires_at"),
                name="notifications_delivery_next",
                condition=Q(state__in=[DeliveryState.PENDING.value, DeliveryState.RETRY.value]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.public_id} ({self.state})"


class ExclusionRecord(models.Model):
    """Who did not get a signal at its publication, and why: one row for each reason with its figures.

    Written by the fan-out's own statement (`services.fan_out`), so that it says what the deliveries say.
    """

    signal = models.ForeignKey(
        Signal, on_delete=models.PROTECT, related_name="exclusions", db_constraint=False
    )
    reason = models.CharField(max_length=32, help_text="Code of the rule that excluded them.")
    figures = models.CharField(max_length=300, blank=True, help_text="What the rule compared.")
    subscriber_ids = ArrayField(models.BigIntegerField())

    class Meta:
        ordering = ["-signal_id", "reason"]

    def __str__(self) -> str:
        return f"{self.reason}: {len(self.subscriber_ids)}"


class SignalPicture(models.Model):
    """The picture of one signal: wanted when it was published, drawn once by a worker, uploaded once.

    Whoever is sent it first uploads `png`; from then on Telegram's `file_id` is enough. A signal whose picture
    is not there when it is due goes out as text.
    """

    signal = models.OneToOneField(Signal, on_delete=models.PROTECT, related_name="picture")
    png = models.BinaryField(null=True, help_text="Empty: not drawn yet, or given up.")
    file_id = models.CharField(max_length=200, blank=True, help_text="Telegram's name for it once uploaded.")
    error = models.CharField(max_length=300, blank=True, help_text="Why there is none.")
    attempts = models.PositiveSmallIntegerField(default=0)
    requested_at = models.DateTimeField()
    awaited_until = models.DateTimeField(
        null=True, blank=True, help_text="Deliveries wait for it until then; empty: they do not."
    )
    drawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-requested_at"]
        indexes = [
            models.Index(
                fields=["requested_at"],
                name="notifications_picture_waiting",
                condition=Q(png=None, error=""),
            ),
        ]

    def __str__(self) -> str:
        return f"Picture of {self.signal}"


class Answer(models.TextChoices):
    ACTED = "acted", "Acted"
    IGNORED = "ignored", "Ignored"


class Feedback(models.Model):
    """What the subscriber did with a delivered signal. The first answer stands."""

    delivery = models.OneToOneField(Delivery, on_delete=models.PROTECT, related_name="feedback")
    answer = models.CharField(max_length=8, choices=Answer.choices)
    answered_at = models.DateTimeField()

    class Meta:
        ordering = ["-answered_at"]
        verbose_name_plural = "feedback"

    def __str__(self) -> str:
        return f"{self.answer} to {self.delivery_id}"


class ReplyTurn(models.Model):
    """From when on a chat may be sent the next reply; chat 0 stands for all of them together."""

    chat_id = models.BigIntegerField(primary_key=True)
    free_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.chat_id} from {self.free_at:%H:%M:%S}"


class TelegramUpdate(models.Model):
    """The inbox: an update is committed here before Telegram hears 200, and worked off from here."""

    update_id = models.BigIntegerField(primary_key=True)
    payload = models.JSONField()
    received_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    outcome = models.CharField(max_length=200, blank=True)
    turn_at = models.DateTimeField(
        null=True, blank=True, help_text="When a question that came among many is to be answered."
    )

    class Meta:
        ordering = ["-received_at"]
        indexes = [
            models.Index(
                fields=["received_at"], name="notifications_update_waiting", condition=Q(processed_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"Update {self.update_id}"


class SenderLease(models.Model):
    """One row: which sender leads. Its successor has a greater token, which fences out the one before."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    holder = models.CharField(max_length=200, help_text="Host and process.")
    fencing_token = models.BigIntegerField(help_text="Grows whenever the lease changes hands.")
    lapses_at = models.DateTimeField(help_text="From then on, by the database's clock, another may take it.")

    class Meta:
        constraints = [models.CheckConstraint(name="notifications_one_sender_lease", condition=Q(id=1))]
        triggers = [
            pgtrigger.Protect(name="keeps_its_token", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="token_only_grows",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(new__fencing_token__lt=pgtrigger.F("old__fencing_token")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.holder} (token {self.fencing_token})"


class SenderState(models.Model):
    """One row: what every sender must know before it sends."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    paused_until = models.DateTimeField(
        null=True, blank=True, help_text="Telegram asked the whole bot to wait."
    )
    halted_reason = models.CharField(
        max_length=300, blank=True, help_text="Why nothing is sent; empty = running."
    )

    class Meta:
        constraints = [models.CheckConstraint(name="notifications_one_sender_state", condition=Q(id=1))]

    def __str__(self) -> str:
        return self.halted_reason or "running"
