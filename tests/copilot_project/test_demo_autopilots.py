"""The demo's autopilots: labelled, on an account of their own, and never added beside anybody's."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django import Settings

from autopilot.engine.cycle import Mode
from autopilot.models import Instance
from autopilot.services.firing import firing_of
from copilot_project.management.commands.demo import DEMO, DEMO_ACCOUNT, load_autopilots, load_instruments
from copilot_project.weekly_demo import WEEKLY_SYMBOL, start_weekly_autopilot
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.models import Job
from tests.autopilot.accounts import make_account
from tests.autopilot.market_rows import END, store, walk

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 4, tzinfo=UTC)


def test_three_labelled_autopilots_are_added_once_in_the_sandbox(settings: Settings) -> None:
    settings.SANDBOX = True
    load_instruments()
    load_autopilots(NOW)
    load_autopilots(NOW)

    rows = list(Instance.objects.select_related("account"))
    assert len(rows) == 3
    assert {(row.timeframe, row.experimental, row.account.name) for row in rows} == {
        ("1m", True, DEMO_ACCOUNT)
    }
    assert all(row.label for row in rows)
    assert Job.objects.get().kind == "start_weekly_demo"


def test_the_fourth_gets_the_weekly_threshold_once_its_candles_are_there(settings: Settings) -> None:
    settings.SANDBOX = True
    load_instruments()
    given: dict[str, Any] = {"account": make_account(), "by": DEMO, "now": END}
    assert start_weekly_autopilot(**given) is None
    store(Instrument.objects.get(symbol=WEEKLY_SYMBOL), walk())

    started = start_weekly_autopilot(**given)

    assert started is not None
    found = firing_of(instrument=started.instrument, timeframe=Timeframe.H1, mode=Mode.PATTERN, as_of=END)
    assert found is not None
    assert 0 < started.min_confidence_threshold == found.weekly
    assert "one signal a week" in started.label
    assert started.auto_execute


def test_a_real_market_gets_none(settings: Settings) -> None:
    settings.SANDBOX = False
    load_instruments()
    load_autopilots(NOW)
    assert not Instance.objects.exists()
