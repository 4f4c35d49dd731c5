"""`manage.py demo`: something to look at. Loading it again changes nothing that was edited since."""

import json
import os
import signal
import urllib.error
import urllib.request
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from autopilot.engine.cycle import Mode
from autopilot.models import Instance
from autopilot.services.accounts import open_account
from autopilot.services.instances import start_instance
from notifications.models import DeliveryPreference
from signals.engine.cost_rates import MarketType
from signals.engine.session import TradingSession, next_opening, sessions_at
from signals.engine.timeframe import Timeframe
from signals.market.models import Exchange, Instrument
from signals.services.jobs import start_job
from users.engine.subscriber import AccountType, RiskProfile
from users.models import Subscriber, Tier

BASES = ("BTC", "ETH", "BNB", "SOL", "XRP", "ADA", "DOGE", "AVAX", "LINK", "DOT")
DEMO = "manage.py demo"
DEMO_ACCOUNT, DEMO_CASH = "Demo 1m", Decimal(10_000)
DEMO_SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
DEMO_LABEL = "Demo: 1m, no threshold"
FIRST_CHAT_ID = 7_000_000_001  # above 2^31, as Telegram's own ids are


class Person(NamedTuple):
    name: str
    tier: str
    account_type: AccountType
    risk_profile: RiskProfile
    session_count: int


PEOPLE = (
    Person("Ada (Free)", "free", AccountType.DEMO, RiskProfile.LOW, 1),
    Person("Ben (Free)", "free", AccountType.DEMO, RiskProfile.AGGRESSIVE, 1),
    Person("Chloe (Standard)", "standard", AccountType.DEMO, RiskProfile.MEDIUM, 2),
    Person("Dev (Standard)", "standard", AccountType.LIVE, RiskProfile.LOW, 2),
    Person("Elif (Premium)", "premium", AccountType.DEMO, RiskProfile.AGGRESSIVE, 3),
    Person("Femi (Premium)", "premium", AccountType.LIVE, RiskProfile.MEDIUM, 3),
    Person("Grace (VIP)", "vip", AccountType.LIVE, RiskProfile.LOW, 3),
    Person("Hiro (VIP)", "vip", AccountType.DEMO, RiskProfile.AGGRESSIVE, 3),
)


class Command(BaseCommand):
    help = "Load tiers, ten instruments and eight subscribers whose chats live in the sandbox."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--story",
            action="store_true",
            help="load nothing: tell one managed signal from entry to exit, in a database of its own",
        )
        parser.add_argument(
            "--data",
            type=Path,
            default=os.environ.get("SANDBOX_DATA") or None,
            metavar="FOLDER",
            help="of the story's candles, <SYMBOL>_<interval>.parquet; without it they are simulated",
        )
        parser.add_argument("--screenshots", type=Path, metavar="FOLDER", help="of its chat; ends the story")
        parser.add_argument(
            "--once", action="store_true", help="end the story instead of keeping its chat open"
        )
        parser.add_argument("--story-port", type=int, help="of the chat; default: one that is free")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError(
                "The demo is for development; in production add tiers with `manage.py load_tiers`."
            )
        if options["story"]:
            self._tell(options)
            return
        call_command("load_tiers", stdout=self.stdout)
        with transaction.atomic():
            load_instruments()
            subscribers = load_subscribers(timezone.now())
            load_autopilots(timezone.now())
        if settings.SANDBOX:
            register_chats(subscribers, settings.SANDBOX_URL)
        self.stdout.write(f"Demo: {len(BASES)} instruments, {len(subscribers)} subscribers.")

    def _tell(self, options: dict[str, Any]) -> None:
        from copilot_project.story.pictures import BrowserMissingError, take_pictures  # noqa: PLC0415
        from copilot_project.story.plot import NoPlotError  # noqa: PLC0415  (compiled code)
        from copilot_project.story.staging import StagingError, story  # noqa: PLC0415

        data, port, pictures = options["data"], options["story_port"], options["screenshots"]
        try:
            with story(data=Path(data).resolve() if data else None, port=port, say=self._say) as url:
                if pictures:
                    for path in take_pictures(url, pictures):
                        self._say(f"Picture: {path}")
                elif not options["once"]:
                    self._say(
                        f"\n  Chat page  {url}\n  Ctrl-C ends it; the story's database is dropped next time."
                    )
                    signal.pause()
        except (StagingError, NoPlotError, BrowserMissingError) as error:
            raise CommandError(str(error)) from error

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def load_instruments() -> None:
    exchange, _ = Exchange.objects.get_or_create(
        code="binance", defaults={"name": "Binance", "is_simulated": settings.SANDBOX}
    )
    for base in BASES:
        Instrument.objects.get_or_create(
            exchange=exchange,
            symbol=f"{base}/USDT",
            # On margin, so that half of the demo's signals, the short ones, can be sent as well.
            defaults={
                "base": base,
                "quote": "USDT",
                "aliases": [f"{base}/USD"],
                "market_type": MarketType.MARGIN.value,
            },
        )


