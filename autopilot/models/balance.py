"""The money of accounts, as rows that are only ever added, and their equity over time."""

import pgtrigger
from django.db import models

from autopilot.models.account import Account
from autopilot.models.columns import money
from autopilot.models.fill import Fill
from autopilot.models.position import Position
from signals.models import never_truncated


class BalanceKind(models.TextChoices):
    DEPOSIT = "deposit", "Deposit"
    TRADE = "trade", "Bought or sold"
    FEE = "fee", "Fee"
    FUNDING = "funding", "Funding and borrowing"


class BalanceEntry(models.Model):
    """One change of an account's cash; cash is their sum."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="balance_entries")
    kind = models.CharField(max_length=7, choices=BalanceKind.choices)
    amount = money()
    fill = models.ForeignKey(
        Fill, on_delete=models.PROTECT, null=True, blank=True, related_name="balance_entries"
    )
    position = models.ForeignKey(
        Position, on_delete=models.PROTECT, null=True, blank=True, related_name="balance_entries"
    )
    at = models.DateTimeField(help_text="On the exchange's clock: the opening of the bar, or the deposit.")
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "balance entries"
        constraints = [
            models.UniqueConstraint(fields=["fill", "kind"], name="autopilot_balance_once_per_fill_and_kind"),
            models.UniqueConstraint(
                fields=["position", "at"],
                condition=models.Q(kind="funding"),
                name="autopilot_balance_funding_once_per_bar",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            never_truncated("no_truncate", "balances are only ever added to"),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.kind} {self.amount:+}"


class EquityPoint(models.Model):
    """Worth of an account at the close of a bar: cash, and positions at their last closes."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="equity_points")
    at = models.DateTimeField(help_text="Opening of the bar at whose close it was worth this.")
    equity = money()
    exposure = money(default=0)

    class Meta:
        ordering = ["account", "at"]
        constraints = [
            models.UniqueConstraint(fields=["account", "at"], name="autopilot_equity_once_per_bar")
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.at:%Y-%m-%d %H:%M}: {self.equity}"
