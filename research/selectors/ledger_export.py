"""What of the ledger is public: everything under the newest head that is older than the longest tier delay."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max

from signals.engine.ledger import canonical_json
from signals.engine.ledger_head import export_line
from signals.models import LedgerEntry, LedgerHead
from signals.selectors import newest_head_before
from users.models import Tier


def longest_delay() -> timedelta:
    return timedelta(seconds=Tier.objects.aggregate(longest=Max("delay_seconds"))["longest"] or 0)


def public_head(now: datetime) -> LedgerHead | None:
    """All that it covers was appended before it was signed, so every tier has been released all of it."""
    return newest_head_before(now - longest_delay())


def public_heads(now: datetime) -> list[LedgerHead]:
    """All heads that may be shown, the newest first."""
    return list(LedgerHead.objects.filter(signed_at__lte=now - longest_delay()))


def export_lines(head: LedgerHead) -> Iterator[bytes]:
    """The export that ends at `head`, a line at a time."""
    entries = LedgerEntry.objects.filter(sequence__lte=head.size).entries()
    return (export_line(entry) + b"\n" for entry in entries)


def payloads(head: LedgerHead) -> Iterator[dict[str, Any]]:
    """What each entry under `head` records."""
    stored = LedgerEntry.objects.filter(sequence__lte=head.size).order_by("sequence")
    return (json.loads(bytes(each)) for each in stored.values_list("payload", flat=True).iterator(2000))


def head_file(head: LedgerHead) -> bytes:
    """A head as it is handed out: one line of canonical JSON."""
    return canonical_json(head.as_json()) + b"\n"
