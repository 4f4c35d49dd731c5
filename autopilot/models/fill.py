"""What was bought and sold."""

import pgtrigger
from django.db import models
from django.db.models import Q

from autopilot.engine.order import FillReason, OrderSide
from autopilot.models.columns import choices, in_steps, money
from autopilot.models.order import Order
from autopilot.models.position import Position, sum_of_fills
from signals.models import never_truncated


class Fill(models.Model):
    """Rows are only ever added; a bar that is corrected later changes none of them.

    Unique by position, bar and number within the bar: what is stepped twice by mistake is refused.
    """

    position = models.ForeignKey(Position, on_delete=models.PROTECT, related_name="fills")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills")
    candle_open_time = models.DateTimeField(help_text="Opening of the bar that filled it.")
    number = models.PositiveSmallIntegerField(help_text="Within the bar.")
    round_trip = models.PositiveIntegerField(help_text="From flat to flat, numbered per position.")
    side = models.CharField(max_length=4, choices=choices(OrderSide))
    quantity = in_steps()
    price = in_steps()
    value = money(help_text="Price x quantity, rounded against the account.")
    fee = money()
    risk = money(default=0, help_text="What an entry loses at its stop.")
    reason = models.CharField(max_length=13, choices=choices(FillReason))
    is_ambiguous = models.BooleanField(
        default=False, help_text="Another path through the bar would have ended otherwise."
    )
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["position", "candle_open_time", "number"], name="autopilot_fill_once_per_bar"
            ),
            models.CheckConstraint(
                name="autopilot_fill_positive", condition=Q(quantity__gt=0, price__gt=0, value__gte=0)
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            never_truncated("no_truncate", "fills are only ever added"),
            sum_of_fills("position_is_sum", "NEW.position_id", pgtrigger.Insert),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity.normalize():f} at {self.price.normalize():f}"
