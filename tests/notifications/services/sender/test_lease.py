"""Leadership: who holds it, who is fenced out, and that a sender which slept sends nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from signal import SIGCONT, SIGSTOP, SIGTERM
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from psycopg import AsyncConnection

from copilot_project.sandbox.config import DEFAULT_TOKEN
from notifications.clients.telegram import TelegramClient
from notifications.models import Delivery, SenderLease
from notifications.services.fan_out import fan_out
from notifications.services.sender import claiming, settling
from notifications.services.sender.conninfo import conninfo
from notifications.services.sender.in_flight import now
from notifications.services.sender.lease import Lease, LeaseLostError, suspend_aware_clock
from notifications.services.sender.loop import Sender, SenderOptions
from notifications.services.sender.pace import Pace
from notifications.services.sender.transition import Attempt, after_doubt
from tests.notifications.rows import (
    Controls,
    make_signal,
    make_subscriber,
    make_tier,
    sender_process,
    wait_for,
)
from users.models import Subscriber

pytestmark = pytest.mark.django_db(transaction=True)

LONG = 60.0
Connected = Callable[[AsyncConnection[Any]], Awaitable[None]]


def connected(play: Connected) -> None:
    async def run() -> None:
        async with await AsyncConnection.connect(conninfo(), autocommit=True) as connection:
            await play(connection)

    asyncio.run(run())


async def let_lapse(connection: AsyncConnection[Any]) -> None:
    await connection.execute("UPDATE notifications_senderlease SET lapses_at = clock_timestamp()")


def deliveries(number: int = 1) -> None:
    tier = make_tier(max_sessions=None)
    for _ in range(number):
        make_subscriber(tier=tier)
    fan_out(signal=make_signal())


def test_lease_has_one_holder_until_it_lapses_and_the_next_gets_a_greater_token() -> None:
    async def play(connection: AsyncConnection[Any]) -> None:
        first, second = Lease(LONG), Lease(LONG)
        assert await first.take(connection)
        assert not await second.take(connection)
        await first.renew(connection)
        assert not await second.take(connection)
        await let_lapse(connection)
        assert await second.take(connection)
        assert second.token > first.token
        assert not await first.take(connection)
        with pytest.raises(LeaseLostError):
            await first.renew(connection)

    connected(play)


def test_lease_that_lapsed_while_nobody_else_came_is_renewed_under_its_token() -> None:
    async def play(connection: AsyncConnection[Any]) -> None:
        lease = Lease(LONG)
        await lease.take(connection)
        await let_lapse(connection)
        before = lease.token
        await lease.renew(connection)
        assert lease.token == before

    connected(play)


def test_lease_that_another_held_in_between_is_lost_even_if_it_is_free_again() -> None:
    async def play(connection: AsyncConnection[Any]) -> None:
        first, second = Lease(LONG), Lease(LONG)
        await first.take(connection)
        await let_lapse(connection)
        await second.take(connection)
        await second.give_up(connection)
        with pytest.raises(LeaseLostError):
            await first.renew(connection)
        assert not first.covers(suspend_aware_clock())

    connected(play)


def test_lease_that_was_given_up_is_free_at_once() -> None:
    async def play(connection: AsyncConnection[Any]) -> None:
        first, second = Lease(LONG), Lease(LONG)
        await first.take(connection)
        await first.give_up(connection)
        assert not first.covers(suspend_aware_clock())
        assert await second.take(connection)

    connected(play)


def test_lapsed_and_overtaken_senders_claim_nothing() -> None:
    deliveries()

    async def play(connection: AsyncConnection[Any]) -> None:
        first, second = Lease(LONG), Lease(LONG)
        await first.take(connection)
        await let_lapse(connection)
        assert await claiming.claim(connection, limit=9, busy=[], lease=first) == []
        await second.take(connection)
        assert await claiming.claim(connection, limit=9, busy=[], lease=first) == []
        assert len(await claiming.claim(connection, limit=9, busy=[], lease=second)) == 1

    connected(play)


def test_overtaken_sender_settles_nothing() -> None:
    deliveries(2)

    async def play(connection: AsyncConnection[Any]) -> None:
        first, second = Lease(LONG), Lease(LONG)
        await first.take(connection)
        sent, failed = await claiming.claim(connection, limit=9, busy=[], lease=first)
        await let_lapse(connection)
        await second.take(connection)
        doubt = after_doubt("?", Attempt())
        assert not await settling.record_sent(connection, answered=[(sent, settling.Sent(1))])
        assert not await settling.record_failure(connection, row=failed, transition=doubt)

    connected(play)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sending"}


def test_token_never_shrinks_and_the_row_never_goes() -> None:
    SenderLease.objects.create(holder="a", fencing_token=7, lapses_at="2026-01-01T00:00:00Z")
    for change in (lambda: SenderLease.objects.update(fencing_token=6), SenderLease.objects.all().delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    assert SenderLease.objects.get().fencing_token == 7


@pytest.mark.parametrize("stale", ["claim", "lease", "switch", "pause", "expiry", None])
def test_row_that_may_not_be_sent_any_more_when_the_call_is_made_is_put_back_unsent(
    telegram: Controls, stale: str | None
) -> None:
    """As when the process was stopped between the claim and the call, or the kill switch engaged there."""
    deliveries()
    telegram.open_chats(Subscriber.objects.get())

    async def play(connection: AsyncConnection[Any]) -> None:
        async with TelegramClient(token=DEFAULT_TOKEN, api_url=telegram.url) as client:
            sender = Sender(client, SenderOptions(conninfo(), LONG), Pace())
            lease = sender._lease
            await lease.take(connection)
            (row,) = await claiming.claim(connection, limit=9, busy=[], lease=lease)
            claimed_at = sender._switch._armed_at = suspend_aware_clock()
            if stale == "claim":
                claimed_at -= LONG
            elif stale == "lease":
                lease._taken_at -= LONG
            elif stale == "switch":
                sender._switch._armed_at -= 1.0
            elif stale == "pause":
                sender._pace.silence(now() + 3600)
            elif stale == "expiry":
                claimed_at -= 5
                row = replace(row, seconds_left=5.0)
            async with sender._pool:
                await sender._in_flight.send(row, claimed_at)

    connected(play)
    row = Delivery.objects.get()
    assert len(telegram.sent()) == (stale is None)
    assert (row.state, row.attempts) == (("pending", 0) if stale else ("sent", 1))
    assert (row.is_repeat, row.lease_until) == (False, None)


def test_sender_is_silent_as_soon_as_it_has_read_a_429(telegram: Controls) -> None:
    """Before the pause is a row: what is claimed already must not follow."""
    deliveries()
    telegram.open_chats(Subscriber.objects.get())
    telegram.fault("429", retry_after=3600)

    async def play(connection: AsyncConnection[Any]) -> None:
        async with TelegramClient(token=DEFAULT_TOKEN, api_url=telegram.url) as client:
            sender = Sender(client, SenderOptions(conninfo(), LONG), Pace())
            await sender._lease.take(connection)
            (row,) = await claiming.claim(connection, limit=9, busy=[], lease=sender._lease)
            sender._switch._armed_at = suspend_aware_clock()
            before = now()
            async with sender._pool:
                await sender._in_flight.send(row, suspend_aware_clock())
            assert sender._pace.allowance(before + 3600) == 0
            assert sender._pace.allowance(now() + 3601) > 0

    connected(play)
    assert telegram.sent() == []


def test_stopped_sender_is_replaced_and_sends_nothing_when_it_wakes(
    telegram: Controls, process_env: dict[str, str]
) -> None:
    tier = make_tier(max_sessions=None)
    people = [make_subscriber(tier=tier) for _ in range(4)]
    telegram.open_chats(*people)
    with (
        sender_process(process_env, telegram.url, "--lease-seconds", "10") as first,
        sender_process(process_env, telegram.url, "--lease-seconds", "10") as second,
    ):
        wait_for(SenderLease.objects.exists)
        lease = SenderLease.objects.get()
        processes = {process.pid: process for process in (first, second)}
        leading = processes.pop(int(lease.holder.rpartition(" ")[2]))
        (waiting,) = processes.values()
        leading.send_signal(SIGSTOP)
        fan_out(signal=make_signal())
        wait_for(lambda: Delivery.objects.filter(state="sent").count() == 4)
        assert SenderLease.objects.get().fencing_token > lease.fencing_token

        leading.send_signal(SIGCONT)
        fan_out(signal=make_signal())
        wait_for(lambda: Delivery.objects.filter(state="sent").count() == 8)
        waiting.send_signal(SIGTERM)
        assert waiting.wait(120) == 0

        fan_out(signal=make_signal())
        wait_for(lambda: Delivery.objects.filter(state="sent").count() == 12)
        assert leading.poll() is None
    buttons = [record["reply_markup"]["inline_keyboard"][0][0]["callback_data"] for record in telegram.sent()]
    assert len(buttons) == len(set(buttons)) == 12
