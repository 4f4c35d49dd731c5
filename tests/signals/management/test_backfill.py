from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command

from signals.engine.quality import RawCandles
from signals.market.models import Candle, Exchange, Instrument
from signals.market.providers.ccxt_provider import CcxtProvider
from signals.market.services.clock import exchange_time
from tests.factories import make_instrument


def backfill(*arguments: str) -> str:
    out = StringIO()
    call_command("backfill", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_progress_is_told_page_by_page_up_to_a_hundred_percent(
    bitcoin: Instrument, exchange: httpx.Client
) -> None:
    today = exchange_time(exchange_code="binance").replace(hour=0, minute=0, second=0, microsecond=0)
    start = (today - timedelta(hours=1_500)).isoformat()
    out = backfill("btc/usdt", "--timeframe", "1h", "--from", start, "--to", today.isoformat())
    lines = out.splitlines()
    assert "BTC/USDT 1h  67% up to" in lines[0]
    assert "BTC/USDT 1h 100% up to" in lines[1]
    assert lines[2] == "BTC/USDT 1h: 1500 candles new or corrected"
    assert Candle.objects.count() == 1_500
    assert "1h: 0 candles" in backfill(
        "BTC/USDT", "--timeframe", "1h", "--from", start, "--to", today.isoformat()
    )


def test_without_an_end_it_stops_before_the_forming_bar(bitcoin: Instrument, exchange: httpx.Client) -> None:
    now = exchange_time(exchange_code="binance")
    backfill("--all", "--timeframe", "1d", "--from", (now - timedelta(days=5)).date().isoformat())
    newest = Candle.objects.order_by("-open_time")[0].open_time
    assert newest + timedelta(days=1) <= exchange_time(exchange_code="binance")
    assert Candle.objects.count() == 5


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Name one or more symbols"),
        (["BTC/USDT", "--all"], "Name one or more symbols"),
        (["NOPE/USDT"], "No instrument NOPE/USDT. There are: BTC/USDT"),
        (["ETH/USDT"], "is on binance, kraken: give --exchange"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(
    bitcoin: Instrument, arguments: list[str], complaint: str
) -> None:
    make_instrument(symbol="ETH/USDT")
    make_instrument(symbol="ETH/USDT", exchange=Exchange.objects.create(code="kraken", name="Kraken"))
    with pytest.raises(CommandError, match=complaint):
        backfill(*arguments, "--timeframe", "1h", "--from", "2024-01-01")


def test_a_span_that_cannot_be_is_refused_before_anybody_is_asked(bitcoin: Instrument) -> None:
    with pytest.raises(CommandError, match="--to 2024-01-01 00:00 is not after --from 2024-02-01 00:00"):
        backfill("BTC/USDT", "--timeframe", "1h", "--from", "2024-02-01", "--to", "2024-01-01")


def test_a_span_that_has_not_begun_is_told_in_words(bitcoin: Instrument, exchange: httpx.Client) -> None:
    with pytest.raises(CommandError, match="1 of 1 not complete"):
        backfill("BTC/USDT", "--timeframe", "1h", "--from", "2999-01-01")


def test_a_history_that_begins_late_is_never_called_complete(
    bitcoin: Instrument, exchange: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Kraken, which gives the newest 720 bars whatever is asked for."""
    now = exchange_time(exchange_code="binance")
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=720)

    def newest_only(self: CcxtProvider, **asked: Any) -> RawCandles:
        return ask(self, **asked | {"since_ms": max(asked["since_ms"], int(start.timestamp() * 1000))})

    ask = CcxtProvider.fetch_candles
    monkeypatch.setattr(CcxtProvider, "fetch_candles", newest_only)
    out = backfill("BTC/USDT", "--timeframe", "1h", "--from", "2024-01-01")
    assert "%" not in out
    assert (
        f"BTC/USDT 1h: {Candle.objects.count()} candles new or corrected; history starts at {start:%Y-%m-%d %H:%M}"
        in out
    )


def test_an_unreachable_exchange_is_named_and_what_to_do(bitcoin: Instrument, exchange: httpx.Client) -> None:
    nowhere = Exchange.objects.create(code="atlantis", name="Atlantis")
    make_instrument(symbol="ATL/USD", exchange=nowhere)
    start = datetime.now(UTC) - timedelta(days=3)
    with pytest.raises(CommandError, match="1 of 2 not complete; run it again"):
        backfill("ATL/USD", "BTC/USDT", "--timeframe", "1d", "--from", start.isoformat())
    assert Candle.objects.filter(instrument=bitcoin).exists()
