"""A closed candle wakes the paper broker; a lost wake-up is the sweeper's."""

from datetime import datetime

import pytest

from autopilot import tasks
from autopilot.models import Fill, Position
from signals.engine.timeframe import Timeframe
from signals.market.events import candles_closed
from signals.market.models import Instrument
from tests.autopilot.accounts import HOUR, START, add_candle, decide, make_account, make_traded

pytestmark = pytest.mark.django_db


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str, str]]:
    """What a worker would have been asked for."""
    asked: list[tuple[int, str, str]] = []
    monkeypatch.setattr(tasks.fill_paper_orders, "delay", lambda *args: asked.append(args))
    return asked


def test_a_closed_candle_wakes_the_broker_only_where_something_waits(woken: list) -> None:
    account, waiting, idle = make_account(), make_traded(), make_traded()
    for hour in range(2):
        add_candle(waiting, hour, (100, 101, 99, 100))
    decide(account, waiting)
    as_of = START + 2 * HOUR

    def closes(instrument: Instrument) -> None:
        candles_closed.send(
            None, instrument_id=instrument.pk, timeframe=Timeframe.H4, open_times=[START], as_of=as_of
        )

    closes(waiting)  # its order waits for hours
    assert woken == []
    Position.objects.update(timeframe="4h")
    closes(idle)
    assert woken == []
    closes(waiting)
    assert woken == [(waiting.pk, "4h", as_of.isoformat())]
    Position.objects.update(timeframe="1h")
    tasks.fill_paper_orders(waiting.pk, "1h", as_of.isoformat())
    assert Fill.objects.count() == 1


def test_the_sweeper_fills_what_no_candle_woke(monkeypatch: pytest.MonkeyPatch) -> None:
    account, instrument = make_account(), make_traded()
    for hour in range(3):
        add_candle(instrument, hour, (100, 101, 99, 100))
    decide(account, instrument)

    def clock(exchange_code: str) -> datetime:
        assert exchange_code == "binance"
        return START + 2 * HOUR

    monkeypatch.setattr(tasks, "exchange_time", clock)
    tasks.sweep_paper_orders()
    tasks.sweep_paper_orders()
    assert [fill.candle_open_time for fill in Fill.objects.all()] == [START + HOUR]
