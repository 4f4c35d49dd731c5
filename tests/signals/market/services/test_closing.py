"""A closed candle is fetched when it closes, and its longer ones before it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from pytest_django import Settings

from signals.engine.quality import RawCandles
from signals.engine.timeframe import Timeframe
from signals.market import tasks
from signals.market.events import candles_closed
from signals.market.models import Candle
from signals.market.services import failover
from signals.market.services.closing import next_close
from tests.factories import make_instrument, make_series, merge_bars

pytestmark = pytest.mark.django_db

CLOSE = datetime(2025, 10, 10, 16, tzinfo=UTC)  # of a 1h and a 4h bar
SERIES = make_series(bars=24 * 10, start=CLOSE - timedelta(hours=24 * 10 - 1))


class Venue:
    """An exchange whose clock is the test's; it shows its newest closed bar `slow` seconds late."""

    name = "binance"

    def __init__(self) -> None:
        self.now = CLOSE - timedelta(seconds=20)
        self.slow = timedelta(0)
        self.asked: list[Timeframe] = []

    def server_time(self) -> int:
        return int(self.now.timestamp() * 1000)

    def fetch_candles(self, *, symbol: str, timeframe: Timeframe, since_ms: int, limit: int) -> RawCandles:
        self.asked.append(timeframe)
        bars = SERIES if timeframe is Timeframe.H1 else merge_bars(SERIES, timeframe)
        raw = RawCandles(
            *(getattr(bars, column) for column in ("open_time", "open", "high", "low", "close", "volume"))
        )
        shown = int((self.now - self.slow).timestamp() * 1000) - timeframe.milliseconds
        return raw.take(np.flatnonzero((raw.open_time >= since_ms) & (raw.open_time <= shown))[:limit])


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Venue:
    settings.MARKET_PROVIDERS = ("binance",)
    venue = Venue()
    monkeypatch.setattr(failover, "provider_for", lambda code: venue)
    return venue


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, tuple[Any, ...]]]:
    """What was asked to run later: after how many seconds, with what."""
    found: list[tuple[float, tuple[Any, ...]]] = []

    def keep(args: tuple[Any, ...], countdown: float, *, retry: bool) -> None:
        found.append((countdown, args))

    monkeypatch.setattr(tasks.sync_at_close, "apply_async", keep)
    return found


@pytest.mark.parametrize(
    ("moment", "close"),
    [("15:59:59.999", "16:00"), ("16:00:00", "17:00"), ("16:00:00.001", "17:00"), ("23:59:00", "00:00")],
)
def test_next_close_is_the_next_full_hour(moment: str, close: str) -> None:
    found = next_close(datetime.fromisoformat(f"2025-10-10T{moment}+00:00"))
    assert f"{found:%H:%M:%S}" == f"{close}:00"


@pytest.mark.parametrize(("seconds", "is_near"), [(20, True), (46, False), (1800, False)])
def test_close_is_awaited_when_it_comes_before_the_next_tick(
    venue: Venue, sent: list[Any], seconds: int, is_near: bool
) -> None:
    make_instrument()
    venue.now = CLOSE - timedelta(seconds=seconds)
    tasks.await_close()
    assert bool(sent) is is_near
    if is_near:
        [(wait, (code, closed_at, _))] = sent
        assert seconds < wait < seconds + 1
        assert (code, closed_at) == ("binance", CLOSE.isoformat())


def test_candles_of_a_close_are_fetched_then_longest_first_and_the_decision_is_woken(
    venue: Venue, sent: list[Any], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    instrument = make_instrument()
    heard: list[Timeframe] = []

    def hear(**kwargs: Any) -> None:
        heard.append(kwargs["timeframe"])

    candles_closed.connect(hear)
    venue.now = CLOSE + timedelta(seconds=0.2)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            tasks.sync_at_close("binance", CLOSE.isoformat(), 3)
    finally:
        candles_closed.disconnect(hear)

    assert venue.asked == [Timeframe.H4, Timeframe.H1]  # 16:00 closes no day
    assert heard == [Timeframe.H4, Timeframe.H1]
    newest = Candle.objects.filter(instrument=instrument, timeframe="1h").latest("open_time")
    assert newest.open_time == CLOSE - timedelta(hours=1)
    assert sent == []
    tasks.sync_at_close("binance", CLOSE.isoformat(), 3)
    assert len(venue.asked) == 2, "what is stored is not asked for again"


def test_exchange_that_shows_its_bar_late_is_asked_each_second_but_not_for_ever(
    venue: Venue, sent: list[Any]
) -> None:
    make_instrument()
    venue.now, venue.slow = CLOSE + timedelta(seconds=0.2), timedelta(seconds=2)
    tasks.sync_at_close("binance", CLOSE.isoformat(), 3)
    assert sent == [(1, ("binance", CLOSE.isoformat(), 2))]
    tasks.sync_at_close("binance", CLOSE.isoformat(), 1)
    assert len(sent) == 1
    venue.now += timedelta(seconds=2)
    tasks.sync_at_close("binance", CLOSE.isoformat(), 2)
    assert len(sent) == 1
    assert Candle.objects.filter(timeframe="1h").latest("open_time").open_time == CLOSE - timedelta(hours=1)
