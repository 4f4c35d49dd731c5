"""Keeping what the exchange demands of an order: steps and minima."""

from dataclasses import asdict
from datetime import datetime, timedelta

from django.db.models import Q

from signals.market.models import Exchange, Instrument
from signals.market.providers import MarketRules, provider_for

REFRESHED_AFTER = timedelta(days=1)


def refresh_rules(*, exchange: Exchange, now: datetime) -> int:
    """Ask the exchange once for all active instruments whose rules are a day old; how many were written.

    Only the exchange itself is asked: a stand-in has other rules. A market that it no longer lists has
    unknown rules. Raises ProviderError.
    """
    old = Q(rules_known_at=None) | Q(rules_known_at__lte=now - REFRESHED_AFTER)
    due = exchange.instruments.active().filter(old)
    if not due.exists():
        return 0
    told = provider_for(exchange.code).market_rules()
    for instrument in due:
        rules = asdict(told.get(instrument.symbol, MarketRules()))
        Instrument.objects.filter(pk=instrument.pk).update(**rules, rules_known_at=now)
    return len(due)
