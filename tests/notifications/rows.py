"""Subscribers, signals and the sandbox's controls, for the tests of delivery."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Self

import httpx
from psycopg import AsyncConnection

from copilot_project.sandbox.config import DEFAULT_TOKEN
from notifications.clients.telegram import TelegramClient
from notifications.models import DeliveryPreference
from notifications.services.sender.conninfo import conninfo
from notifications.services.sender.loop import FEWEST_IN_FLIGHT, Sender, SenderOptions
from notifications.services.sender.pace import Pace
from signals.engine.ledger import EntryKind
from signals.engine.session import TradingSession
from signals.market.models import Instrument
from signals.models import Signal, SignalOutcome, SignalSource
from signals.services.ledger import append_entries
from signals.services.outcomes import ledger_facts
from signals.services.publishing import append_to_ledger
from tests.factories import make_instrument
from users.models import Subscriber, Tier

REPOSITORY = Path(__file__).resolve().parents[2]
SENDS = ("sendMessage", "sendPhoto")
ALL_SETTLED = (
    "SELECT NOT EXISTS (SELECT FROM notifications_delivery WHERE state IN ('pending', 'sending', 'retry'))"
)

_numbers = count(1)


def make_tier(**values: Any) -> Tier:
    number = next(_numbers)
    defaults: dict[str, Any] = {
        "code": f"tier-{number}",
        "name": f"Tier {number}",
        "rank": number,
        "account_types": ["demo", "live"],
    }
    return Tier.objects.create(**defaults | values)


def make_subscriber(
    *, tier: Tier | None = None, preference: dict[str, Any] | None = None, **values: Any
) -> Subscriber:
    """Somebody who gets every signal unless told otherwise."""
    number = next(_numbers)
    defaults: dict[str, Any] = {
        "display_name": f"Subscriber {number}",
        "risk_profile": "aggressive",
        "chat_id": 5_000_000_000 + number,
        "capital": Decimal(10_000),
    }
    subscriber = Subscriber.objects.create(tier=tier or make_tier(), **defaults | values)
    if preference is not None:
        instruments = preference.pop("instruments", [])
        row = DeliveryPreference.objects.create(subscriber=subscriber, **preference)
        row.instruments.set(instruments)
    return subscriber


def make_signal(
    *, instrument: Instrument | None = None, published_at: datetime | None = None, **values: Any
) -> Signal:
    """A signal in the ledger, without deliveries: `fan_out` is the test's to call."""
    moment = published_at or datetime.now(UTC)
    defaults: dict[str, Any] = {
        "instrument": instrument or make_instrument(),
        "timeframe": "1h",
        "candle_open_time": moment - timedelta(hours=1) - timedelta(microseconds=next(_numbers)),
        "source": SignalSource.HYBRID.value,
        "strategy": "rsi",
        "direction": "long",
        "confidence": 0.8,
        "entry_price": 100.0,
        "stop_loss": 95.0,
        "take_profit": 110.0,
        "reasons": ["RSI left oversold <30 & turned up"],
        "sessions": [TradingSession.LONDON.value],
        "published_at": moment,
        "expires_at": moment + timedelta(hours=4),
    }
    signal = Signal(**defaults | values)
    append_to_ledger(signal)
    return signal


def make_outcome(*, signal: Signal, **values: Any) -> SignalOutcome:
    """A signal that reached its target; nobody is told: `follow_up` is the test's to call."""
    defaults: dict[str, Any] = {
        "exit_reason": "target",
        "entered_at": signal.published_at,
        "exited_at": signal.published_at + timedelta(hours=3),
        "entry_price": 100.1,
        "exit_price": 110.0,
        "return_ratio": 0.0972,
        "r_multiple": 1.94,
        "best_r": 2.1,
        "worst_r": -0.4,
        "bars_held": 3,
        "is_ambiguous": False,
        "maker_bps": 10,
        "taker_bps": 10,
        "slippage_bps": 5,
        "recorded_at": datetime.now(UTC),
    }
    outcome = SignalOutcome(signal=signal, **defaults | values)
    [outcome.ledger_entry] = append_entries(kind=EntryKind.OUTCOME, facts=[ledger_facts(outcome)])
    outcome.save(force_insert=True)
    return outcome


class Controls:
    """The sandbox's buttons and its journal, which is the judge."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=f"{url}/_sandbox", timeout=120)
        self._since = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()

    def begin(self) -> None:
        """As if nothing had been sent, asked for or set before."""
        self._http.delete("/faults").raise_for_status()
        self.post("/latency", {"ms": 0})
        self.bot("deleteWebhook", drop_pending_updates=True)
        self._since = self.get("/journal?since=1000000000")["next"]

    def bot(self, method: str, **values: Any) -> Any:
        """A call of the Bot API; its result."""
        answer = self._http.post(f"{self.url}/bot{DEFAULT_TOKEN}/{method}", json=values)
        answer.raise_for_status()
        return answer.json()["result"]

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self._http.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    def get(self, path: str) -> Any:
        return self._http.get(path).json()

    def open_chats(self, *subscribers: Subscriber) -> None:
        for subscriber in subscribers:
            self.post("/chats", {"id": subscriber.chat_id, "first_name": subscriber.display_name})

    def fault(self, kind: str, **values: Any) -> None:
        self.post("/faults", {"kind": kind, "method": "sendMessage", "count": 1, **values})

    def sent(self, chat_id: int | None = None) -> list[dict[str, Any]]:
        """Accepted messages, oldest first."""
        records = self.get(f"/journal?since={self._since}")["records"]
        return [r for r in records if r["method"] in SENDS and chat_id in (None, r["chat_id"])]


def send_until(
    url: str,
    until: str = ALL_SETTLED,
    *,
    seconds: float = 120,
    lease_seconds: float = 30.0,
    in_flight: int = FEWEST_IN_FLIGHT,
    pace: Pace | None = None,
) -> None:
    """Run a sender against the sandbox until the SQL says true; AssertionError when it never does."""
    options = SenderOptions(conninfo(), lease_seconds, in_flight)
    asyncio.run(_send_until(url, until, seconds, options, pace or Pace()))


async def _send_until(url: str, until: str, seconds: float, options: SenderOptions, pace: Pace) -> None:
    async with TelegramClient(token=DEFAULT_TOKEN, api_url=url) as client:
        sender = Sender(client, options, pace)
        running = asyncio.create_task(sender.run())
        try:
            async with await AsyncConnection.connect(conninfo(), autocommit=True) as connection:
                async with asyncio.timeout(seconds):
                    while not (await (await connection.execute(until)).fetchone() or (False,))[0]:
                        assert not running.done(), running
                        await asyncio.sleep(0.05)
        finally:
            sender.stop()
            await running


@contextmanager
def sandbox_process(state: Path, *options: str) -> Iterator[str]:
    """The sandbox as its own process; the value is its URL."""
    command = ["-m", "copilot_project.sandbox", "--port", "0", "--shift", "0", "--state", str(state)]
    with subprocess.Popen(
        [sys.executable, *command, *options], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield next(line.split()[1] for line in process.stdout or () if line.startswith("ready "))
        finally:
            process.terminate()


@contextmanager
def sender_process(env: dict[str, str], url: str, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`manage.py send_deliveries` as in production; killed at the end if it still runs."""
    telegram = {"TELEGRAM_BOT_TOKEN": DEFAULT_TOKEN, "TELEGRAM_API_URL": url}
    command = [sys.executable, "manage.py", "send_deliveries", "--no-metrics", *options]
    with subprocess.Popen(command, cwd=REPOSITORY, env=env | telegram) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(condition: Any, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
