"""Keeping what the exchange demands of an order: steps and minima."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from signals.engine.cost_rates import MarketType
from signals.market.models import Exchange, Instrument
from signals.market.providers import MarketRules, provider_for

REFRESHED_AFTER = timedelta(days=1)


def refresh_rules(*, exchange: Exchange, now: datetime) -> int:
    """Ask the exchange once for all active instruments whose rules are a day old; how many were written.

    Only the exchange itself is asked: a stand-in has other rules. A market that it no longer lists has
    unknown rules. A swap becomes perpetual; spot or margin is the admin's choice. Raises ProviderError.
    """
    old = Q(rules_known_at=None) | Q(rules_known_at__lte=now - REFRESHED_AFTER)
    due = exchange.instruments.active().filter(old)
    if not due.exists():
        return 0
    told = provider_for(exchange.code).market_rules()
    for instrument in due:
        rules: dict[str, Any] = asdict(told.get(instrument.symbol, MarketRules()))
        if rules.pop("is_perpetual"):
            rules["market_type"] = MarketType.PERPETUAL.value
        Instrument.objects.filter(pk=instrument.pk).update(**rules, rules_known_at=now)
    return len(due)
