"""Which sender leads, and what all of them must know."""

import pgtrigger
from django.db import models
from django.db.models import Q


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
