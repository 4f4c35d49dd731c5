"""Signs of life, and slots of the schedule that run once however often they are asked for."""

from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, transaction

from signals.models import Heartbeat, ScheduledSlot

KEEP_SLOTS = timedelta(days=7)
WORKER_EVERY_SECONDS = 10
# Whose worker is whose sign of life; a queue that is not named is the worker's.
TRAINING_QUEUES = ("training", "research")
WORKER_OFTEN_ENOUGH = timedelta(seconds=WORKER_EVERY_SECONDS / 2)


def record_heartbeat(*, name: str, expected_every_seconds: int, now: datetime, detail: str = "") -> None:
    Heartbeat.objects.update_or_create(
        name=name,
        defaults={"beat_at": now, "expected_every_seconds": expected_every_seconds, "detail": detail},
    )


def show_worker_alive(*, now: datetime, queue: str = "") -> None:
    """A worker's sign of life, by whatever it does: beat's task for it may have to wait behind long ones."""
    name = "training-worker" if queue in TRAINING_QUEUES else "worker"
    if not Heartbeat.objects.filter(name=name, beat_at__gt=now - WORKER_OFTEN_ENOUGH).exists():
        record_heartbeat(name=name, expected_every_seconds=WORKER_EVERY_SECONDS, now=now)


def claim_slot(*, name: str, period_seconds: int, redelivered: bool, now: datetime) -> ScheduledSlot | None:
    """The slot that `now` falls into, or None when it has run or is running.

    A redelivered message means that the worker which held the slot died: an unfinished slot runs again.
    """
    slot = datetime.fromtimestamp(now.timestamp() // period_seconds * period_seconds, tz=UTC)
    try:
        with transaction.atomic():
            return ScheduledSlot.objects.create(name=name, slot=slot, started_at=now)
    except IntegrityError:
        if not redelivered:
            return None
        return ScheduledSlot.objects.filter(name=name, slot=slot, finished_at=None).first()


def finish_slot(*, slot: ScheduledSlot, period_seconds: int, now: datetime) -> None:
    ScheduledSlot.objects.filter(pk=slot.pk).update(finished_at=now)
    record_heartbeat(name=slot.name, expected_every_seconds=period_seconds, now=now)


def forget_old_slots(*, now: datetime) -> int:
    """Delete slots that nobody will ask about again; return how many."""
    deleted, _ = ScheduledSlot.objects.filter(slot__lt=now - KEEP_SLOTS).delete()
    return deleted
