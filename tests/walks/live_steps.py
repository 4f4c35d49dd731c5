"""The steps of `tests.walks.live`, each with what must be true after it."""

import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import redis
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page

from autopilot.engine.order import OrderSide, OrderType
from autopilot.engine.preflight import Refusal
from autopilot.models import Account, LiveOrder, Order, Position, Reconciliation
from autopilot.services.order_request import OrderRequest
from autopilot.services.orders import close_position, place_order
from copilot_project.embedded.binaries import postgres_bindir
from copilot_project.embedded.state import database_url
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle, Exchange, Instrument
from tests.browser import log_in, visiting
from tests.chaos.services import REPOSITORY
from tests.chaos.up import arguments_of, children_of
from tests.walks.live import metrics_of, wait_until
from users.models import StaffChat, User

KEY, SECRET = "canary-api-key-77aa41", "canary-api-secret-c19e03"
NAME, SYMBOL = "Binance live", "BTC/USDT"
CHAT = 770_001
SIZE = {"width": 1280, "height": 1000}


class Walk:
    def __init__(self, chromium: Path, state: Path, ports: dict[str, str]) -> None:
        self.chromium, self.state, self.ports = chromium, state, ports
        self.web, self.sandbox = (f"http://127.0.0.1:{ports[each]}" for each in ("WEB_PORT", "SANDBOX_PORT"))
        self.secrets: dict[str, str] = {}

    def run(self) -> dict[str, Any]:
        for name in ("ada", "bob"):
            user = User.objects.create_superuser(name, f"{name}@example.org", "a-password-1")
            self.secrets[name] = generate_totp_secret()
            TOTP.activate(user, self.secrets[name])
        StaffChat.objects.create(
            user=User.objects.get(username="ada"), chat_id=CHAT, linked_at=timezone.now()
        )
        chat = {"id": CHAT, "first_name": "Ada"}
        httpx.post(f"{self.sandbox}/_sandbox/chats", json=chat).raise_for_status()
        account = {"key": KEY, "secret": SECRET, "balances": {"USDT": "1000000"}}
        httpx.post(f"{self.sandbox}/_sandbox/exchange/accounts", json=account).raise_for_status()
        make_instrument()
        self.instrument, self.candle = wait_until(newest_candle, "a closed candle of the sandbox's market")
        price = Decimal(repr(self.candle.close)).quantize(self.instrument.tick_size or Decimal("0.01"))
        asked = {"symbol": SYMBOL.replace("/", ""), "price": str(price)}
        httpx.post(f"{self.sandbox}/_sandbox/exchange/price", json=asked).raise_for_status()
        with visiting(self.chromium, viewport=SIZE) as (page, complaints):
            figures = self._walk(page, price)
        told = self._alarm()
        return figures | {
            "told_in_the_staff_chat": told,
            "complaints_of_the_browser": complaints,
            "canaries": [KEY, SECRET],
        }

    def _walk(self, page: Page, price: Decimal) -> dict[str, Any]:
        self._enter(page, "ada")
        self._open(page)
        account = Account.objects.get(name=NAME)
        self._wait_compared(account)
        page.goto(self.address)
        page.fill("[name=typed]", NAME)
        page.fill("[name=reason]", "The sandbox's account is tried.")
        page.click("button:text-is('Ask to arm')")
        page.wait_for_selector("text=Somebody else confirms it")
        self._enter(page, "bob")
        page.goto(self.address)
        page.fill("[name=typed]", NAME)
        page.click("text=Arm for live trading")
        page.wait_for_selector("text=trades live until")
        self._shoot(page, "armed")

        order = wait_until(lambda: self._order(account, price, "first"), "an order that is not refused")
        wait_until(lambda: LiveOrder.objects.get(pk=order.pk).state == "filled", "the order's fill")
        stops = LiveOrder.objects.filter(order__purpose="stop", state="acked")
        wait_until(stops.exists, "the stop at the exchange")
        page.goto(f"{self.address}orders/{order.pk}/")
        page.wait_for_selector(f"h1:has-text('{order.client_order_id}')")
        self._shoot(page, "order")

        page.goto(self.address)
        page.click("text=Halt now")
        page.wait_for_selector(".tag.bad:text-is('halted')")
        after = self._place(account, price, "after the halt", level=1)
        assert after.reason_code == Refusal.KILL_SWITCH, after.reason_code
        self._shoot(page, "halted")

        moment = {"candle_open_time": self.candle.open_time, "now": timezone.now(), "by": "bob"}
        close_position(account=account, instrument=self.instrument, **moment)
        wait_until(lambda: not Position.objects.exclude(quantity=0).exists(), "the exit")
        wait_until(lambda: not LiveOrder.objects.alive().exists(), "the end of all orders")
        self._wait_compared(account)
        page.goto(self.address)
        page.wait_for_selector("text=agrees")
        self._shoot(page, "reconciled")
        book = httpx.get(f"{self.sandbox}/_sandbox/exchange/book", params={"key": KEY}).json()
        return {
            "orders_in_the_exchanges_book": [(each["type"], each["status"]) for each in book["orders"]],
            "reconciliation_is_clean": Reconciliation.objects.get(account=account).is_clean,
            "canary_hits": {
                "database": self._hits_in_dump(),
                "redis": self._hits_in_redis(),
                "metrics": self._hits(metrics_of(self.ports)),
            },
        }

    def _alarm(self) -> list[str]:
        """Beat stops, and goes on: what ada's chat was told of it."""
        (up,) = (pid for pid in children_of(os.getpid()) if "up" in arguments_of(pid))
        (beat,) = (pid for pid in children_of(up) if "beat" in arguments_of(pid))
        os.killpg(beat, signal.SIGSTOP)
        wait_until(lambda: self._told("CoPilot: beat"), "the alarm in the staff chat")
        os.killpg(beat, signal.SIGCONT)
        return wait_until(lambda: self._told("beat works again"), "its end in the staff chat")

    def _told(self, words: str) -> list[str]:
        journal = httpx.get(f"{self.sandbox}/_sandbox/journal", timeout=60).json()["records"]
        texts = [(each.get("text") or "").partition("\n")[0] for each in journal if each["chat_id"] == CHAT]
        return texts if any(words in each for each in texts) else []

    @property
    def address(self) -> str:
        return f"{self.web}/admin/console/live/"

    def _enter(self, page: Page, name: str) -> None:
        page.context.clear_cookies()
        log_in(page, self.web, name, secret=self.secrets[name])

    def _open(self, page: Page) -> None:
        page.goto(self.address)
        page.fill("[name=name]", NAME)
        page.fill("[name=cash]", "100000")
        page.click("text=Open it")
        page.wait_for_selector(f"text={NAME} is open")
        page.select_option("[name=exchange]", str(Exchange.objects.get(code="binance").pk))
        page.fill("[name=api_key]", KEY)
        page.fill("[name=api_secret]", SECRET)
        page.click("text=Store the key")
        page.wait_for_selector("text=is stored")

    def _wait_compared(self, account: Account) -> None:
        began = timezone.now()
        compared = Reconciliation.objects.filter(account=account, is_clean=True)
        wait_until(lambda: compared.filter(at__gt=began).exists(), "a clean comparison")

    def _order(self, account: Account, price: Decimal, key: str) -> Order | None:
        order = self._place(account, price, f"{key} {timezone.now():%H%M%S%f}")
        return order if order.is_open else None

    def _place(self, account: Account, price: Decimal, key: str, level: int = 0) -> Order:
        """What a decision of an autopilot does."""
        now = timezone.now()
        request = OrderRequest(
            side=OrderSide.BUY,
            order_type=OrderType.MARKET,
            quantity=Decimal("0.01"),
            stop=price * Decimal("0.9"),
            is_calibrated=True,
            is_proven=True,
            key=key,
            level=level,
        )
        return place_order(
            account=account,
            instrument=self.instrument,
            timeframe=Timeframe.H1,
            candle_open_time=self.candle.open_time,
            request=request,
            as_of=now,
            now=now,
            by="walk",
        )

    def _shoot(self, page: Page, name: str) -> None:
        page.screenshot(path=REPOSITORY / "docs" / f"live-{name}.png")

    def _hits_in_dump(self) -> int:
        """As the owner: nothing is hidden from a dump."""
        command = [str(postgres_bindir() / "pg_dump"), "--inserts", database_url(self.state)]
        dump = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert NAME in dump
        return self._hits(dump)

    def _hits_in_redis(self) -> int:
        """In everything that the broker and the cache hold at that moment."""
        return sum(
            self._hits(told)
            for url in (settings.REDIS_URL, settings.CACHE_URL)
            for told in everything_in(redis.Redis.from_url(url))
        )

    def _hits(self, text: str) -> int:
        return sum(text.count(each) + text.count(each.encode().hex()) for each in (KEY, SECRET))


