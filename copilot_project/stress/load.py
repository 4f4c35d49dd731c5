"""People who are owed every signal, signals at a steady rate through the real publication, and the wait."""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from threading import Event

from django.core.management import call_command
from django.db import connection

from copilot_project.management.commands.demo import FIRST_CHAT_ID, load_instruments
from notifications.models import OPEN_STATES, Delivery
from signals.engine.strategy import Direction, StrategySignal
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.models import Signal, SignalSource
from signals.services.publishing import publish
from users.engine.subscriber import AccountType, RiskProfile
from users.models import Subscriber, Tier

FIRST_CANDLE = datetime(2026, 1, 1, tzinfo=UTC)
DELAYS = {"free": 3}  # seconds; 15 minutes in life
PUBLISHERS = 2
LOOK_SECONDS, SAY_SECONDS = 1.0, 5.0
STILL_SECONDS = 60.0
DECISION = StrategySignal(
    "rsi", Direction.LONG, 0.8, 100.0, 95.0, 110.0, ("Stress test: not a real signal.",)
)


@dataclass
class Load:
    """What was asked for: signals a second, for how many seconds, and how long a signal is valid."""

    rate: float
    seconds: float
    valid_seconds: float
    committed: int = 0

    def publish(self, check: Callable[[], None], say: Callable[[str], None]) -> None:
        """Each signal at its turn, late ones at once, none after `seconds`; those committed are counted."""
        began, total, stop = time.monotonic(), max(1, round(self.rate * self.seconds)), Event()
        with ThreadPoolExecutor(PUBLISHERS) as publishers:
            shares = [
                publishers.submit(self._publish_share, range(first, total, PUBLISHERS), began, stop)
                for first in range(PUBLISHERS)
            ]
            try:
                while wait(shares, timeout=SAY_SECONDS, return_when=FIRST_EXCEPTION).not_done:
                    check()
                    say(f"{Signal.objects.count()} of {total} signals committed")
            finally:
                stop.set()
            self.committed = sum(share.result() for share in shares)

    def _publish_share(self, numbers: range, began: float, stop: Event) -> int:
        """How many of these were committed. In a thread with a connection of its own."""
        instruments = list(Instrument.objects.select_related("exchange"))
        committed = 0
        for number in numbers:
            waits = max(0.0, began + number / self.rate - time.monotonic())
            if stop.wait(waits) or time.monotonic() - began >= self.seconds:
                break
            publish(
                instrument=instruments[number % len(instruments)],
                decision=DECISION,
                timeframe=Timeframe.M1,
                candle_open_time=FIRST_CANDLE + timedelta(minutes=number),
                source=SignalSource.HYBRID,
                valid_for=timedelta(seconds=self.valid_seconds),
            )
            committed += 1
        connection.close()
        return committed


def make_people(number: int) -> list[Subscriber]:
    """Subscribers of all tiers in turn, with no wish that would exclude them; Free waits seconds, not minutes."""
    call_command("load_tiers", stdout=StringIO())
    load_instruments()
    for tier in Tier.objects.all():
        tier.max_sessions, tier.account_types = None, [kind.value for kind in AccountType]
        tier.delay_seconds = DELAYS.get(tier.code, 0)
        tier.save()
    tiers = list(Tier.objects.order_by("rank"))
    return Subscriber.objects.bulk_create(
        Subscriber(
            display_name=f"Subscriber {one}",
            tier=tiers[one % len(tiers)],
            account_type=AccountType.DEMO.value,
            risk_profile=RiskProfile.AGGRESSIVE.value,
            chat_id=FIRST_CHAT_ID + one,
            capital=Decimal(1_000) * (1 + one % 20),
        )
        for one in range(number)
    )


def wait_until_settled(check: Callable[[], None], say: Callable[[str], None]) -> None:
    """Until no delivery is open, or for a minute after the last one that could expire nothing has changed."""
    left, changed_at = -1, time.monotonic()
    while left and time.monotonic() - changed_at < STILL_SECONDS:
        time.sleep(LOOK_SECONDS)
        check()
        now_left = Delivery.objects.filter(state__in=OPEN_STATES).count()
        if now_left != left:
            left, changed_at = now_left, time.monotonic()
            say(f"{left} deliveries are open")


def latencies_ms() -> dict[str, dict[str, float | None]]:
    """Milliseconds from release to Telegram's answer, by tier; None where nothing was sent."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT t.code, percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (
                    ORDER BY extract(epoch FROM d.sent_at - d.due_at) * 1000)
                FROM users_tier t LEFT JOIN notifications_delivery d ON d.tier = t.code AND d.state = 'sent'
                GROUP BY t.code, t.rank ORDER BY t.rank DESC"""
        )
        found = cursor.fetchall()
    return {
        code: {
            name: None if values is None or value is None else round(float(value), 1)
            for name, value in zip(("p50", "p95", "p99"), values or [None] * 3, strict=True)
        }
        for code, values in found
    }
