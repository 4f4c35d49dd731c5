"""Who gets which signal when, and what became of it.

States of a delivery: pending → sending → sent | retry | dead | unknown | expired; retry → sending. What was claimed and
not called goes back; what may not be sent any more ends as dead, unknown or expired without a call.
`sending` is committed before Telegram is called, so a crash leaves a visible row, never a silent loss.
"""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from signals.models import Signal
from users.models import Subscriber


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
    UPDATE = "update", "Raised stop"
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
