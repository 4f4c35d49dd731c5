"""Real ccxt over HTTP against the sandbox's exchange."""

import re
from decimal import Decimal

import ccxt
import httpx
import numpy as np
import pytest
from prometheus_client import REGISTRY

from signals.engine.timeframe import Timeframe
from signals.market.providers import MarketRules, ProviderError, ccxt_provider
from signals.market.providers.ccxt_provider import (
    CcxtProvider,
    as_columns,
    as_rules,
    redirected,
    told_to_wait,
)

H1 = Timeframe.H1


@pytest.fixture
def binance(exchange: httpx.Client) -> CcxtProvider:
    return CcxtProvider("binance", api_url=f"{exchange.base_url}/binance")


def fault(exchange: httpx.Client, **asked: object) -> None:
    exchange.post("/_sandbox/faults", json={"target": "exchange", **asked}).raise_for_status()


def calls(outcome: str) -> float:
    labels = {"service": "binance", "outcome": outcome}
    return REGISTRY.get_sample_value("copilot_outside_calls_total", labels) or 0.0


def fetch(provider: CcxtProvider, symbol: str = "BTC/USDT", limit: int = 5) -> np.ndarray:
    now = provider.server_time()
    return provider.fetch_candles(
        symbol=symbol, timeframe=H1, since_ms=now - 10 * H1.milliseconds, limit=limit
    ).open_time


def test_candles_are_those_that_the_exchange_tells(binance: CcxtProvider, exchange: httpx.Client) -> None:
    since = H1.floor(binance.server_time()) - 5 * H1.milliseconds
    raw = binance.fetch_candles(symbol="BTC/USDT", timeframe=H1, since_ms=since, limit=3)
    query = {"symbol": "BTCUSDT", "interval": "1h", "startTime": since, "limit": 3}
    told = exchange.get("/binance/api/v3/klines", params=query).json()
    assert raw.open_time.tolist() == [row[0] for row in told]
    assert raw.values().tolist() == [[float(cell) for cell in row[1:6]] for row in told]


def test_server_time_is_the_exchanges(binance: CcxtProvider, exchange: httpx.Client) -> None:
    before = exchange.get("/binance/api/v3/time").json()["serverTime"]
    asked = binance.server_time()
    assert before <= asked <= exchange.get("/binance/api/v3/time").json()["serverTime"]


def test_an_unknown_symbol_is_permanent_and_not_asked_for_again(binance: CcxtProvider) -> None:
    fetch(binance)
    failed = calls("error")
    with pytest.raises(ProviderError, match="NOPE/USDT") as caught:
        fetch(binance, symbol="NOPE/USDT")
    assert caught.value.permanent
    assert calls("error") == failed + 1


def test_an_unknown_exchange_says_what_to_use() -> None:
    with pytest.raises(ProviderError, match=r"no exchange 'atlantis'.*binance") as caught:
        CcxtProvider("atlantis")
    assert caught.value.permanent


def test_an_unknown_timeframe_is_permanent(binance: CcxtProvider) -> None:
    binance._exchange.timeframes = {"1m": "1m"}
    with pytest.raises(ProviderError, match="no 1h candles") as caught:
        fetch(binance)
    assert caught.value.permanent


def test_a_short_outage_is_waited_out_and_every_call_counted(
    binance: CcxtProvider, exchange: httpx.Client
) -> None:
    fetch(binance)
    good, failed = calls("ok"), calls("error")
    fault(exchange, kind="500", method="klines", count=2)
    assert len(fetch(binance)) == 5
    assert (calls("ok"), calls("error")) == (good + 2, failed + 2)  # the clock, two refusals, the candles


def test_a_long_outage_ends_after_three_attempts(binance: CcxtProvider, exchange: httpx.Client) -> None:
    fetch(binance)
    failed = calls("error")
    fault(exchange, kind="500", method="klines", count=10)
    with pytest.raises(ProviderError) as caught:
        fetch(binance)
    assert not caught.value.permanent
    assert calls("error") == failed + ccxt_provider.ATTEMPTS


def test_a_cut_connection_is_asked_again(binance: CcxtProvider, exchange: httpx.Client) -> None:
    fetch(binance)
    fault(exchange, kind="close", method="klines", count=1)
    assert len(fetch(binance)) == 5


