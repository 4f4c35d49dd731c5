"""Where integrators want to be told of signals and outcomes, and every single telling."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from notifications.models.delivery import DeliveryKind
from signals.models import Signal
from users.models import ApiKey


class WebhookState(models.TextChoices):
    PENDING = "pending", "Pending"
    SENDING = "sending", "Sending"
    SENT = "sent", "Sent"
    RETRY = "retry", "Retry"
    DEAD = "dead", "Dead"


UNSETTLED = (WebhookState.PENDING, WebhookState.SENDING, WebhookState.RETRY)


class WebhookEndpoint(models.Model):
    """An address that is told what its API key may read, as late as that key's tier."""

    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    api_key = models.ForeignKey(
        ApiKey,
        on_delete=models.PROTECT,
        related_name="webhooks",
        help_text="Its tier decides what is told, and when. With the key everything ends.",
    )
    url = models.CharField(max_length=500, help_text="https://… at a public address.")
    # HMAC needs the secret itself on both sides, so that it cannot be kept as a hash.
    secret = models.CharField(max_length=64, editable=False)
    kinds = ArrayField(models.CharField(max_length=10, choices=DeliveryKind.choices))
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "webhook"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="notifications_webhook_has_known_kinds",
                condition=Q(kinds__contained_by=list(DeliveryKind.values), kinds__len__gt=0),
            )
        ]

    def __str__(self) -> str:
        return self.name


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint. Of one signal, the outcome waits until the signal is settled."""

    event_id = models.UUIDField(
        unique=True, default=uuid.uuid4, editable=False, help_text="The same in every attempt."
    )
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries")
    signal = models.ForeignKey(Signal, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=DeliveryKind.choices)
    state = models.CharField(max_length=8, choices=WebhookState.choices, default=WebhookState.PENDING)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it is in this state.")
    due_at = models.DateTimeField(help_text="Release: never sent earlier.")
    next_attempt_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    attempt_id = models.UUIDField(null=True, blank=True, help_text="Fences out a worker that lost its lease.")
    lease_until = models.DateTimeField(null=True, blank=True)
    last_status = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Of the last answer.")
    sent_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "webhook delivery"
        verbose_name_plural = "webhook deliveries"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                name="notifications_webhook_event_once", fields=["endpoint", "signal", "kind"]
            ),
            models.CheckConstraint(
                name="notifications_webhook_sending_under_a_lease",
                condition=Q(state=WebhookState.SENDING, attempt_id__isnull=False, lease_until__isnull=False)
                | (~Q(state=WebhookState.SENDING) & Q(attempt_id=None, lease_until=None)),
            ),
        ]
        indexes = [
            models.Index(
                name="notifications_webhook_open",
                fields=["endpoint", "next_attempt_at"],
                condition=Q(state__in=UNSETTLED),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.signal} to {self.endpoint}"