def load_subscribers(now: datetime) -> list[Subscriber]:
    """The demo's people who are still there; all of them where there is nobody at all: who was removed stays so."""
    if Subscriber.objects.exists():
        chats = range(FIRST_CHAT_ID, FIRST_CHAT_ID + len(PEOPLE))
        return list(Subscriber.objects.filter(chat_id__in=chats))
    tiers = Tier.objects.in_bulk(field_name="code")
    sessions = sessions_from(now)
    subscribers = []
    for number, person in enumerate(PEOPLE):
        subscriber = Subscriber.objects.create(
            chat_id=FIRST_CHAT_ID + number,
            display_name=person.name,
            tier=tiers[person.tier],
            account_type=person.account_type.value,
            risk_profile=person.risk_profile.value,
            linked_at=now,
            notes="Demo subscriber: the chat is the sandbox's.",
        )
        chosen = [session.value for session in sessions[: person.session_count]]
        DeliveryPreference.objects.create(subscriber=subscriber, sessions=chosen)
        subscribers.append(subscriber)
    return subscribers


def load_autopilots(now: datetime) -> None:
    """Three by rules on one-minute candles of the sandbox, so that a visitor sees decisions, fills and trades at once.

    They are labelled: the threshold is 0 and stops may stand within their costs, which no sensible autopilot's may.
    A fourth, on hours, gets the threshold that would have fired about weekly as soon as its candles are there.
    Where any autopilot was ever started, or the market is real, nothing is added.
    """
    if Instance.objects.exists() or not settings.SANDBOX:
        return
    account = open_account(
        name=DEMO_ACCOUNT,
        currency="USDT",
        cash=DEMO_CASH,
        by=DEMO,
        now=now,
        max_trades_a_day=None,
        cooldown_seconds=None,
        max_correlation=None,
    )
    for instrument in Instrument.objects.filter(symbol__in=DEMO_SYMBOLS, exchange__is_simulated=True):
        start_instance(
            instrument=instrument,
            timeframe=Timeframe.M1,
            interval_seconds=10,
            mode=Mode.PATTERN,
            min_confidence_threshold=0.0,
            max_trades_per_day=1_000,
            auto_execute=True,
            confirmed=True,
            account=account,
            limit_bars=1,
            hold_bars=5,
            stop_costs=0.0,
            experimental=True,
            label=DEMO_LABEL,
            by=DEMO,
            now=now,
        )
    start_job(kind="start_weekly_demo", parameters={"account": account.pk}, owner=DEMO, now=now)


def sessions_from(now: datetime) -> list[TradingSession]:
    """All sessions, those that are open or open next first: the visitor's first hour should show something."""
    current = sorted(sessions_at(now)) or [next_opening(now)[1]]
    return [*current, *(session for session in TradingSession if session not in current)]


def register_chats(subscribers: list[Subscriber], url: str) -> None:
    """Tell the sandbox's Telegram who exists: as in the real one, a bot cannot write to strangers."""
    for subscriber in subscribers:
        request = urllib.request.Request(  # noqa: S310  (the sandbox's own loopback address)
            f"{url}/_sandbox/chats",
            data=json.dumps({"id": subscriber.chat_id, "first_name": subscriber.display_name}).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            urllib.request.urlopen(request, timeout=5).close()  # noqa: S310
        except urllib.error.URLError as error:
            raise CommandError(
                f"The sandbox does not answer at {url} ({error.reason}): start it with "
                "`python -m copilot_project.sandbox`, or let `manage.py up` start everything."
            ) from error
