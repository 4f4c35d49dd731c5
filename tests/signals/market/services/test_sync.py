from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest
from pytest_django import Settings

from signals.engine.quality import RawCandles
from signals.engine.timeframe import Timeframe
from signals.market import tasks
from signals.market.events import candles_closed
from signals.market.models import Candle, CandleChunk, DataQualityIssue, Exchange, Instrument
from signals.market.providers import ProviderError, TimeframeMissingError
from signals.market.services import failover
from signals.market.services.backfill import backfill
from signals.market.services.clock import exchange_time
from signals.market.services.fetching import StoredPage
from signals.market.services.sync import sync_candles
from signals.services.jobs import JobCancelled
from tests.factories import make_instrument, make_series, merge_bars, store

H1 = Timeframe.H1
AS_OF = datetime(2025, 10, 10, 12, 30, tzinfo=UTC)
FORMING = AS_OF.replace(minute=0)


class Feed:
    """A provider that answers from memory, for bars that no honest exchange sends."""

    def __init__(self, name: str, candles: Any) -> None:
        self.name = name
        self.raw = RawCandles(
            *(getattr(candles, column) for column in ("open_time", "open", "high", "low", "close", "volume"))
        )
        self.error: ProviderError | None = None
        self.asked: list[int] = []

    def server_time(self) -> int:
        return int(AS_OF.timestamp() * 1000)

    def fetch_candles(self, *, symbol: str, timeframe: Timeframe, since_ms: int, limit: int) -> RawCandles:
        self.asked.append(since_ms)
        if self.error:
            raise self.error
        return self.raw.take(np.flatnonzero(self.raw.open_time >= since_ms)[:limit])


@pytest.fixture
def feeds(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> dict[str, Feed]:
    """Feeds by exchange code, each with 40 bars of which the last is forming."""
    settings.MARKET_PROVIDERS = ("binance", "kraken")
    series = make_series(bars=40, start=FORMING - timedelta(hours=39))
    found = {
        "binance": Feed("binance", series),
        "kraken": Feed("kraken", make_series(bars=40, start=FORMING - timedelta(hours=39), seed=2)),
    }
    monkeypatch.setattr(failover, "provider_for", found.__getitem__)
    return found


def opened(instrument: Instrument) -> list[datetime]:
    return list(
        Candle.objects.filter(instrument=instrument).order_by("open_time").values_list("open_time", flat=True)
    )


def test_the_forming_bar_is_never_stored_and_never_called_a_fault(
    bitcoin: Instrument, feeds: dict[str, Feed]
) -> None:
    sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF)
    assert opened(bitcoin)[-1] == FORMING - timedelta(hours=1)
    assert Candle.objects.count() == 39
    assert not DataQualityIssue.objects.exists()


def test_a_bar_that_closes_while_we_ask_waits_for_the_next_time(
    bitcoin: Instrument, feeds: dict[str, Feed]
) -> None:
    """Our `as_of` is older than the exchange's answer."""
    sync_candles(instrument=bitcoin, timeframe=H1, as_of=FORMING - timedelta(milliseconds=1))
    assert opened(bitcoin)[-1] == FORMING - timedelta(hours=2)
    assert not DataQualityIssue.objects.exists()


def test_only_what_is_new_or_corrected_is_announced(
    bitcoin: Instrument, feeds: dict[str, Feed], django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[dict[str, Any]] = []

    def listener(**kwargs: Any) -> None:
        heard.append(kwargs)

    candles_closed.connect(listener)
    with django_capture_on_commit_callbacks() as callbacks:
        sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF - timedelta(hours=2))
        feeds["binance"].raw.volume[36] += 1  # the newest stored bar
        sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF)
        sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF)
    for callback in callbacks:
        callback()
    candles_closed.disconnect(listener)
    assert len(heard) == 2
    assert heard[1]["open_times"] == [FORMING - timedelta(hours=hours) for hours in (3, 2, 1)]
    assert (heard[1]["instrument_id"], heard[1]["timeframe"], heard[1]["as_of"]) == (bitcoin.pk, H1, AS_OF)