def test_garbage_for_an_answer_is_an_error_and_not_candles(
    binance: CcxtProvider, exchange: httpx.Client
) -> None:
    fetch(binance)
    fault(exchange, kind="garbage", method="klines", count=10)
    with pytest.raises(ProviderError, match="not JSON"):
        fetch(binance)


def test_a_short_retry_after_is_honoured(
    binance: CcxtProvider, exchange: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(binance)
    slept: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", slept.append)
    fault(exchange, kind="429", method="klines", count=1, retry_after=3)
    assert len(fetch(binance)) == 5
    assert 3.0 in slept


def test_after_a_long_retry_after_nobody_is_asked_until_it_ends(
    binance: CcxtProvider, exchange: httpx.Client
) -> None:
    fetch(binance)
    fault(exchange, kind="429", method="klines", count=1, retry_after=120)
    with pytest.raises(ProviderError, match="429"):
        fetch(binance)
    good, failed = calls("ok"), calls("error")
    with pytest.raises(ProviderError, match=r"quiet for another 1[12]\d s"):
        fetch(binance)
    assert (calls("ok"), calls("error")) == (good, failed)


def test_a_provider_that_is_down_raises(exchange: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ccxt_provider, "ATTEMPTS", 1)
    with pytest.raises(ProviderError, match="binance: ") as caught:
        CcxtProvider("binance", api_url="http://127.0.0.1:9/binance").server_time()
    assert not caught.value.permanent


def test_every_url_is_redirected_and_keeps_its_path() -> None:
    urls = {"public": "https://api.binance.com/api/v3", "more": [{"x": "https://{hostname}/y?z=1"}], "n": 1}
    assert redirected(urls, "http://127.0.0.1:8900/binance/") == {
        "public": "http://127.0.0.1:8900/binance/api/v3",
        "more": [{"x": "http://127.0.0.1:8900/binance/y?z=1"}],
        "n": 1,
    }


def test_no_url_of_a_redirected_client_leads_outside() -> None:
    for code in ("binance", "kraken", "coinbase", "bybit"):
        urls = str(CcxtProvider(code, api_url="http://127.0.0.1:1/x")._exchange.urls["api"])
        assert set(re.findall(r"https?://[^/]+", urls)) == {"http://127.0.0.1:1"}


def test_absent_numbers_become_nan_and_rows_without_time_are_no_candles() -> None:
    raw = as_columns([[0, 1.0, 2.0, 0.5, None, 3.0]])
    assert np.isnan(raw.close[0])
    assert len(as_columns([])) == 0
    with pytest.raises(ValueError, match="without a time"):
        as_columns([[None, 1.0, 2.0, 0.5, 1.0, 3.0]])


def test_rules_come_out_as_the_exchange_wrote_them() -> None:
    """Kraken's XBT/USDT as ccxt tells it: tick_size 0.1, lot_decimals 8, ordermin 0.00005, costmin 0.5."""
    market = {
        "precision": {"price": 0.1, "amount": 1e-08},
        "limits": {"amount": {"min": 5e-05, "max": None}, "cost": {"min": 0.5}, "price": {"min": None}},
    }
    told = as_rules(market, ccxt.TICK_SIZE)
    assert told == MarketRules(Decimal("0.1"), Decimal("0.00000001"), Decimal("0.00005"), Decimal("0.5"))


def test_precisions_that_are_no_step_are_unknown_and_decimals_become_one() -> None:
    market = {"precision": {"price": 5, "amount": 3}, "limits": {"amount": {"min": 0}, "cost": None}}
    assert as_rules(market, ccxt.SIGNIFICANT_DIGITS) == MarketRules()
    assert as_rules(market, ccxt.DECIMAL_PLACES) == MarketRules(Decimal("0.00001"), Decimal("0.001"))
    assert as_rules({}, ccxt.TICK_SIZE) == MarketRules()


@pytest.mark.parametrize(("kind", "is_perpetual"), [("swap", True), ("spot", False), ("future", False)])
def test_a_swap_is_perpetual(kind: str, is_perpetual: bool) -> None:
    assert as_rules({"type": kind, "margin": True}, ccxt.TICK_SIZE).is_perpetual is is_perpetual


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({}, 60.0),
        (None, 60.0),
        ({"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, 60.0),
    ],
)
def test_seconds_to_wait_are_read_from_the_header(headers: dict[str, str] | None, seconds: float) -> None:
    assert told_to_wait(headers) == seconds
