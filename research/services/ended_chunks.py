"""Ended signals are packed into blocks, and packed again where an answer or a later entry came since."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max

from notifications.models import Feedback
from research.engine.ended_signals import EndedSignals, joined, packed
from research.models import EndedChunk
from research.selectors.ended_signals import ended_rows
from research.services.late_entries import late_entries
from signals.models import SignalOutcome
from users.models import Tier

ROWS = 10_000
CHUNKS_A_RUN = 30
LOOK_BACK = timedelta(minutes=1)  # an answer is stamped before it is committed
OPEN_FOR = timedelta(days=60)  # a later entry that has not ended by then is waited for no longer


def pack_ended_signals(*, now: datetime) -> int:
    """Bring the blocks up to date; how many were written. A run that dies is made good by the next."""
    delays = sorted(set(Tier.objects.filter(delay_seconds__gt=0).values_list("delay_seconds", flat=True)))
    chunks = list(EndedChunk.objects.defer("data").order_by("first_sequence"))
    answered = _answered([each.checked_at for each in chunks])
    stale = [each for each in chunks if _is_stale(each, delays, answered, now)]
    written = reached = 0
    for chunk in stale[:CHUNKS_A_RUN]:
        if chunk.first_sequence <= reached:  # a block with room took it up
            continue
        until = chunk.last_sequence if chunk.count >= ROWS else None
        reached = _pack(chunk.first_sequence - 1, until, delays, now)
        written += 1
    while written < CHUNKS_A_RUN:
        newest = EndedChunk.objects.aggregate(newest=Max("last_sequence"))["newest"] or 0
        if not _pack(newest, None, delays, now):
            break
        written += 1
    if len(stale) <= CHUNKS_A_RUN:
        EndedChunk.objects.update(checked_at=now)
    return written


def _answered(checked: list[datetime]) -> list[int]:
    """Sequences of the outcomes of signals that were answered since the blocks were looked at."""
    if not checked:
        return []
    found = Feedback.objects.filter(answered_at__gt=min(checked) - LOOK_BACK)
    signals = found.values_list("delivery__signal_id", flat=True).distinct()
    outcomes = SignalOutcome.objects.filter(signal__in=list(signals))
    return list(outcomes.values_list("ledger_entry_id", flat=True))


def _is_stale(chunk: EndedChunk, delays: list[int], answered: list[int], now: datetime) -> bool:
    if chunk.delays != delays:
        return True
    if any(chunk.first_sequence <= each <= chunk.last_sequence for each in answered):
        return True
    if chunk.count < ROWS:
        newer = SignalOutcome.objects.filter(ledger_entry__gt=chunk.last_sequence)
        return not chunk.is_settled or newer.exists()
    return not chunk.is_settled and now - chunk.last_exited_at < OPEN_FOR


@transaction.atomic
def _pack(after: int, until: int | None, delays: list[int], now: datetime) -> int:
    """One block of the outcomes after a sequence; the last one in it, 0 where there are none."""
    limits = {"limit": ROWS} if until is None else {"until": until}
    found, sequences = ended_rows(after=after, **limits)
    if not sequences:
        return 0
    outcomes = {
        each.signal_id: each
        for each in SignalOutcome.objects.filter(
            ledger_entry__gte=sequences[0], ledger_entry__lte=sequences[-1]
        ).select_related("signal__instrument__exchange")
    }
    in_order = [outcomes[int(signal)] for signal in found.rows["signal"]]
    late = {delay: late_entries(in_order, delay) for delay in delays}
    block = joined([EndedSignals(found.rows, found.names, late)], delays)
    ends = [each.exited_at for each in in_order]
    EndedChunk.objects.filter(first_sequence__gt=after, first_sequence__lte=sequences[-1]).delete()
    EndedChunk.objects.create(
        first_sequence=sequences[0],
        last_sequence=sequences[-1],
        count=len(sequences),
        first_exited_at=min(ends),
        last_exited_at=max(ends),
        names=block.names,
        delays=delays,
        data=packed(block),
        is_settled=not any(each["open"].any() for each in late.values()),
        packed_at=now,
        checked_at=now,
    )
    return sequences[-1]