@pytest.mark.parametrize(
    ("column", "value", "kind"),
    [
        ("close", np.nan, "not_finite"),
        ("open", 0.0, "non_positive_price"),
        ("low", -1.0, "non_positive_price"),
        ("high", 1e-9, "high_below_low"),
        ("volume", -5.0, "negative_volume"),
    ],
)
def test_a_bar_that_cannot_be_true_is_refused_with_its_reason(
    bitcoin: Instrument, feeds: dict[str, Feed], column: str, value: float, kind: str
) -> None:
    getattr(feeds["binance"].raw, column)[20] = value
    sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF)
    sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF)
    bad = FORMING - timedelta(hours=19)
    assert bad not in opened(bitcoin)
    assert Candle.objects.count() == 38
    issue = DataQualityIssue.objects.get(action="refused")
    assert (issue.kind, issue.open_time, issue.source, issue.first_seen_at) == (kind, bad, "binance", AS_OF)
    assert ("missing" if np.isnan(value) else str(value)) in issue.detail
    assert DataQualityIssue.objects.get(action="flagged").kind == "gap"


def test_a_bar_from_the_future_is_refused_with_its_reason(
    bitcoin: Instrument, feeds: dict[str, Feed]
) -> None:
    feeds["binance"].raw.open_time[39] += 10 * H1.milliseconds
    sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF)
    issue = DataQualityIssue.objects.get()
    assert (issue.kind, issue.open_time) == ("future", FORMING + timedelta(hours=10))
    assert Candle.objects.count() == 39


def test_a_gap_between_two_syncs_is_seen(bitcoin: Instrument, feeds: dict[str, Feed]) -> None:
    sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF - timedelta(hours=5))
    raw = feeds["binance"].raw
    feeds["binance"].raw = raw.take(raw.open_time != int((FORMING - timedelta(hours=4)).timestamp() * 1000))
    sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF)
    issue = DataQualityIssue.objects.get(kind="gap")
    assert issue.open_time == FORMING - timedelta(hours=4)


def test_a_hole_that_the_source_cannot_fill_any_more_is_seen(
    bitcoin: Instrument, feeds: dict[str, Feed]
) -> None:
    """Kraken gives its newest bars only: after a long stop the page begins after what is stored."""
    old = make_series(bars=10, start=FORMING - timedelta(hours=200))
    store(bitcoin, H1, old)
    new = sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF)
    assert len(new) == 39
    issue = DataQualityIssue.objects.get()
    assert (issue.kind, issue.action, issue.open_time) == ("gap", "flagged", FORMING - timedelta(hours=190))
    assert issue.detail.startswith("151 bars are missing")
    sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF)
    assert DataQualityIssue.objects.count() == 1


def test_a_page_that_joins_what_is_stored_is_no_gap(bitcoin: Instrument, feeds: dict[str, Feed]) -> None:
    store(bitcoin, H1, make_series(bars=10, start=FORMING - timedelta(hours=49)))
    sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF)
    assert Candle.objects.count() == 49
    assert not DataQualityIssue.objects.exists()


def test_a_stand_in_answers_for_an_exchange_that_fails_and_its_bars_say_so(
    bitcoin: Instrument, feeds: dict[str, Feed]
) -> None:
    sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF - timedelta(hours=2))
    own = list(Candle.objects.order_by("open_time").values_list("close", flat=True))
    feeds["binance"].error = ProviderError("down", permanent=False)
    sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF)
    stored = Candle.objects.order_by("open_time").values_list("close", flat=True)
    assert list(stored[: len(own)]) == own  # never the stand-in's prices over the exchange's own
    assert list(stored[len(own) :]) == feeds["kraken"].raw.close[37:39].tolist()
    flagged = DataQualityIssue.objects.filter(kind="fallback_source").order_by("open_time")
    assert [(issue.open_time, issue.source, issue.action) for issue in flagged] == [
        (FORMING - timedelta(hours=hours), "kraken", "flagged") for hours in (2, 1)
    ]


