"""What was asked for, and what became of it."""

from django.db import models
from django.db.models import F, Q

from autopilot.engine.order import OrderPurpose, OrderSide, OrderState, OrderType
from autopilot.engine.preflight import Refusal
from autopilot.models.account import Account
from autopilot.models.columns import choices, in_steps
from autopilot.models.position import Position
from signals.market.models import TIMEFRAME_CHOICES, Instrument
from signals.models import Signal


class OrderQuerySet(models.QuerySet["Order"]):
    def open(self) -> "OrderQuerySet":
        return self.filter(state=OrderState.OPEN.value)

    def entries(self) -> "OrderQuerySet":
        return self.filter(purpose=OrderPurpose.ENTRY.value)


class Order(models.Model):
    """An intent: written before anything is sent anywhere, in the transaction in which it was checked.

    Prices and quantities stand on the steps of the position's instrument. `parent` is the entry whose exit it is.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="orders")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    position = models.ForeignKey(
        Position, on_delete=models.PROTECT, null=True, blank=True, related_name="orders"
    )
    client_order_id = models.CharField(
        max_length=36, unique=True, help_text="Made from the decision: asked twice, ordered once."
    )
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    side = models.CharField(max_length=4, choices=choices(OrderSide))
    type = models.CharField(max_length=6, choices=choices(OrderType))
    purpose = models.CharField(max_length=11, choices=choices(OrderPurpose))
    level = models.PositiveSmallIntegerField(
        default=0, help_text="Which of several entries, and of their exits."
    )
    state = models.CharField(max_length=9, choices=choices(OrderState))
    reason_code = models.CharField(
        max_length=32, blank=True, help_text="Why it was refused or ended without being filled."
    )
    quantity = in_steps(help_text="Asked for.")
    remaining = in_steps(help_text="Still waiting.")
    filled = in_steps(default=0)
    price = in_steps(null=True, blank=True, help_text="Of a limit or stop order.")
    stop_price = in_steps(null=True, blank=True, help_text="Of the stop that a filled entry brings.")
    target_price = in_steps(null=True, blank=True, help_text="Of the target that a filled entry brings.")
    trail = in_steps(null=True, blank=True, help_text="Distance of a trailing stop.")
    trail_atr = models.FloatField(
        null=True,
        blank=True,
        help_text="Managed exit: average true ranges at which the stop follows the best close.",
    )
    good_bars = models.IntegerField(default=-1, help_text="Bars until it lapses; -1: never.")
    hold_bars = models.IntegerField(default=-1, help_text="Bars that the position is held at most; -1: any.")
    number = models.PositiveIntegerField(null=True, blank=True, help_text="In its position's book.")
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="exits")
    signal = models.ForeignKey(Signal, on_delete=models.PROTECT, null=True, blank=True, related_name="orders")
    strategy = models.CharField(max_length=40, blank=True)
    strength = models.FloatField(null=True, blank=True)
    attempt = models.PositiveSmallIntegerField(default=0, help_text="How many times it lapsed before.")
    candle_open_time = models.DateTimeField(help_text="The closed candle on which it was decided.")
    active_from = models.DateTimeField(help_text="A bar that opens before this does not fill it.")
    placed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "instrument", "side", "purpose", "level"],
                condition=Q(state=OrderState.OPEN.value),
                name="autopilot_order_one_open_intent",
            ),
            models.UniqueConstraint(
                fields=["position", "number"], name="autopilot_order_number_once_per_position"
            ),
            models.CheckConstraint(
                name="autopilot_order_quantities",
                condition=Q(quantity__gte=0, remaining__gte=0, filled__gte=0),
            ),
            models.CheckConstraint(
                name="autopilot_order_managed_exit",
                condition=Q(trail_atr=None)
                | Q(trail_atr__gt=0, stop_price__isnull=False, target_price=None, trail=None),
            ),
            models.CheckConstraint(
                name="autopilot_order_price_where_needed",
                condition=Q(type=OrderType.MARKET.value)
                | Q(state=OrderState.REFUSED.value)
                | Q(price__isnull=False, price__gt=0),
            ),
            models.CheckConstraint(
                name="autopilot_order_ends_when_not_open",
                condition=Q(state=OrderState.OPEN.value, ended_at=None, position__isnull=False)
                | (~Q(state=OrderState.OPEN.value) & Q(ended_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="autopilot_order_ends_after_it_is_placed",
                condition=Q(ended_at=None) | Q(ended_at__gte=F("placed_at")),
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-placed_at"], name="autopilot_order_by_time"),
            models.Index(
                fields=["position"],
                condition=Q(state=OrderState.OPEN.value),
                name="autopilot_order_that_waits",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity.normalize():f} {self.instrument} ({self.get_purpose_display().lower()})"

    @property
    def is_open(self) -> bool:
        return self.state == OrderState.OPEN

    @property
    def reason(self) -> str:
        """The reason code as a sentence."""
        if self.state == OrderState.REFUSED:
            return Refusal(self.reason_code).sentence
        return self.reason_code.replace("_", " ").capitalize()
