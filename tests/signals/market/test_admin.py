from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from pytest_django.fixtures import Settings

from signals.engine.quality import QualityAction, QualityIssue, QualityKind
from signals.engine.timeframe import Timeframe
from signals.market.models import DataQualityIssue, Exchange, Instrument
from signals.market.services.candles import store_candles
from signals.market.services.quality import record_issues
from tests.factories import make_series

START = datetime(2025, 10, 9, tzinfo=UTC)


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("ada", "ada@example.org", "a long password"))
    return client


@pytest.fixture
def issue(bitcoin: Instrument) -> DataQualityIssue:
    seen = QualityIssue(
        QualityKind.GAP, int(START.timestamp() * 1000), QualityAction.FLAGGED, "3 bars are missing"
    )
    for _ in range(2):
        record_issues(
            instrument=bitcoin, timeframe=Timeframe.H1, issues=[seen], source="binance", first_seen_at=START
        )
    return DataQualityIssue.objects.get()


def test_the_list_of_instruments_shows_the_newest_candle(staff: Client, bitcoin: Instrument) -> None:
    store_candles(instrument=bitcoin, timeframe=Timeframe.H1, candles=make_series(bars=3, start=START))
    page = staff.get("/admin/market/instrument/").content.decode()
    assert "BTC/USDT" in page
    assert "2025-10-09 02:00:00" in page


def test_instruments_can_be_stopped_and_started(staff: Client, bitcoin: Instrument) -> None:
    chosen = {"_selected_action": [bitcoin.pk]}
    staff.post("/admin/market/instrument/", chosen | {"action": "deactivate"})
    assert not Instrument.objects.get().is_active
    staff.post("/admin/market/instrument/", chosen | {"action": "activate"})
    assert Instrument.objects.get().is_active


def test_issues_are_read_and_never_edited(staff: Client, issue: DataQualityIssue) -> None:
    address = f"/admin/market/dataqualityissue/{issue.pk}"
    assert (
        "3 bars are missing" in staff.get("/admin/market/dataqualityissue/?kind__exact=gap").content.decode()
    )
    assert staff.post(f"{address}/change/", {"detail": "all is well"}).status_code == 403
    assert staff.post(f"{address}/delete/", {"post": "yes"}).status_code == 403
    assert staff.get("/admin/market/dataqualityissue/add/").status_code == 403


def test_an_instant_beyond_the_calendar_is_kept_under_the_last_one(bitcoin: Instrument) -> None:
    microseconds = QualityIssue(
        QualityKind.FUTURE, 1_700_000_000_000_000, QualityAction.REFUSED, "wrong unit"
    )
    record_issues(
        instrument=bitcoin, timeframe=Timeframe.H1, issues=[microseconds], source="x", first_seen_at=START
    )
    assert DataQualityIssue.objects.get().open_time.year == 9999


@pytest.mark.parametrize("sandbox", [True, False])
def test_whether_an_exchange_is_simulated_is_not_asked_but_known(
    staff: Client,
    settings: Settings,
    sandbox: bool,
) -> None:
    settings.SANDBOX = sandbox
    staff.post("/admin/market/exchange/add/", {"code": "kraken", "name": "Kraken", "is_simulated": "on"})
    assert Exchange.objects.get(code="kraken").is_simulated == sandbox


@pytest.mark.parametrize("model", ["exchange", "instrument"])
def test_what_has_candles_keeps_its_name(staff: Client, bitcoin: Instrument, model: str) -> None:
    address = f"/admin/market/{model}/{bitcoin.exchange_id if model == 'exchange' else bitcoin.pk}/change/"
    name = 'name="code"' if model == "exchange" else 'name="symbol"'
    assert name in staff.get(address).content.decode()

    store_candles(instrument=bitcoin, timeframe=Timeframe.H1, candles=make_series(bars=3, start=START))

    assert name not in staff.get(address).content.decode()
