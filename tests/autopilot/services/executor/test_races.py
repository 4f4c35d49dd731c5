"""Sixteen threads at once: on the kill switch, on the day's limit, on the balance. None gets beyond the limit."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from autopilot.models import Account, Order
from signals.models import KillSwitchChange
from signals.services import kill_switch
from tests.autopilot.accounts import START, add_candle, decide, make_account, make_traded

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 16


def together(work: Callable[[int], Any]) -> list[Any]:
    barrier = Barrier(THREADS)

    def one(number: int) -> Any:
        try:
            barrier.wait(30)
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(one, range(THREADS)))


def entries(account: Account, instruments: list[Any], number: int, **values: Any) -> list[Order]:
    return [decide(account, each, key=f"{number}", level=number, **values) for each in instruments]


def placed(account: Account) -> int:
    return account.orders.open().count()


def test_the_days_limit_holds() -> None:
    account, instrument = make_account(max_trades_a_day=5), make_traded()
    add_candle(instrument, 0, (100, 101, 99, 100))
    together(lambda number: entries(account, [instrument], number))
    assert (placed(account), Order.objects.count()) == (5, THREADS)


def test_the_balance_is_spent_once() -> None:
    account, instrument = make_account(cash=Decimal(1000)), make_traded()
    add_candle(instrument, 0, (100, 101, 99, 100))
    together(lambda number: entries(account, [instrument], number, quantity=Decimal(3)))
    assert placed(account) == 3


def test_nothing_is_placed_after_the_kill_switch_was_engaged() -> None:
    account, instrument = make_account(), make_traded()
    add_candle(instrument, 0, (100, 101, 99, 100))

    def work(number: int) -> None:
        if number == 7:
            kill_switch.engage(reason="race", by="test", now=START + timedelta(hours=1))
        else:
            entries(account, [instrument], number)

    together(work)
    engaged = KillSwitchChange.objects.get(event="engaged")
    with connection.cursor() as cursor:
        # Of each open order, the moment of its commit cannot be later than the switch's: both lock its row.
        cursor.execute("SELECT count(*) FROM autopilot_order WHERE state = 'open'")
        before = cursor.fetchone()[0]
    entries(account, [instrument], 99)
    assert engaged
    assert placed(account) == before
    assert Order.objects.filter(reason_code="kill_switch").exists()
