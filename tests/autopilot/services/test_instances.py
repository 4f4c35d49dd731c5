"""Autopilots as rows: started once, switched while they run, paused, stopped, and every change recorded."""

from datetime import timedelta
from typing import Any

import pytest

from autopilot.engine.cycle import Mode, slot_of
from autopilot.models import Instance
from autopilot.services import instances
from autopilot.services.instances import (
    ConfirmationMissingError,
    InstanceConflictError,
    InvalidSettingError,
    LiveNotAvailableError,
    start_instance,
    status,
    stop_instance,
)
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.models import Action
from tests.autopilot.accounts import HOUR, START, make_traded

pytestmark = pytest.mark.django_db
WHO: dict[str, Any] = {"by": "anna@example.com", "now": START}


@pytest.fixture
def instrument() -> Instrument:
    return make_traded()


def start(instrument: Instrument, **values: Any) -> tuple[Instance, bool]:
    return start_instance(**{"instrument": instrument, "timeframe": Timeframe.H1, **WHO, **values})


def test_started_twice_with_the_same_configuration_is_one(instrument: Instrument) -> None:
    first, created = start(instrument)
    again, created_again = start(instrument)

    assert (created, created_again) == (True, False)
    assert first.pk == again.pk
    assert first.account.currency == instrument.quote
    assert [each.what for each in Action.objects.filter(what__startswith="autopilot.")] == [
        "autopilot.started"
    ]


def test_another_configuration_on_the_same_timeframe_is_a_conflict(instrument: Instrument) -> None:
    start(instrument)

    with pytest.raises(InstanceConflictError):
        start(instrument, interval_seconds=120)
    _, created = start(instrument, timeframe=Timeframe.H4, interval_seconds=120)
    assert created


def test_live_trading_stores_nothing(instrument: Instrument) -> None:
    with pytest.raises(LiveNotAvailableError):
        start(instrument, paper_trading=False)
    assert not Instance.objects.exists()


def test_automatic_execution_needs_its_confirmation(instrument: Instrument) -> None:
    with pytest.raises(ConfirmationMissingError):
        start(instrument, auto_execute=True)
    assert not Instance.objects.exists()
    instance, _ = start(instrument)
    with pytest.raises(ConfirmationMissingError):
        instances.change_auto_execute(instance=instance, auto_execute=True, confirmed=False, **WHO)
    assert instances.change_auto_execute(instance=instance, auto_execute=True, confirmed=True, **WHO)
    assert Instance.objects.get().auto_execute


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("interval_seconds", 9),
        ("interval_seconds", 86_401),
        ("min_confidence_threshold", 1.1),
        ("risk_fraction", 0.0),
        ("max_trades_per_day", -1),
        ("hold_bars", 0),
    ],
)
def test_a_value_out_of_bounds_names_its_field(instrument: Instrument, field: str, value: float) -> None:
    with pytest.raises(InvalidSettingError) as caught:
        start(instrument, **{field: value})
    assert caught.value.field == field


def test_stopping_is_idempotent_and_leaves_room_for_another(instrument: Instrument) -> None:
    start(instrument)
    start(instrument, timeframe=Timeframe.M1)

    assert stop_instance(instrument=instrument, timeframe=Timeframe.M1, **WHO) == 1
    assert stop_instance(instrument=instrument, **WHO) == 1
    assert stop_instance(instrument=instrument, **WHO) == 0
    _, created = start(instrument, interval_seconds=30)
    assert created


def test_paused_is_not_running_and_goes_on_when_resumed(instrument: Instrument) -> None:
    instance, _ = start(instrument)

    assert instances.pause_instance(instance=instance, **WHO)
    assert not instances.pause_instance(instance=instance, **WHO)
    assert not status(instrument=instrument).running
    assert instances.resume_instance(instance=instance, **WHO)
    assert status(instrument=instrument).running
    assert not instances.resume_instance(instance=instance, **WHO)


def test_the_mode_changes_while_it_runs_and_resuming_lifts_a_freeze(instrument: Instrument) -> None:
    instance, _ = start(instrument)

    assert instances.change_mode(instance=instance, mode=Mode.PATTERN, **WHO)
    assert not instances.change_mode(instance=instance, mode=Mode.PATTERN, **WHO)
    instances.freeze(instance=instance, reason="the order failed", by="autopilot", now=START)
    assert Instance.objects.get().frozen_reason == "the order failed"
    assert instances.resume_instance(instance=instance, **WHO)
    assert Instance.objects.get().frozen_reason == ""


def test_status_of_an_instrument_without_an_autopilot(instrument: Instrument) -> None:
    told = status(instrument=instrument)
    assert (told.running, told.symbol, told.exchange_id) == (False, instrument.symbol, instrument.exchange_id)
    assert told.trades_today == 0


def test_slots_are_whole_intervals_from_the_epoch() -> None:
    moment = START + timedelta(seconds=119)
    assert slot_of(moment, 60) == START + timedelta(seconds=60)
    assert slot_of(START + HOUR, 3600) == START + HOUR
