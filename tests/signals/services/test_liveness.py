"""A slot runs once; a dead worker's slot runs again."""

from datetime import UTC, datetime, timedelta

import pytest

from signals.models import Heartbeat, ScheduledSlot
from signals.services import liveness

NOW = datetime(2026, 3, 1, 12, 0, 40, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def claim(*, redelivered: bool = False, now: datetime = NOW) -> ScheduledSlot | None:
    return liveness.claim_slot(name="sync(1h)", period_seconds=30, redelivered=redelivered, now=now)


def test_a_slot_is_the_moment_rounded_down_to_its_period() -> None:
    slot = claim()

    assert slot is not None
    assert slot.slot == datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)


def test_a_second_beat_in_the_same_slot_runs_nothing() -> None:
    claim()

    assert claim(now=NOW + timedelta(seconds=10)) is None
    assert claim(now=NOW + timedelta(seconds=20)) is not None


def test_a_redelivered_message_runs_an_unfinished_slot_again_but_not_a_finished_one() -> None:
    first = claim()
    assert first is not None

    assert claim(redelivered=True) == first
    liveness.finish_slot(slot=first, period_seconds=30, now=NOW)
    assert claim(redelivered=True) is None


def test_finishing_a_slot_leaves_a_heartbeat() -> None:
    slot = claim()
    assert slot is not None

    liveness.finish_slot(slot=slot, period_seconds=30, now=NOW)

    heartbeat = Heartbeat.objects.get(name="sync(1h)")
    assert (heartbeat.beat_at, heartbeat.expected_every_seconds) == (NOW, 30)


def test_worker_shows_life_at_most_every_five_seconds() -> None:
    for seconds in (0, 4, 6):
        liveness.show_worker_alive(now=NOW + timedelta(seconds=seconds))
        expected = NOW + timedelta(seconds=6 if seconds == 6 else 0)
        assert Heartbeat.objects.get(name="worker").beat_at == expected


def test_slots_older_than_a_week_are_forgotten() -> None:
    claim(now=NOW - timedelta(days=8))
    claim()

    assert liveness.forget_old_slots(now=NOW) == 1
    assert ScheduledSlot.objects.count() == 1
