"""What an account holds of an instrument, with everything that the fill step needs to go on from here."""

from typing import Any

import pgtrigger
from django.db import models
from django.db.models import Q

from autopilot.engine.order import FillReason, OrderState
from autopilot.models.account import Account
from autopilot.models.columns import choices, in_steps, money
from signals.market.models import TIMEFRAME_CHOICES, Instrument

# Runs at commit, whoever wrote: a position that its fills do not explain cannot be.
IS_SUM_OF_FILLS = """
SELECT quantity INTO told FROM autopilot_position WHERE id = {position};
SELECT coalesce(sum(CASE side WHEN 'buy' THEN quantity ELSE -quantity END), 0) INTO filled
    FROM autopilot_fill WHERE position_id = {position};
IF told <> filled THEN
    RAISE EXCEPTION 'position % holds %, its fills sum up to %', {position}, told, filled
        USING ERRCODE = 'integrity_constraint_violation';
END IF;
RETURN NULL;
"""


def sum_of_fills(name: str, position: str, operation: pgtrigger.Operation) -> pgtrigger.Trigger:
    """A deferred constraint trigger; `position` is the column that names the position."""
    return pgtrigger.Trigger(
        name=name,
        operation=operation,
        when=pgtrigger.After,
        timing=pgtrigger.Deferred,
        declare=[("told", "numeric"), ("filled", "numeric")],
        func=IS_SUM_OF_FILLS.format(position=position),
    )


class PositionQuerySet(models.QuerySet["Position"]):
    def alive(self) -> "PositionQuerySet":
        """Those that hold something or wait for it: a closed bar may change them."""
        return self.filter(~Q(quantity=0) | Q(orders__state=OrderState.OPEN.value)).distinct()


class Position(models.Model):
    """One row per account and instrument; quantity 0 while nothing is held.

    `clock` is the opening of the last bar that was stepped: no bar is stepped twice, so a candle that is
    corrected later changes nothing. Steps are kept while anything is held or waits, whatever the exchange says.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="positions")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    timeframe = models.CharField(
        max_length=3, choices=TIMEFRAME_CHOICES, help_text="Of the candles that fill its orders."
    )
    tick = in_steps(help_text="Step of a price.")
    lot = in_steps(help_text="Step of a quantity.")
    clock = models.DateTimeField(help_text="Opening of the last bar that was stepped.")
    quantity = in_steps(default=0, help_text="Signed: below zero is short.")
    cost = money(default=0, help_text="What the quantity held was worth when it was entered.")
    entered_at = models.DateTimeField(null=True, blank=True)
    hold_bars = models.IntegerField(default=-1, help_text="Bars until it is closed by time; -1: no limit.")
    closing = models.CharField(
        max_length=13, choices=choices(FillReason), blank=True, help_text="Why the next open ends it."
    )
    best_price = in_steps(null=True, blank=True, help_text="Most favourable since the entry.")
    in_doubt = models.BooleanField(
        default=False, help_text="Another path through a bar would have led elsewhere."
    )
    funding = money(default=0, help_text="Funding and borrowing paid so far.")
    round_trip_funding = money(default=0, help_text="Of which before this round trip.")
    next_number = models.PositiveIntegerField(default=1, help_text="Of the next order in its book.")
    round_trip = models.PositiveIntegerField(
        default=0, help_text="Number of this round trip, or of the last."
    )
    last_close = in_steps(null=True, blank=True)

    objects = PositionQuerySet.as_manager()

    class Meta:
        ordering = ["account", "instrument"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "instrument"], name="autopilot_position_once_per_account_and_instrument"
            ),
            models.CheckConstraint(name="autopilot_position_steps", condition=Q(tick__gt=0, lot__gt=0)),
            models.CheckConstraint(
                name="autopilot_position_held_since",
                condition=Q(quantity=0, entered_at=None) | (~Q(quantity=0) & Q(entered_at__isnull=False)),
            ),
        ]
        triggers = [sum_of_fills("is_sum_of_fills", "NEW.id", pgtrigger.Insert | pgtrigger.Update)]

    def __str__(self) -> str:
        return f"{self.account} {self.instrument}"

    @property
    def average_price(self) -> Any:
        """Of the entries; None where nothing is held."""
        return self.cost / abs(self.quantity) if self.quantity else None
