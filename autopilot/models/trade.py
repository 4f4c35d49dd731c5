"""A closed round trip: from flat to flat."""

import pgtrigger
from django.db import models
from django.db.models import F, Q

from autopilot.engine.order import FillReason
from autopilot.models.account import Account
from autopilot.models.columns import choices, in_steps, money
from autopilot.models.position import Position
from signals.engine.direction import Direction
from signals.market.models import Instrument
from signals.models import Signal, never_truncated


class Trade(models.Model):
    """Written once, when the position is flat again. Profit is after fees and funding."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="trades")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    position = models.ForeignKey(Position, on_delete=models.PROTECT, related_name="trades")
    round_trip = models.PositiveIntegerField()
    direction = models.CharField(max_length=5, choices=[(d.value, d.value.title()) for d in Direction])
    quantity = in_steps(help_text="All that was entered.")
    entered_at = models.DateTimeField(help_text="Opening of the bar of the first entry.")
    exited_at = models.DateTimeField(help_text="Opening of the bar of the last exit.")
    entry_price = in_steps(help_text="Average.")
    exit_price = in_steps(help_text="Average.")
    fees = money()
    funding = money()
    net_profit = money()
    r_multiple = models.FloatField(null=True, blank=True, help_text="Net profit in units of the risk taken.")
    exit_reason = models.CharField(max_length=13, choices=choices(FillReason))
    is_ambiguous = models.BooleanField()
    signal = models.ForeignKey(Signal, on_delete=models.PROTECT, null=True, blank=True, related_name="trades")
    strategy = models.CharField(max_length=40, blank=True)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["position", "round_trip"], name="autopilot_trade_once_per_round_trip"
            ),
            models.CheckConstraint(
                name="autopilot_trade_ends_after_it_begins", condition=Q(exited_at__gte=F("entered_at"))
            ),
        ]
        indexes = [models.Index(fields=["account", "-exited_at"], name="autopilot_trade_by_time")]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            never_truncated("no_truncate", "trades are only ever added"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument} {self.direction} {self.exited_at:%Y-%m-%d %H:%M}"