def test_a_permanent_refusal_is_not_taken_to_a_stand_in(bitcoin: Instrument, feeds: dict[str, Feed]) -> None:
    feeds["binance"].error = ProviderError("no such symbol", permanent=True)
    with pytest.raises(ProviderError, match="no such symbol"):
        sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF)
    assert feeds["kraken"].asked == []


def test_when_nobody_answers_what_is_stored_stays(bitcoin: Instrument, feeds: dict[str, Feed]) -> None:
    sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF - timedelta(hours=2))
    before = list(Candle.objects.values_list())
    feeds["binance"].error = ProviderError("binance is down", permanent=False)
    feeds["kraken"].error = ProviderError("kraken is down", permanent=False)
    with pytest.raises(ProviderError, match="binance is down"):
        sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF)
    assert list(Candle.objects.values_list()) == before


def test_one_instrument_that_fails_does_not_stop_the_others(
    bitcoin: Instrument, exchange: httpx.Client
) -> None:
    make_instrument(symbol="AAA/USDT", base="AAA")  # first in order, and unknown to the exchange
    idle = make_instrument(symbol="ETH/USDT", base="ETH", is_active=False)
    tasks.sync_candles("1h")
    assert Candle.objects.filter(instrument=bitcoin).count() == 1_000
    assert not Candle.objects.filter(instrument=idle).exists()


def test_an_exchange_without_a_clock_leaves_the_others_alone(
    bitcoin: Instrument, exchange: httpx.Client
) -> None:
    nowhere = Exchange.objects.create(code="aaa", name="No such exchange")
    make_instrument(symbol="BTC/USDT", exchange=nowhere)
    tasks.sync_candles("1d")
    assert Candle.objects.filter(instrument=bitcoin).exists()


def test_the_hourly_task_builds_the_chunks_of_every_closed_day(
    bitcoin: Instrument, exchange: httpx.Client
) -> None:
    tasks.sync_candles("1h")
    tasks.build_chunks()
    now = exchange_time(exchange_code="binance")
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    in_chunks = sum(CandleChunk.objects.values_list("bars", flat=True))
    assert in_chunks == Candle.objects.filter(open_time__lt=today).count()
    assert not CandleChunk.objects.filter(day__gte=today.date()).exists()


def test_a_backfill_pages_through_the_span_without_hole_or_double(
    bitcoin: Instrument, exchange: httpx.Client
) -> None:
    as_of = exchange_time(exchange_code="binance")
    end = as_of.replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
    start = end - timedelta(hours=2_500)
    pages: list[StoredPage] = []
    new = backfill(instrument=bitcoin, timeframe=H1, start=start, end=end, as_of=as_of, on_page=pages.append)
    assert new == 2_500
    assert opened(bitcoin) == [start + timedelta(hours=hour) for hour in range(2_500)]
    assert [len(page.stored) for page in pages] == [1_000, 999, 501]
    assert not DataQualityIssue.objects.exists()
    assert sum(CandleChunk.objects.values_list("bars", flat=True)) > 2_400


def test_an_empty_page_is_stepped_over(bitcoin: Instrument, feeds: dict[str, Feed]) -> None:
    """Some exchanges answer nothing for a span before the listing."""
    start = FORMING - timedelta(hours=2_500)
    assert (
        backfill(
            instrument=bitcoin, timeframe=H1, start=start, end=FORMING, as_of=AS_OF, on_page=lambda page: None
        )
        == 39
    )


