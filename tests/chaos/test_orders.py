"""A small run of `make chaos-orders`: one executor dies at each named point, the next ones settle what it left.

The executor is a forked process that ends as by kill -9 (`signals.crash_points`). The exchange's book is the judge.
"""

import os
import traceback
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from autopilot.models import LiveOrder, Order, Position
from autopilot.services.live.intents import decide_unknown, has_no_evidence
from autopilot.services.orders import withdraw_entries
from signals import crash_points
from signals.crash_points import EXIT_STATUS, CrashPoint
from tests.autopilot.services.executor.exchange import PRICE, Hands, exchange_at_work
from tests.chaos.orders_experiment import POINTS

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def hands(tmp_path: Path, settings: Any) -> Iterator[Hands]:
    settings.LIVE_TRADING_ALLOWED = True
    settings.EXCHANGE_KEY_SECRETS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
    settings.LIVE_CALL_TIMEOUT_MS = 1000
    with exchange_at_work(tmp_path) as far:
        settings.EXCHANGE_API_URL = f"{far.url}/binance"
        far.price(PRICE)
        far.open_account()
        far.lie(split_fills=2, duplicate_fills=True, reorder_fills=True)
        yield Hands(far)


def test_a_death_at_each_point_doubles_orphans_and_forgets_nothing(hands: Hands) -> None:
    for level, point in enumerate(POINTS):
        assert dies(hands, point, level) == EXIT_STATUS, f"{point} was not reached"
        settle(hands)
    book = hands.far.book(hands.key)
    ids = Counter(each["client_id"] for each in book["orders"])
    ours = set(Order.objects.values_list("client_order_id", flat=True))
    taken = set(LiveOrder.objects.values_list("venue_order_id", flat=True))
    held = Position.objects.get().quantity
    figures = {
        "doubled": sum(count - 1 for count in ids.values()),
        "orphans": sum(
            each["client_id"] not in ours or str(each["id"]) not in taken for each in book["orders"]
        ),
        "ended_by_time": LiveOrder.objects.filter(state="decided", decided_by="").count(),
        "unequal": int(Decimal(book["balances"][hands.key]["BTC"]) != held),
    }
    assert figures == dict.fromkeys(figures, 0)
    assert held > 0
    assert len(ids) >= len(POINTS)
    assert not LiveOrder.objects.unsure().exists()


def dies(hands: Hands, point: CrashPoint, level: int) -> int:
    """The exit status of an executor that is to die there, while an entry and a waiting limit order are worked off."""
    connections.close_all()
    connections["default"].close_pool()  # a fork inherits neither its threads nor a connection
    child = os.fork()
    if child == 0:
        try:
            hands.restart()
            hands.turn()
            hands.arm()
            crash_points.arm(point.value)
            order = hands.order("0.01", level=level, key=point.value, stop=Decimal(40_000))
            assert order.is_open, order.reason_code
            hands.turn(2)
            moment = {"now": hands.now(), "reason": "chaos", "by": "chaos"}
            withdraw_entries(account=hands.account, instrument=hands.instrument, **moment)
            hands.turn(2)
        except BaseException:  # noqa: BLE001  (told, and the parent sees the status)
            traceback.print_exc()
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    hands.wait(60)
    return status


def settle(hands: Hands) -> None:
    """A new executor, and a person for what the exchange has twice known nothing of."""
    hands.restart()
    for _ in range(12):
        hands.turn(seconds=310)
        for live in LiveOrder.objects.unsure():
            if has_no_evidence(live):
                decide_unknown(live_id=live.pk, note="not in the book", by="ada", now=hands.now())
        if not LiveOrder.objects.alive().exclude(state="acked", order__purpose="stop").exists():
            break
    hands.turn()