def everything_in(server: redis.Redis) -> Iterator[str]:
    whole = {
        "string": server.get,
        "list": lambda key: server.lrange(key, 0, -1),
        "hash": server.hgetall,
        "set": server.smembers,
        "zset": lambda key: server.zrange(key, 0, -1),
    }
    for key in server.scan_iter():
        kind = server.type(key).decode()
        if kind != "none":  # it ended meanwhile
            yield f"{key!r} {whole[kind](key)!r}"


def make_instrument() -> None:
    """What the exchange trades on the spot; the worker fetches its candles."""
    exchange, _ = Exchange.objects.get_or_create(
        code="binance", defaults={"name": "Simulated", "is_simulated": True}
    )
    steps = {"tick_size": Decimal("0.01"), "lot_step": Decimal("0.00001"), "minimum_notional": Decimal(5)}
    Instrument.objects.get_or_create(
        exchange=exchange,
        symbol=SYMBOL,
        defaults={"base": "BTC", "quote": "USDT", "market_type": "spot", **steps},
    )


def newest_candle() -> tuple[Instrument, Candle] | None:
    instrument = Instrument.objects.filter(symbol=SYMBOL, exchange__code="binance").first()
    newest = Candle.objects.filter(instrument=instrument, timeframe="1h").order_by("-open_time").first()
    if instrument is None or newest is None or newest.open_time < timezone.now() - timedelta(hours=3):
        return None
    return instrument, newest
