"""Cycles in which nothing had closed are many, and say nothing after a week."""

from datetime import datetime, timedelta

from autopilot.engine.cycle import DecisionOutcome
from autopilot.models import Decision

KEPT_FOR = timedelta(days=7)


def tidy_decisions(*, now: datetime) -> int:
    """Remove decisions without a new candle that are older than a week; how many."""
    old = Decision.objects.filter(outcome=DecisionOutcome.UNCHANGED.value, decided_at__lt=now - KEPT_FOR)
    removed, _ = old.delete()
    return removed