def test_a_provider_that_repeats_itself_ends(bitcoin: Instrument, feeds: dict[str, Feed]) -> None:
    feed = feeds["binance"]
    feed.raw = replace(feed.raw, open_time=feed.raw.open_time - 5_000 * H1.milliseconds)
    feed.fetch_candles = lambda **kwargs: feed.raw  # type: ignore[method-assign]
    backfill(
        instrument=bitcoin,
        timeframe=H1,
        start=FORMING - timedelta(hours=50),
        end=FORMING,
        as_of=AS_OF,
        on_page=lambda page: None,
    )
    assert Candle.objects.count() == 40


def test_a_history_that_begins_late_is_told_as_such_and_never_as_complete(
    bitcoin: Instrument, feeds: dict[str, Feed]
) -> None:
    told: list[tuple[int, int, str]] = []
    asked = FORMING - timedelta(hours=2_500)
    backfill(
        instrument=bitcoin,
        timeframe=H1,
        start=asked,
        end=FORMING,
        as_of=AS_OF,
        progress=lambda *progress: told.append(progress),
    )
    assert told == [(39, 39, f"history starts at {FORMING - timedelta(hours=39):%Y-%m-%d %H:%M}")]
    told.clear()
    backfill(
        instrument=bitcoin,
        timeframe=H1,
        start=FORMING - timedelta(hours=20),
        end=FORMING,
        as_of=AS_OF,
        progress=lambda *progress: told.append(progress),
    )
    assert told == [(20, 20, "")]


def test_a_backfill_that_is_cancelled_keeps_its_pages(bitcoin: Instrument, exchange: httpx.Client) -> None:
    as_of = exchange_time(exchange_code="binance")
    end = as_of.replace(minute=0, second=0, microsecond=0) - timedelta(days=2)

    def cancel(done: int, total: int, message: str) -> None:
        raise JobCancelled

    with pytest.raises(JobCancelled):
        backfill(
            instrument=bitcoin,
            timeframe=H1,
            start=end - timedelta(hours=2_500),
            end=end,
            as_of=as_of,
            progress=cancel,
        )
    assert Candle.objects.count() == 1_000


class HourlyFeed(Feed):
    """An exchange that tells hours and days, but no four hours (Coinbase, Gemini)."""

    def fetch_candles(self, *, symbol: str, timeframe: Timeframe, since_ms: int, limit: int) -> RawCandles:
        if timeframe is not H1:
            raise TimeframeMissingError(f"{self.name} has no {timeframe} candles")
        return super().fetch_candles(symbol=symbol, timeframe=timeframe, since_ms=since_ms, limit=limit)


def test_four_hours_that_an_exchange_does_not_tell_are_made_of_its_hours(
    bitcoin: Instrument, feeds: dict[str, Feed]
) -> None:
    series = make_series(bars=4_100, start=FORMING - timedelta(hours=4_099))
    feeds["binance"] = HourlyFeed("binance", series)

    made = sync_candles(instrument=bitcoin, timeframe=Timeframe.H4, as_of=AS_OF)

    expected = merge_bars(series[:-1], Timeframe.H4)
    stored = Candle.objects.filter(instrument=bitcoin, timeframe="4h").order_by("open_time")
    assert len(made) == len(stored) >= 999
    last = stored.last()
    assert last is not None
    assert last.open_time == FORMING - timedelta(hours=4)
    assert (last.open, last.high, last.low, last.close) == tuple(
        getattr(expected, name)[-1] for name in ("open", "high", "low", "close")
    )
    assert sync_candles(instrument=bitcoin, timeframe=Timeframe.H4, as_of=AS_OF) == []


def test_an_exchange_without_hours_says_so(bitcoin: Instrument, feeds: dict[str, Feed]) -> None:
    feeds["binance"].error = TimeframeMissingError("binance has no 1h candles")

    with pytest.raises(ProviderError, match="has no 1h candles"):
        sync_candles(instrument=bitcoin, timeframe=H1, as_of=AS_OF)
