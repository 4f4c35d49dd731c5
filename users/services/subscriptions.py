"""Subscriptions begin, are extended, change their tier and are shortened; the history says why."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pghistory
from django.db import transaction

from users.engine.subscriber import SubscriberStatus
from users.models import Subscriber, Tier


def extend_subscription(
    *, subscriber_id: int, tier: Tier, days: int, now: datetime, why: str, by: str = "Telegram"
) -> Subscriber:
    """So many days more of a tier: after the present end when it is the same, else from now on.

    It is no trial from then on, and somebody who was archived is active again.
    """
    with pghistory.context(actor=by, user=by, why=why), transaction.atomic():
        held = Subscriber.objects.select_for_update(of=("self",)).get(pk=subscriber_id)
        end = held.subscription_ends_at
        goes_on = held.tier_id == tier.pk and end is not None and end > now
        held.subscription_ends_at = (end if goes_on and end else now) + timedelta(days=days)
        held.tier, held.is_trial = tier, False
        if held.status == SubscriberStatus.ARCHIVED:
            held.status, held.archived_at = SubscriberStatus.ACTIVE.value, None
        held.save(update_fields=["subscription_ends_at", "tier", "is_trial", "status", "archived_at"])
    return held


def shorten_subscription(
    *, subscriber_id: int, days: int, now: datetime, why: str, by: str = "Telegram"
) -> None:
    """So many days less, and no less than until now. Somebody without an end keeps that."""
    with pghistory.context(actor=by, user=by, why=why), transaction.atomic():
        held = Subscriber.objects.select_for_update(of=("self",)).get(pk=subscriber_id)
        if held.subscription_ends_at is not None and held.subscription_ends_at > now:
            held.subscription_ends_at = max(now, held.subscription_ends_at - timedelta(days=days))
            held.save(update_fields=["subscription_ends_at"])


def change_tier(*, subscribers: Sequence[Subscriber], tier: Tier, by: str, why: str) -> int:
    """Move them all to a tier; how many had another. Each has its line of history."""
    changed = 0
    with pghistory.context(actor=by, user=by, why=why), transaction.atomic():
        for held in Subscriber.objects.select_for_update(of=("self",)).filter(
            pk__in=[subscriber.pk for subscriber in subscribers]
        ):
            if held.tier_id != tier.pk and held.status != SubscriberStatus.REMOVED:
                held.tier = tier
                held.save(update_fields=["tier"])
                changed += 1
    return changed
