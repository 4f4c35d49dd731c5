"""The paper broker on candles by hand: what is stepped once stays, what is missing is waited for."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from autopilot.models import Fill, Order, Position, Trade
from autopilot.selectors import cash_of
from signals.market.models import Candle
from signals.services import kill_switch
from tests.autopilot.accounts import HOUR, START, add_candle, decide, make_account, make_traded, step

pytestmark = pytest.mark.django_db
FLAT = (100, 101, 99, 100)


def test_a_stopped_trade_has_its_fees_profit_and_r() -> None:
    account, instrument = make_account(), make_traded(taker_bps=Decimal(10))
    add_candle(instrument, 0, FLAT)
    decide(account, instrument, quantity=Decimal(2), stop=Decimal(95), target=Decimal(110))
    add_candle(instrument, 1, FLAT)
    add_candle(instrument, 2, (100, 100, 94, 96))
    step(instrument, 2)
    trade = Trade.objects.get()
    # Bought at 100, sold at 95: 10 lost, fees of 0.1 % on 200 and on 190; 10 were at risk.
    assert (trade.exit_reason, trade.fees, trade.net_profit) == ("stop", Decimal("0.39"), Decimal("-10.39"))
    assert trade.r_multiple == pytest.approx(-1.039)
    assert cash_of(account) == Decimal("9989.61")


def test_a_corrected_candle_changes_no_fill() -> None:
    account, instrument = make_account(), make_traded()
    add_candle(instrument, 0, FLAT)
    decide(account, instrument)
    add_candle(instrument, 1, FLAT)
    assert step(instrument, 1) == 1
    Candle.objects.filter(open_time=START + HOUR).update(open=99.5)
    assert step(instrument, 1) == 0
    assert [fill.price for fill in Fill.objects.all()] == [100]


def test_after_a_hole_the_broker_waits_ten_minutes_for_the_missing_candle() -> None:
    account, instrument = make_account(), make_traded()
    add_candle(instrument, 0, FLAT)
    decide(account, instrument)
    add_candle(instrument, 2, FLAT)
    assert step(instrument, 2) == 0
    add_candle(instrument, 1, (98, 101, 97, 100))
    step(instrument, 2)
    assert [fill.price for fill in Fill.objects.all()] == [98]


def test_an_engaged_kill_switch_withdraws_entries_and_leaves_stops() -> None:
    account, instrument = make_account(), make_traded()
    add_candle(instrument, 0, FLAT)
    decide(account, instrument, stop=Decimal(95))
    add_candle(instrument, 1, FLAT)
    step(instrument, 1)
    waiting = decide(account, instrument, 1, level=1)
    kill_switch.engage(reason="test", by="test", now=START + 2 * HOUR)
    add_candle(instrument, 2, (100, 100, 90, 91))
    step(instrument, 2)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason_code) == ("cancelled", "kill_switch")
    assert Position.objects.get().quantity == 0
    assert Order.objects.get(purpose="stop").state == "filled"


def test_a_closed_bar_takes_as_many_queries_however_much_the_account_has_done() -> None:
    """A bar in which nothing fills, with stop and target waiting; then one that fills the stop."""
    account, instrument, other = make_account(), make_traded(), make_traded()
    levels = {"stop": Decimal(95), "target": Decimal(110)}
    for each in (instrument, other):
        add_candle(each, 0, FLAT)
        decide(account, each, **levels)

    def queries(hour: int, prices: tuple[float, ...] = FLAT) -> int:
        asked = []

        def count(execute: Any, sql: str, *rest: Any) -> Any:
            asked.append(sql)
            return execute(sql, *rest)

        add_candle(instrument, hour, prices)
        with connection.execute_wrapper(count):
            assert step(instrument, hour) == 1
        return len(asked)

    queries(1)
    quiet, stopped = queries(2), queries(3, (100, 100, 94, 96))
    assert quiet <= 20
    assert stopped <= 50
    for hour in range(4, 12, 2):
        add_candle(other, hour, FLAT)
        decide(account, instrument, hour - 1, **levels)
        queries(hour)
        queries(hour + 1, (100, 100, 94, 96))
    decide(account, instrument, 11, **levels)
    queries(12)
    assert (queries(13), queries(14, (100, 100, 94, 96))) == (quiet, stopped)
    assert Trade.objects.count() == 6
