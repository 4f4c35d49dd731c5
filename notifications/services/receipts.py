"""Receipts: proof that a signal stands in the signed ledger, for those who may see it and nothing beyond."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from signals.engine.ledger_head import receipt
from signals.models import LedgerHead, Signal, SignalOutcome
from signals.selectors import leaf_hashes
from users.models import Tier


def receipt_for(*, signal_public_id: UUID, tier: Tier | None, now: datetime) -> dict[str, Any] | None:
    """The receipt of a signal, as somebody of `tier` may have it at `now`; None while there is none. No tier: staff.

    It comes from the first head that was signed after the tier's release of the signal, and not before everything
    that this head counts has been released to the tier as well: so it tells neither the content nor the number of
    signals that are still held back. A signal that the tier never gets (experimental, or expired before its release)
    has no receipt for it. Written as canonical JSON (`signals.engine.ledger.canonical_json`) it is checked by
    `verify_ledger.py --receipt FILE --key PUBLIC_KEY`. That the signal was delivered to one subscriber is not asked
    here: callers choose it from `visible_to`.
    """
    signal = Signal.objects.select_related("ledger_entry").filter(public_id=signal_public_id).first()
    if signal is None or not is_released(signal, tier, now):
        return None
    head = first_head(signal, tier, now)
    if head is None or not all_released(head, tier, now):
        return None
    return receipt_under(head, signal)


def public_receipt(*, signal_public_id: UUID, head: LedgerHead) -> dict[str, Any] | None:
    """What anybody may have of a signal that a public `head` counts; None for any other."""
    counted = Signal.objects.select_related("ledger_entry").filter(ledger_entry_id__lte=head.size)
    signal = counted.filter(public_id=signal_public_id).first()
    return receipt_under(head, signal) if signal else None


def receipt_under(head: LedgerHead, signal: Signal) -> dict[str, Any]:
    return receipt(
        payload=json.loads(bytes(signal.ledger_entry.payload)),
        salt=bytes(signal.ledger_entry.salt),
        index=signal.sequence - 1,
        leaves=leaf_hashes(size=head.size),
        head=head.as_json(),
    )


def is_released(signal: Signal, tier: Tier | None, now: datetime) -> bool:
    """Whether the tier gets this signal at all, and has got it by `now`."""
    released_at = signal.published_at + delay_of(tier)
    return (
        released_at <= now
        and (tier is None or released_at < signal.expires_at)
        and (tier is None or tier.experimental or not signal.experimental)
    )


def first_head(signal: Signal, tier: Tier | None, now: datetime) -> LedgerHead | None:
    """The first that was signed when the tier had the signal."""
    heads = LedgerHead.objects.filter(
        signed_at__range=(signal.published_at + delay_of(tier), now), size__gte=signal.sequence
    )
    return heads.order_by("id").first()


def all_released(head: LedgerHead, tier: Tier | None, now: datetime) -> bool:
    """Whether nothing that the head counts is younger than the tier's delay."""
    counted = {"ledger_entry_id__lte": head.size}
    held_back_since = now - delay_of(tier)
    return not (
        Signal.objects.filter(**counted, published_at__gt=held_back_since).exists()
        or SignalOutcome.objects.filter(**counted, recorded_at__gt=held_back_since).exists()
    )


def delay_of(tier: Tier | None) -> timedelta:
    return timedelta(seconds=tier.delay_seconds if tier else 0)
