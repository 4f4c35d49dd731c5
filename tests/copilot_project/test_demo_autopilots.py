"""The demo's autopilots: labelled, on an account of their own, and never added beside anybody's."""

from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from autopilot.models import Instance
from copilot_project.management.commands.demo import DEMO_ACCOUNT, load_autopilots, load_instruments

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


def test_a_real_market_gets_none(settings: Settings) -> None:
    settings.SANDBOX = False
    load_instruments()
    load_autopilots(NOW)
    assert not Instance.objects.exists()
