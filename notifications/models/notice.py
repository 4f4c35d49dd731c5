"""Messages about a subscription, each a delivery of its own."""

import uuid

from django.db import models
from django.db.models import Q

from notifications.models.delivery import DeliveryState
from users.models import Subscriber


class NoticeKind(models.TextChoices):
    ENDS_IN_3_DAYS = "ends_3", "Ends in three days"
    ENDS_TOMORROW = "ends_1", "Ends tomorrow"
    IN_GRACE = "grace", "Ended, days of grace"
    ENDED = "ended", "Ended"


class Notice(models.Model):
    """One reminder on its way to one subscriber: accounted for like a signal, but never sent twice.

    A message about money whose fate is unknown is not repeated. `about` is the end of which it speaks: once that has
    moved, it is not sent any more.
    """

    public_id = models.UUIDField(default=uuid.uuid4, editable=False)
    subscriber = models.ForeignKey(Subscriber, on_delete=models.PROTECT, related_name="notices")
    kind = models.CharField(max_length=10, choices=NoticeKind.choices)
    about = models.DateTimeField()
    state = models.CharField(max_length=8, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    reason = models.CharField(max_length=300, blank=True)
    due_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    telegram_message_id = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-due_at"]
        constraints = [
            models.UniqueConstraint(fields=["subscriber", "kind", "about"], name="notifications_notice_once"),
            models.CheckConstraint(
                name="notifications_notice_not_sent_before_due",
                condition=Q(sent_at=None) | Q(sent_at__gte=models.F("due_at")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="notifications_notice_open",
                condition=Q(state__in=["pending", "sending", "retry"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} to {self.subscriber} ({self.state})"
