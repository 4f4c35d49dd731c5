"""The track record is worked out once for each head, by a worker; the page only shows it."""

from datetime import datetime

from research.engine.track_record import TierRule, signals_of, track_record
from research.models import TrackRecord
from research.selectors.ledger_export import payloads, public_head
from users.models import Tier


def compile_track_record(*, now: datetime) -> TrackRecord | None:
    """The record under the newest public head by today's tiers; None when it stands already or nothing is public."""
    head = public_head(now)
    tiers = [
        TierRule(tier.code, tier.name, tier.delay_seconds, tier.experimental)
        for tier in Tier.objects.order_by("rank")
    ]
    rules = [[tier.code, tier.name, tier.delay_seconds, tier.experimental] for tier in tiers]
    if head is None or TrackRecord.objects.filter(head=head, tiers=rules).exists():
        return None
    figures = track_record(signals_of(payloads(head)), tiers)
    return TrackRecord.objects.create(head=head, tiers=rules, figures=figures, compiled_at=now)
