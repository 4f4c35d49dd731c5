"""Stars that subscribers paid."""

import pghistory
from django.db import models

from users.models import Subscriber, Tier


@pghistory.track()
class StarsPayment(models.Model):
    """A payment that Telegram told of; once for each of its charge ids, whatever is told twice."""

    telegram_payment_charge_id = models.CharField(max_length=255, unique=True)
    subscriber = models.ForeignKey(
        Subscriber,
        on_delete=models.PROTECT,
        null=True,
        related_name="stars_payments",
        help_text="Empty: nobody's.",
    )
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, null=True, related_name="+")
    user_id = models.BigIntegerField(help_text="Telegram's number of who paid; a refund needs it.")
    stars = models.PositiveIntegerField()
    days = models.PositiveIntegerField(default=0, help_text="By which it extended the subscription.")
    note = models.CharField(max_length=200, blank=True, help_text="What was wrong with it.")
    paid_at = models.DateTimeField()
    refund_asked_at = models.DateTimeField(null=True, blank=True)
    refund_asked_by = models.CharField(max_length=150, blank=True)
    refund_error = models.CharField(max_length=300, blank=True)
    refunded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-paid_at"]

    def __str__(self) -> str:
        return f"{self.stars} Stars of {self.subscriber or 'nobody'}"
