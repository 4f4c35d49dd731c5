"""Settings with which a subscriber would never be sent a signal, however many are published."""

from datetime import datetime, timedelta

from signals.engine.horizon import VALIDITY_BARS
from signals.engine.timeframe import BASE_TIMEFRAME
from users.models import Subscriber

LONGEST_VALIDITY = timedelta(seconds=VALIDITY_BARS * BASE_TIMEFRAME.seconds)


def starvation(subscriber: Subscriber, *, now: datetime) -> list[str]:
    """Why no signal can ever pass, each in words to be read after "never gets a signal:"; empty where one can."""
    tier, wish = subscriber.tier, getattr(subscriber, "preference", None)
    reasons = []
    if subscriber.account_type not in tier.account_types:
        open_to = " and ".join(tier.account_types) or "no"
        reasons.append(f"{tier} is open to {open_to} accounts, this one is {subscriber.account_type}")
    if tier.max_sessions == 0:
        reasons.append(f"{tier} has no trading session")
    elif tier.max_sessions is not None and not (wish and wish.sessions):
        reasons.append(f"no trading session is chosen; {tier} has {session_count(tier.max_sessions)}")
    if timedelta(seconds=tier.delay_seconds) >= LONGEST_VALIDITY:
        reasons.append(f"signals expire before the delay of {tier} is over")
    chosen = list(wish.instruments.all()) if wish and wish.pk else []
    if chosen and not any(instrument.is_active for instrument in chosen):
        reasons.append("none of the chosen instruments is active")
    if subscriber.has_ended(now):
        reasons.append(f"the subscription ended on {subscriber.subscription_ends_at:%Y-%m-%d}")
    return reasons


def session_count(number: int) -> str:
    return "1 session" if number == 1 else f"{number} sessions"
