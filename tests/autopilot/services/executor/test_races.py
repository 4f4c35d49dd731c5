"""Sixteen threads at once: on the kill switch, on the day's limit, on the balance. None gets beyond the limit.

Three rounds of each here; `make races` does 1,000, in parts that several processes take.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from threading import Barrier, Event
from typing import Any, TypeAlias

import pytest
from django.db import connection, transaction
from django.utils import timezone

from autopilot.models import Order
from autopilot.services import standing
from signals.services import kill_switch
from tests.autopilot.accounts import add_candle, decide, make_account, make_traded

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 16
PARTS = int(os.environ.get("RACE_PARTS", "1"))
ROUNDS = int(os.environ.get("RACE_ROUNDS", "3")) // PARTS
in_parts = pytest.mark.parametrize("part", range(PARTS))
SWITCHER = 7

Together: TypeAlias = Callable[[Callable[[int], Any]], list[Any]]


@pytest.fixture(autouse=True)
def _room_for_all(transactional_db: None) -> Iterator[None]:
    """Patience: there are fewer connections than threads, and on a busy machine the last in the row waits long."""
    options = connection.settings_dict["OPTIONS"]
    pool = dict(options["pool"])
    _renew_pool(options, {**pool, "timeout": 120})
    yield
    _renew_pool(options, pool)


def _renew_pool(options: dict[str, Any], pool: dict[str, Any]) -> None:
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # Postgres's own
    options["pool"] = pool


@contextmanager
def crowd() -> Iterator[Together]:
    """Runs a work on all threads, which begin at the same moment; each gives its connection back."""
    barrier = Barrier(THREADS)

    def one(work: Callable[[int], Any], number: int) -> Any:
        barrier.wait(120)
        try:
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as threads:
        yield lambda work: list(threads.map(partial(one, work), range(THREADS)))


def open_orders() -> int:
    return Order.objects.filter(state="open").count()


def arm() -> None:
    code = kill_switch.request_rearm(reason="next round", by="ada", now=timezone.now())
    kill_switch.confirm_rearm(code=code, by="bob", now=timezone.now())


@in_parts
def test_the_days_limit_holds(part: int) -> None:
    instrument = make_traded()
    add_candle(instrument, 0, (100, 101, 99, 100))
    with crowd() as together:
        for _ in range(ROUNDS):
            account = make_account(max_trades_a_day=5)
            together(lambda number, of=account: decide(of, instrument, key=f"{number}", level=number))
            assert account.orders.open().count() == 5
            assert account.orders.count() == THREADS


@in_parts
def test_the_balance_is_spent_once(part: int) -> None:
    instrument = make_traded()
    add_candle(instrument, 0, (100, 101, 99, 100))
    quantity = Decimal(3)
    with crowd() as together:
        for _ in range(ROUNDS):
            account = make_account(cash=Decimal(1000))
            together(
                lambda number, of=account: decide(
                    of, instrument, key=f"{number}", level=number, quantity=quantity
                )
            )
            assert account.orders.open().count() == 3
            assert set(account.orders.exclude(state="open").values_list("reason_code", flat=True)) == {
                "insufficient_funds"
            }


def switch_race(together: Together, instrument: Any) -> tuple[int, int]:
    """Open orders when the switch's row was changed but not yet committed, and when all threads were done.

    Each thread places on an account of its own, so that nothing but the switch holds one back. From the change of
    the row to its commit, and after it, no order may be committed open: both counts are the same.
    """
    accounts = [make_account() for _ in range(THREADS)]
    placed, engaged = Event(), Event()

    def place(number: int) -> None:
        last = False
        for level in range(100):
            decide(accounts[number], instrument, key=f"{number}", level=level)
            connection.close()  # whoever waits for one is next
            placed.set()
            if last:
                return
            last = engaged.is_set()  # once more, so that each thread meets the switch

    def switch() -> int:
        placed.wait(120)  # in the middle of it all
        try:
            with transaction.atomic():
                kill_switch.engage(reason="race", by="test", now=timezone.now())
                counted = open_orders()
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_sleep(0.05)")
        finally:
            engaged.set()
        return counted

    def work(number: int) -> int | None:
        if number == SWITCHER:
            return switch()
        place(number)
        return None

    (counted,) = [each for each in together(work) if each is not None]
    return counted, open_orders()


@pytest.mark.slow
@in_parts
def test_nothing_is_placed_after_the_kill_switch_was_engaged(part: int) -> None:
    instrument = make_traded()
    add_candle(instrument, 0, (100, 101, 99, 100))
    with crowd() as together:
        for _ in range(ROUNDS):
            at_the_switch, afterwards = switch_race(together, instrument)
            assert (at_the_switch, at_the_switch > 0) == (afterwards, True)
            arm()
    assert Order.objects.filter(reason_code="kill_switch").exists()


def test_the_race_would_be_lost_by_whoever_only_reads_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the lock on the row orders slip in between its change and its commit: the count above sees them."""
    instrument = make_traded()
    add_candle(instrument, 0, (100, 101, 99, 100))
    allowed = standing.exposure_allowed
    monkeypatch.setattr(standing, "exposure_allowed", lambda **held: allowed(hold=False))
    with crowd() as together:
        for _ in range(10):
            at_the_switch, afterwards = switch_race(together, instrument)
            if afterwards > at_the_switch:
                return
            arm()
    pytest.fail("no order slipped in: the race proves nothing")
