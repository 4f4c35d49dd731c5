"""From a published signal to the page on which an administrator reads how it ended, by the tasks of the schedule."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils.module_loading import import_string

from signals import tasks
from signals.engine.timeframe import Timeframe
from signals.market.models import Exchange, Instrument, ItemFailure
from signals.market.providers import ProviderError
from signals.models import (
    AnomalyForest,
    PartnerChoice,
    SignalOutcome,
    VolatilityFit,
)
from signals.services import pairing
from tests.factories import make_instrument, make_series, store
from tests.notifications.rows import make_signal
from users.models import User

pytestmark = pytest.mark.django_db

START = datetime(2025, 1, 1, tzinfo=UTC)
SERIES = make_series(bars=400, start=START, seed=4)


@pytest.fixture
def instrument(monkeypatch: pytest.MonkeyPatch) -> Instrument:
    newest = START + timedelta(hours=len(SERIES))
    monkeypatch.setattr(tasks, "exchange_time", lambda *, exchange_code: newest)
    instrument = make_instrument()
    store(instrument, Timeframe.H1, SERIES)
    entry = float(SERIES.close[10])
    closed_at = START + timedelta(hours=11)
    make_signal(
        instrument=instrument,
        candle_open_time=closed_at - timedelta(hours=1),
        published_at=closed_at,
        entry_price=entry,
        stop_loss=entry * 0.98,
        take_profit=entry * 1.03,
    )
    return instrument


@pytest.fixture
def administrator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada", "ada@example.org", "a long password"))
    return client


def test_the_task_records_how_a_signal_ended_and_the_page_shows_it(
    instrument: Instrument, administrator: Client
) -> None:
    tasks.record_outcomes()
    tasks.record_outcomes()

    outcome = SignalOutcome.objects.get()
    page = administrator.get(reverse("admin:signals_signaloutcome_changelist")).content.decode()
    assert f"{outcome.r_multiple:+.2f}" in page
    assert outcome.get_exit_reason_display() in page


def test_the_task_fits_each_active_instrument_once_and_the_page_shows_what_was_chosen(
    instrument: Instrument, administrator: Client
) -> None:
    make_instrument(is_active=False)

    tasks.refresh_volatility()
    tasks.refresh_volatility()

    fit = VolatilityFit.objects.get()
    assert fit.instrument == instrument
    page = administrator.get(reverse("admin:signals_volatilityfit_changelist")).content.decode()
    assert f"{fit.chosen} {fit.qlike[fit.chosen]:.3f}" in page
    assert "not judged" not in page


def test_the_task_grows_one_forest_for_each_active_instrument_and_the_page_shows_it(
    instrument: Instrument, administrator: Client
) -> None:
    make_instrument(is_active=False)

    tasks.refresh_forests()
    tasks.refresh_forests()

    forest = AnomalyForest.objects.get()
    assert forest.instrument == instrument
    page = administrator.get(reverse("admin:signals_anomalyforest_changelist")).content.decode()
    row = reverse("admin:signals_anomalyforest_change", args=[forest.pk])
    assert row in page
    assert forest.sha256 in administrator.get(row).content.decode()


def test_the_task_chooses_partners_and_the_page_shows_who_moves_with_whom(
    administrator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = make_series(bars=600, start=START, seed=4)
    monkeypatch.setattr(tasks, "exchange_time", lambda *, exchange_code: START + timedelta(hours=600))
    pair = [make_instrument(), make_instrument()]
    for instrument in pair:
        store(instrument, Timeframe.H1, series)

    tasks.refresh_partners()
    tasks.refresh_partners()

    chosen = {choice.instrument: choice.partner for choice in PartnerChoice.objects.all()}
    assert chosen == {pair[0]: pair[1], pair[1]: pair[0]}
    page = administrator.get(reverse("admin:signals_partnerchoice_changelist")).content.decode()
    assert page.count(pair[0].symbol) >= 2
    assert "1.0" in page


def test_exchange_whose_clock_cannot_be_read_holds_up_nobody_else(
    instrument: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(make_instrument(exchange=Exchange.objects.create(code="atlantis", name="A")), Timeframe.H1, SERIES)
    answer = tasks.exchange_time

    def read(*, exchange_code: str) -> datetime:
        if exchange_code == "atlantis":
            raise ProviderError("no answer", permanent=False)
        return answer(exchange_code=exchange_code)

    monkeypatch.setattr(tasks, "exchange_time", read)
    tasks.refresh_volatility()
    tasks.refresh_forests()
    tasks.refresh_partners()

    assert VolatilityFit.objects.get().instrument == instrument
    assert AnomalyForest.objects.get().instrument == instrument


@pytest.mark.parametrize(
    ("task", "service", "model"),
    [
        ("refresh_volatility", "signals.services.volatility.fit_volatility", VolatilityFit),
        ("refresh_forests", "signals.services.anomalies.fit_isolation_forest", AnomalyForest),
    ],
)
def test_an_instrument_that_cannot_be_fitted_holds_up_nobody_else(
    instrument: Instrument, monkeypatch: pytest.MonkeyPatch, task: str, service: str, model: type[Model]
) -> None:
    """The first of two cannot; the second is fitted, and the first is on record until it can."""
    other = make_instrument(exchange=instrument.exchange)
    store(other, Timeframe.H1, SERIES)
    fit, calls = import_string(service), []

    def fail_once(*args: Any, **keywords: Any) -> Any:
        calls.append(args)
        if len(calls) == 1:
            raise ZeroDivisionError("0/0")
        return fit(*args, **keywords)

    monkeypatch.setattr(service, fail_once)
    getattr(tasks, task)()

    assert model._default_manager.count() == 1
    assert ItemFailure.objects.get().error == "ZeroDivisionError: 0/0"
    getattr(tasks, task)()
    assert model._default_manager.count() == 2
    assert not ItemFailure.objects.exists()


def test_candles_that_cannot_be_read_leave_the_others_their_partners(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    series = make_series(bars=600, start=START, seed=4)
    monkeypatch.setattr(tasks, "exchange_time", lambda *, exchange_code: START + timedelta(hours=600))
    instrument, *others = (make_instrument() for _ in range(3))
    for each in (instrument, *others):
        store(each, Timeframe.H1, series)
    load = pairing.load_range

    def fail_for_one(*, instrument_id: int, **keywords: Any) -> Any:
        if instrument_id == instrument.pk:
            raise ValueError("a price of nan")
        return load(instrument_id=instrument_id, **keywords)

    monkeypatch.setattr(pairing, "load_range", fail_for_one)
    tasks.refresh_partners()

    chosen = PartnerChoice.objects.exclude(partner=None)
    assert {choice.instrument: choice.partner for choice in chosen} == dict([others, others[::-1]])
    assert ItemFailure.objects.get().error == "ValueError: a price of nan"
