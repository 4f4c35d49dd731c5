"""The guide's examples run: a fifteenth strategy beside the fourteen, and an exchange that ccxt does not know."""

import importlib.util
import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from signals.engine.candle import OHLCV
from signals.engine.strategy import DecisionContext, Strategy
from signals.engine.timeframe import Timeframe
from signals.market import providers
from signals.market.providers import MarketDataProvider, ProviderError
from tests.factories import make_series

EXAMPLES = Path(__file__).resolve().parents[2] / "docs/examples"
START = datetime(2025, 1, 1, tzinfo=UTC)
CONTEXT = DecisionContext(as_of=datetime(2026, 1, 1, tzinfo=UTC))


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bars() -> OHLCV:
    return make_series(bars=3_000, start=START, seed=3)


def test_strategy_speaks_where_a_plain_loop_finds_the_first_close_beyond_the_channel(bars: OHLCV) -> None:
    turtle: Strategy = example("fifteenth_strategy").Turtle()
    series = turtle.evaluate(bars, CONTEXT)
    expected = np.zeros(len(bars), dtype=np.int8)
    for row in range(57, len(bars)):
        now, before = slice(row - 55, row), slice(row - 56, row - 1)
        if bars.close[row] > bars.high[now].max() and not bars.close[row - 1] > bars.high[before].max():
            expected[row] = 1
        if bars.close[row] < bars.low[now].min() and not bars.close[row - 1] < bars.low[before].min():
            expected[row] = -1
    warm = turtle.minimum_bars
    assert (series.direction[warm:] == expected[warm:]).all()
    assert (series.direction > 0).sum() > 10
    assert (series.direction < 0).sum() > 10


def test_strategy_keeps_the_contract_of_the_others(bars: OHLCV) -> None:
    turtle: Strategy = example("fifteenth_strategy").Turtle()
    series = turtle.evaluate(bars, CONTEXT)
    rows = np.flatnonzero(series.direction)
    sign = series.direction[rows]
    assert ((series.confidence[rows] > 0) & (series.confidence[rows] < 1)).all()
    assert ((series.take_profit[rows] - bars.close[rows]) * sign > 0).all()
    assert ((bars.close[rows] - series.stop_loss[rows]) * sign > 0).all()
    assert "55 bars before" in series.describe(int(rows[0]))
    # No row knows what comes after it.
    for row in rows[rows >= turtle.minimum_bars][:20]:
        shorter = OHLCV(*(getattr(bars, name)[: row + 1] for name in OHLCV.__dataclass_fields__))
        assert turtle.evaluate(shorter, CONTEXT).direction[-1] == series.direction[row]


class Exchange(BaseHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        hour = 3_600_000
        match asked.path:
            case "/time":
                status, answer = 200, {"now": 50 * hour + 5}
            case "/markets":
                status, answer = 200, {"BTC/USD": {"tick": "0.01", "lot": "0.0001", "least": "5"}}
            case "/candles" if query["symbol"] == "BTC/USD":
                first = -(-int(query["from"]) // hour)
                rows = [[n * hour, 1.0, 2.0, 0.5, 1.5, 10.0] for n in range(first, 51)]
                status, answer = 200, rows[: int(query["count"])]
            case "/candles":
                status, answer = 404, {}
            case _:
                status, answer = 500, {}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Exchange) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_exchange_tells_time_candles_rules_and_what_failed(url: str) -> None:
    provider: MarketDataProvider = example("second_exchange").SmallExchange("small", api_url=url)
    assert provider.server_time() == 50 * 3_600_000 + 5
    page = provider.fetch_candles(symbol="BTC/USD", timeframe=Timeframe.H1, since_ms=1, limit=3)
    assert page.open_time.tolist() == [3_600_000, 7_200_000, 10_800_000]
    assert page.close.tolist() == [1.5, 1.5, 1.5]
    rules = provider.market_rules()["BTC/USD"]
    assert (str(rules.tick_size), str(rules.minimum_notional)) == ("0.01", "5")
    with pytest.raises(ProviderError, match="answers 404") as refused:
        provider.fetch_candles(symbol="XYZ/USD", timeframe=Timeframe.H1, since_ms=1, limit=3)
    assert refused.value.permanent
    nowhere = example("second_exchange").SmallExchange("small", api_url="http://127.0.0.1:1")
    with pytest.raises(ProviderError) as away:
        nowhere.server_time()
    assert not away.value.permanent


def test_provider_is_found_by_the_code_of_its_exchange(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = example("second_exchange")
    monkeypatch.setitem(sys.modules, "second_exchange", module)
    monkeypatch.setitem(providers.PATHS, "small", "second_exchange.SmallExchange")
    found = providers._provider.__wrapped__("small", url)
    assert found.server_time() > 0


@pytest.mark.parametrize("name", ["fifteenth_strategy", "second_exchange"])
def test_what_the_guide_shows_is_in_the_example(name: str) -> None:
    guide = (EXAMPLES.parent / "extending.md").read_text()
    source = (EXAMPLES / f"{name}.py").read_text()
    assert f"examples/{name}.py" in guide
    shown = [block for block in guide.split("```python\n")[1:] if block.startswith(f"# {name}.py")]
    assert shown
    for block in shown:
        lines = block.partition("```")[0].strip().splitlines()[1:]
        assert "\n".join(lines) in source
