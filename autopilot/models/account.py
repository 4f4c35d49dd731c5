"""Who trades, by which rules and within which limits."""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from autopilot.engine.preflight import Limits


class AccountKind(models.TextChoices):
    PAPER = "paper", "Paper"
    LIVE = "live", "Live"


def _ratio(help_text: str, default: str | None) -> "models.DecimalField[Decimal | None, Decimal | None]":
    return models.DecimalField(
        max_digits=9,
        decimal_places=4,
        null=True,
        blank=True,
        default=Decimal(default) if default else None,
        help_text=help_text,
    )


class Account(models.Model):
    """An empty limit is no limit. Its balance is the sum of its BalanceEntry rows, never a number of its own."""

    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=5, choices=AccountKind.choices, default=AccountKind.PAPER)
    currency = models.CharField(max_length=16, help_text="Quote currency in which everything is counted.")
    is_open = models.BooleanField(default=True, help_text="A closed account opens no position.")
    leverage = models.DecimalField(max_digits=5, decimal_places=2, default=Decimal(1))
    volume_share = _ratio("At most this share of a bar's volume fills; empty: no limit.", None)
    needs_volume = models.BooleanField(default=False, help_text="A bar without volume fills nothing.")
    trade_through = models.BooleanField(
        default=False, help_text="A limit order fills only when the price goes beyond it."
    )
    max_exposure = _ratio("Worth of all positions, a ratio of equity.", "1")
    max_daily_loss = _ratio("A ratio of equity at the day's start (UTC).", "0.05")
    max_drawdown = _ratio("A ratio of the highest equity so far.", "0.20")
    max_correlation = _ratio("With a position on the same side.", "0.90")
    cooldown_seconds = models.PositiveIntegerField(
        null=True, blank=True, default=3600, help_text="Between a stop and the next entry of that instrument."
    )
    max_trades_a_day = models.PositiveIntegerField(null=True, blank=True, default=10)
    max_positions = models.PositiveIntegerField(null=True, blank=True, default=5)
    max_orders_a_minute = models.PositiveIntegerField(
        null=True, blank=True, default=10, help_text="Entries sent to an exchange; exits always go."
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="autopilot_account_leverage", condition=Q(leverage__gte=1, leverage__lte=100)
            ),
            models.CheckConstraint(
                name="autopilot_account_volume_share",
                condition=Q(volume_share=None) | Q(volume_share__gt=0, volume_share__lte=1),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_live(self) -> bool:
        return self.kind == AccountKind.LIVE

    def limits(self) -> Limits:
        return Limits(
            exposure=self.max_exposure,
            daily_loss=self.max_daily_loss,
            drawdown=self.max_drawdown,
            correlation=None if self.max_correlation is None else float(self.max_correlation),
            cooldown_seconds=self.cooldown_seconds,
            trades_a_day=self.max_trades_a_day,
            positions=self.max_positions,
        )
