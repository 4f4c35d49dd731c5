"""What became of an order at an exchange, and what the exchange has told of it."""

import pgtrigger
from django.db import models
from django.db.models import Q

from autopilot.engine.live_order import FINAL, LiveState
from autopilot.models.account import Account
from autopilot.models.columns import choices, in_steps
from autopilot.models.fill import Fill
from autopilot.models.order import Order
from signals.market.models import Exchange, Instrument
from signals.models import never_truncated

FINAL_VALUES = sorted(state.value for state in FINAL)


class LiveOrderQuerySet(models.QuerySet["LiveOrder"]):
    def alive(self) -> "LiveOrderQuerySet":
        """Those that have not ended: only what the exchange says, or a person, ends one that was sent."""
        return self.exclude(state__in=FINAL_VALUES)

    def unsure(self) -> "LiveOrderQuerySet":
        return self.filter(state__in=[LiveState.UNKNOWN.value, LiveState.SUBMITTING.value])


class LiveOrder(models.Model):
    """The way of one intent at the exchange. Written with its Order in one transaction, sent by the executor only."""

    order = models.OneToOneField(Order, on_delete=models.PROTECT, primary_key=True, related_name="live")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="live_orders")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=11, choices=choices(LiveState), default=LiveState.NEW.value)
    venue_order_id = models.CharField(max_length=64, blank=True)
    sent_quantity = in_steps(null=True, blank=True, help_text="After rounding to the exchange's precision.")
    sent_price = in_steps(null=True, blank=True)
    filled = in_steps(default=0, help_text="As the exchange tells; fills are booked from its trades.")
    detail = models.CharField(max_length=300, blank=True, help_text="What the exchange said last.")
    written_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    cancel_asked_at = models.DateTimeField(null=True, blank=True)
    cancel_reason = models.CharField(max_length=32, blank=True)
    looks = models.PositiveIntegerField(default=0, help_text="How often its unknown fate was asked for.")
    next_look_at = models.DateTimeField(null=True, blank=True)
    first_empty_at = models.DateTimeField(
        null=True, blank=True, help_text="First time that the exchange answered and knew of nothing."
    )
    last_empty_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=150, blank=True)

    objects = LiveOrderQuerySet.as_manager()

    class Meta:
        ordering = ["-order_id"]
        constraints = [
            models.CheckConstraint(
                name="autopilot_live_order_ends_when_final",
                condition=Q(state__in=FINAL_VALUES, ended_at__isnull=False)
                | (~Q(state__in=FINAL_VALUES) & Q(ended_at=None)),
            ),
            models.CheckConstraint(
                name="autopilot_live_order_sent_when_submitted",
                condition=Q(state__in=[LiveState.NEW.value, LiveState.DROPPED.value])
                | Q(submitted_at__isnull=False, sent_quantity__gt=0),
            ),
            models.CheckConstraint(
                name="autopilot_live_order_decided_by_somebody",
                condition=~Q(state=LiveState.DECIDED.value) | ~Q(decided_by=""),
            ),
        ]
        indexes = [
            models.Index(
                fields=["account", "instrument"],
                condition=~Q(state__in=FINAL_VALUES),
                name="autopilot_live_order_alive",
            )
        ]

    def __str__(self) -> str:
        return f"{self.order} {self.state}"


class LiveOrderEvent(models.Model):
    """One entry for each step of an order at an exchange; rows are only ever added."""

    live_order = models.ForeignKey(LiveOrder, on_delete=models.PROTECT, related_name="events")
    state = models.CharField(max_length=11, choices=choices(LiveState))
    detail = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            never_truncated("no_truncate", "the history of orders is only ever added to"),
        ]

    def __str__(self) -> str:
        return f"{self.live_order_id} {self.state}"


class LiveTrade(models.Model):
    """A trade as the exchange tells it, once: told again it changes nothing. Without `fill` it is not one of ours."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="live_trades")
    exchange = models.ForeignKey(Exchange, on_delete=models.PROTECT, related_name="+")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    trade_id = models.CharField(max_length=64)
    venue_order_id = models.CharField(max_length=64)
    fill = models.OneToOneField(Fill, on_delete=models.PROTECT, null=True, blank=True, related_name="live")
    side = models.CharField(max_length=4)
    quantity = in_steps()
    price = in_steps()
    fee = in_steps(default=0)
    fee_asset = models.CharField(max_length=16, blank=True)
    traded_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["exchange", "account", "instrument", "trade_id"], name="autopilot_live_trade_once"
            ),
            models.CheckConstraint(
                name="autopilot_live_trade_positive", condition=Q(quantity__gt=0, price__gt=0)
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            never_truncated("no_truncate", "trades are only ever added"),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity.normalize():f} at {self.price.normalize():f}"
