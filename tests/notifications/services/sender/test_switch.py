"""The kill switch as the sender obeys it. The sandbox's journal is the judge."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connections
from django.utils import timezone
from psycopg import AsyncConnection

from notifications.models import Delivery, SenderLease
from notifications.services.fan_out import fan_out
from notifications.services.sender import claiming, switch
from notifications.services.sender.conninfo import conninfo
from notifications.services.sender.lease import Lease
from notifications.services.sender.loop import beside
from notifications.services.sender.switch import SwitchReader
from signals.models import Heartbeat, KillSwitch
from signals.services.kill_switch import confirm_rearm, engage, request_rearm
from tests.notifications.rows import (
    Controls,
    make_signal,
    make_subscriber,
    make_tier,
    send_until,
    sender_process,
    wait_for,
)

pytestmark = pytest.mark.django_db(transaction=True)


def stop() -> None:
    engage(reason="test", by="test", now=timezone.now())


def rearm() -> None:
    now = timezone.now()
    confirm_rearm(code=request_rearm(reason="over", by="test", now=now), by="test", now=now)


def elsewhere(change: Callable[[], None]) -> None:
    """In a thread of its own, whose connection must not outlive it."""
    try:
        change()
    finally:
        connections.close_all()


def sent_count() -> int:
    return Delivery.objects.filter(state="sent").count()


def test_running_sender_stops_when_the_switch_engages_and_goes_on_when_it_is_armed(
    telegram: Controls, process_env: dict[str, str]
) -> None:
    subscriber = make_subscriber(tier=make_tier(max_sessions=None))
    telegram.open_chats(subscriber)
    with sender_process(process_env, telegram.url) as sender:
        fan_out(signal=make_signal())
        wait_for(lambda: sent_count() == 1)
        stop()
        fan_out(signal=make_signal())
        told = Heartbeat.objects.filter(name="sender", detail="sending stopped")
        wait_for(told.exists)
        first = told.get().beat_at
        wait_for(told.filter(beat_at__gt=first).exists)
        assert len(telegram.sent()) == 1
        rearm()
        wait_for(lambda: sent_count() == 2)
        assert sender.poll() is None
    assert len(telegram.sent()) == 2
    assert not Delivery.objects.exclude(attempts=1).exists()


def test_reading_is_good_for_less_than_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, instant = SwitchReader("", asyncio.Event()), 1000.0
    monkeypatch.setattr(switch, "suspend_aware_clock", lambda: instant)
    reader._armed_at = instant
    assert reader.lets_send()
    instant += 0.5
    assert reader.lets_send()
    instant += 0.49
    assert not reader.lets_send()


def test_switch_engaged_before_the_start_holds(telegram: Controls) -> None:
    make_subscriber(tier=make_tier(max_sessions=None))
    fan_out(signal=make_signal())
    stop()
    told = "SELECT EXISTS (SELECT FROM signals_heartbeat WHERE detail = 'sending stopped')"
    send_until(telegram.url, told)
    assert telegram.sent() == []
    assert Delivery.objects.values_list("state", "attempts").get() == ("pending", 0)


def test_claim_finds_nothing_while_the_switch_is_engaged() -> None:
    make_subscriber()
    fan_out(signal=make_signal())

    async def claimed() -> int:
        async with await AsyncConnection.connect(conninfo(), autocommit=True) as connection:
            lease = Lease(60)
            await lease.take(connection)
            return len(await claiming.claim(connection, limit=1, busy=[], lease=lease))

    stop()
    assert asyncio.run(claimed()) == 0
    rearm()
    SenderLease.objects.update(lapses_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert asyncio.run(claimed()) == 1


async def waits_for(reader: SwitchReader, answer: bool) -> None:
    async with asyncio.timeout(60):
        while reader.lets_send() is not answer:
            await asyncio.sleep(0.02)


def test_reader_follows_each_change_and_wakes_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    # The clock stands still: no reading grows old, so that only changes wake the loop.
    monkeypatch.setattr(switch, "suspend_aware_clock", lambda: 1000.0)

    async def play() -> None:
        wake = asyncio.Event()
        reader = SwitchReader(conninfo(), wake)
        assert not reader.lets_send()
        async with beside(reader.follow()):
            await waits_for(reader, True)
            assert wake.is_set()
            wake.clear()
            await asyncio.to_thread(elsewhere, stop)
            await waits_for(reader, False)
            assert not wake.is_set()
            await asyncio.to_thread(elsewhere, rearm)
            await waits_for(reader, True)
            assert wake.is_set()

    asyncio.run(play())


def test_switch_that_cannot_be_read_is_engaged_until_it_can() -> None:
    """The table is locked, so that the read hangs as with a database that no longer answers."""

    async def play() -> None:
        reader = SwitchReader(conninfo(), asyncio.Event())
        async with beside(reader.follow()), await AsyncConnection.connect(conninfo()) as locker:
            await waits_for(reader, True)
            await locker.execute("LOCK TABLE signals_killswitch IN ACCESS EXCLUSIVE MODE")
            await waits_for(reader, False)
            await locker.rollback()
            await waits_for(reader, True)

    asyncio.run(play())


def test_row_that_is_gone_is_engaged() -> None:
    async def play() -> None:
        reader = SwitchReader(conninfo(), asyncio.Event())
        async with beside(reader.follow()), await AsyncConnection.connect(conninfo()) as owner:
            await waits_for(reader, True)
            await owner.execute("SET LOCAL session_replication_role = replica")
            await owner.execute("DELETE FROM signals_killswitch")
            await owner.commit()
            await waits_for(reader, False)

    asyncio.run(play())
    assert not KillSwitch.objects.exists()
