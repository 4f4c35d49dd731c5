"""How a signal ended."""

import pgtrigger
from django.db import models
from django.db.models import F, Q

from signals.engine.exit_reason import ExitReason
from signals.models.ledger import LedgerEntry
from signals.models.signal import Signal


class SignalOutcome(models.Model):
    """How a signal ended on closed candles, after costs (`signals.engine.outcome`); written once.

    A candle that is corrected later changes no outcome: the record shows what was known when it ended.
    """

    signal = models.OneToOneField(Signal, on_delete=models.PROTECT, related_name="outcome")
    ledger_entry = models.OneToOneField(
        LedgerEntry, on_delete=models.PROTECT, db_column="sequence", related_name="outcome"
    )
    exit_reason = models.CharField(max_length=6, choices=[(r.value, r.value.title()) for r in ExitReason])
    entered_at = models.DateTimeField(help_text="Opening of the bar in which it was entered.")
    exited_at = models.DateTimeField(help_text="Opening of the bar in which it ended.")
    entry_price = models.FloatField()
    exit_price = models.FloatField()
    return_ratio = models.FloatField(help_text="After costs, a share of the entry.")
    r_multiple = models.FloatField(help_text="After costs, in units of the planned risk.")
    best_r = models.FloatField(help_text="Best excursion, before fees, in units of the planned risk.")
    worst_r = models.FloatField(help_text="Worst excursion, before fees, in units of the planned risk.")
    bars_held = models.PositiveIntegerField()
    is_ambiguous = models.BooleanField(help_text="One bar reached stop and target; it counts as stopped.")
    maker_bps = models.DecimalField(max_digits=7, decimal_places=2)
    taker_bps = models.DecimalField(max_digits=7, decimal_places=2)
    slippage_bps = models.DecimalField(max_digits=7, decimal_places=2)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["-exited_at"]
        constraints = [
            models.CheckConstraint(
                name="signals_outcome_ends_after_it_begins", condition=Q(exited_at__gte=F("entered_at"))
            ),
            models.CheckConstraint(
                name="signals_outcome_excursions_enclose_the_entry",
                condition=Q(best_r__gte=0, worst_r__lte=0),
            ),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.signal}: {self.exit_reason}, {self.r_multiple:+.2f} R"
