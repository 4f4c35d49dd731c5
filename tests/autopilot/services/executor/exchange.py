"""The sandbox's exchange on a port of its own, in a thread, with a live account that may trade there."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web
from django.utils import timezone

from autopilot.engine.order import OrderPurpose, OrderSide, OrderType
from autopilot.models import Account, AccountKind, Order
from autopilot.services.executor.loop import Executor
from autopilot.services.live.arming import confirm_arming, request_arming
from autopilot.services.live.keys import store_key
from autopilot.services.order_request import OrderRequest
from autopilot.services.orders import place_order
from copilot_project.sandbox.app import build_app
from copilot_project.sandbox.certificate import CERTIFICATE, serving
from copilot_project.sandbox.config import SandboxConfig
from copilot_project.sandbox.exchange.timeline import Timeline
from copilot_project.sandbox.exchange.venue import Venue
from copilot_project.sandbox.market.simulated import TICKS, SimulatedMarket
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle, Exchange, Instrument
from tests.autopilot.accounts import NO_LIMITS, make_account
from tests.factories import make_instrument

KEY, SECRET = "canary-api-key-4f1d", "canary-api-secret-9b2e"
MARKET = SimulatedMarket(seed=7)
PRICE = Decimal(50_000)


class FarEnd:
    """The exchange as a test drives it."""

    def __init__(self, url: str, tls_url: str, certificate: Path) -> None:
        self.url, self.tls_url, self.certificate = url, tls_url, certificate

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._ask(
            urllib.request.Request(
                self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
            )
        )

    def fault(self, kind: str, method: str = "POST order", count: int | None = 1, **more: Any) -> None:
        self.post(
            "/_sandbox/faults", {"kind": kind, "target": "exchange", "method": method, "count": count} | more
        )

    def forget_faults(self) -> None:
        self._ask(urllib.request.Request(self.url + "/_sandbox/faults", method="DELETE"))

    def lie(self, **lies: Any) -> None:
        self.post("/_sandbox/exchange/lies", lies)

    def price(self, price: Decimal | str, symbol: str = "BTCUSDT") -> None:
        self.post("/_sandbox/exchange/price", {"symbol": symbol, "price": str(price)})

    def open_account(self, key: str = KEY, secret: str = SECRET, **more: Any) -> None:
        balances = {"balances": {"USDT": "1000000"}}
        self.post("/_sandbox/exchange/accounts", {"key": key, "secret": secret} | balances | more)

    def book(self, key: str = KEY) -> Any:
        return self._ask(self.url + f"/_sandbox/exchange/book?key={key}")

    def _ask(self, request: Any) -> Any:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())


@contextmanager
def exchange_at_work(folder: Path) -> Iterator[FarEnd]:
    ready, stop = threading.Event(), asyncio.Event()
    told: dict[str, Any] = {}

    async def serve() -> None:
        venue = Venue(MARKET, Timeline(), "Simulated market (seed 7)", TICKS)
        runner = web.AppRunner(
            build_app(SandboxConfig(state=folder, weight_limit=10**9), venue),
            access_log=None,
            shutdown_timeout=0.1,
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=serving(folder)).start()
        plain, safe = (address[1] for address in runner.addresses)
        told["urls"] = f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{safe}"
        told["loop"] = asyncio.get_running_loop()
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield FarEnd(*told["urls"], folder / CERTIFICATE)
    finally:
        told["loop"].call_soon_threadsafe(stop.set)
        thread.join(10)


class Hands:
    """A live account, its instrument and an executor whose clock a test may turn forward."""

    def __init__(
        self, far: FarEnd, *, key: str = KEY, secret: str = SECRET, account: Account | None = None
    ) -> None:
        """account: one that has its key already."""
        self.far, self.ahead, self.key = far, timedelta(0), key
        exchange, _ = Exchange.objects.get_or_create(code="binance", defaults={"name": "Binance"})
        self.instrument = self.instrument_of("BTC/USDT")
        self.exchange = exchange
        if account is None:
            account = make_account(
                kind=AccountKind.LIVE, cash=Decimal(1_000_000), **NO_LIMITS, max_orders_a_minute=None
            )
            store_key(
                account=account, exchange=exchange, api_key=key, api_secret=secret, by="ada", now=self.now()
            )
        self.account = account
        self.executor = Executor(self.now)

    def instrument_of(self, symbol: str) -> Instrument:
        return Instrument.objects.filter(symbol=symbol, exchange__code="binance").first() or make_instrument(
            symbol=symbol,
            base=symbol.split("/", maxsplit=1)[0],
            market_type="spot",
            tick_size=Decimal("0.01"),
            lot_step=Decimal("0.00001"),
            minimum_notional=Decimal(5),
        )

    def now(self) -> datetime:
        return timezone.now() + self.ahead

    def wait(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)

    def ready(self) -> None:
        """Started, compared, armed."""
        self.executor.start()
        self.turn()
        self.arm()

    def arm(self, hours: int = 8) -> None:
        arming = request_arming(
            account=self.account, typed=self.account.name, reason="test", by="ada", now=self.now()
        )
        confirm_arming(
            arming=arming,
            typed=self.account.name,
            by="bob",
            may_be_same=False,
            now=self.now(),
            hours=hours,
        )

    def turn(self, times: int = 1, seconds: float = 6.0) -> None:
        """Each turn compares, too."""
        for _ in range(times):
            self.executor.turn()
            self.wait(seconds)

    def restart(self) -> None:
        self.executor = Executor(self.now)
        self.executor.start()

    def order(self, quantity: str = "0.01", **values: Any) -> Order:
        now = self.now()
        opened = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        instrument = values.pop("instrument", self.instrument)
        price = float(PRICE)
        Candle.objects.get_or_create(
            instrument=instrument,
            timeframe="1h",
            open_time=opened,
            defaults={"open": price, "high": price, "low": price, "close": price, "volume": 1.0},
        )
        given = {
            "side": OrderSide.BUY,
            "order_type": OrderType.MARKET,
            "quantity": Decimal(quantity),
            "purpose": OrderPurpose.ENTRY,
            "is_calibrated": True,
            "is_proven": True,
        }
        return place_order(
            account=self.account,
            instrument=instrument,
            timeframe=Timeframe.H1,
            candle_open_time=opened,
            request=OrderRequest(**given | values),
            as_of=now,
            now=now,
            by="test",
        )
