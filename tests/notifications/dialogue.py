"""The bot's whole dialogue, as somebody with a phone has it: the sandbox in Chromium, web and worker behind it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

from django.contrib.auth.models import Permission
from django.db import connections
from playwright.sync_api import Locator, Page, expect

from notifications.services.fan_out import fan_out
from signals.models import KillSwitch
from signals.services.ledger_heads import sign_head
from tests.browser import PATIENCE_MS
from tests.notifications.rows import (
    Controls,
    make_outcome,
    make_signal,
    make_subscriber,
    make_tier,
    send_until,
)
from users.models import Subscriber, User
from users.services import issue_link_token, issue_staff_token

PHONE = {"width": 390, "height": 844}
VISITOR, STAFF = 7_100_000_001, 7_100_000_002
Draw = Callable[[str], None]


class Phone:
    """One chat on the sandbox's page."""

    def __init__(self, page: Page, url: str, chat_id: int) -> None:
        self.page = page
        expect.set_options(timeout=PATIENCE_MS)

        page.goto(f"{url}/?chat={chat_id}")
        expect(page.get_by_text(f"chat {chat_id}")).to_be_visible()

    @property
    def told(self) -> Locator:
        """What the bot has said."""
        return self.page.locator("#talk > li:not(.mine):not(.day)")

    @property
    def newest(self) -> Locator:
        return self.told.last

    def says(self, text: str, answered: str) -> None:
        expect(self.page.get_by_label("Message to the bot")).to_be_enabled()
        known = self.told.count()
        self.page.get_by_label("Message to the bot").fill(text)
        self.page.get_by_role("button", name="Send").click()
        expect(self.told).to_have_count(known + 1)
        expect(self.newest).to_contain_text(answered)

    def presses(self, button: str, answered: str) -> None:
        self.newest.get_by_role("button", name=button).click()
        expect(self.newest).to_contain_text(answered)


def furnish(telegram: Controls) -> Subscriber:
    """A subscriber who is not linked yet, and a tier that is sold."""
    make_tier(code="gold", name="Gold", stars_price=500, stars_days=30, max_sessions=None)
    for chat_id, name in ((VISITOR, "Ada"), (STAFF, "Grace")):
        telegram.post("/chats", {"id": chat_id, "first_name": name})
    tier = make_tier(code="silver", name="Silver", max_sessions=2)
    return make_subscriber(tier=tier, display_name="Ada", chat_id=None)


def subscriber_talks(page: Page, telegram: Controls, person: Subscriber, draw: Draw) -> None:
    phone = Phone(page, telegram.url, VISITOR)
    phone.says("/start", "This chat is not linked")
    phone.says(f"/start {issue_link_token(subscriber=person, now=datetime.now(UTC))}", "Welcome, Ada!")
    draw("start")
    phone.says("/help", "/settings – ")
    draw("help")
    _chooses(phone, draw)
    _is_sent_a_signal(telegram, phone)
    draw("signal")
    phone.says("/last", "Entry")
    draw("last")
    phone.says("/performance", "1 signal since")
    draw("performance")
    phone.says("/verify", "Of which signal?")
    phone.presses("LONG", "verify_ledger.py --receipt")
    draw("verify")
    phone.says("/pause", "Paused until you send /resume")
    phone.presses("1 hour", "UTC")
    draw("pause")
    phone.says("/resume", "Signals come again")
    _pays(phone, draw)


def _chooses(phone: Phone, draw: Draw) -> None:
    phone.says("/settings", "Your settings")
    draw("settings")
    phone.presses("Sessions", "up to 2")
    phone.presses("London", "✓ London")
    draw("sessions")
    phone.presses("Back", "Your settings")
    phone.presses("Daily cap", "signals a day")
    phone.presses("5", "✓ 5")
    phone.presses("Back", "Your settings")
    phone.presses("Capital", "Back")
    phone.says("25000", "25,000")
    phone.says("/settings", "Your settings")
    phone.presses("Language", "Deutsch")
    phone.presses("Deutsch", "✓ Deutsch")
    phone.says("/settings", "Einstellungen")
    draw("german")
    phone.presses("Sprache", "English")
    phone.presses("English", "✓ English")


def _is_sent_a_signal(telegram: Controls, phone: Phone) -> None:
    now = datetime.now(UTC)
    signal = make_signal(published_at=now - timedelta(hours=3), expires_at=now + timedelta(hours=1))
    assert fan_out(signal=signal) == 1
    with ThreadPoolExecutor(1) as beside:  # an event loop of its own
        beside.submit(partial(send_until, telegram.url)).result()
        beside.submit(connections.close_all).result()
    expect(phone.newest).to_contain_text("LONG")
    phone.presses("I acted", "You acted")
    make_outcome(signal=signal, recorded_at=now)
    sign_head(now=datetime.now(UTC))


def _pays(phone: Phone, draw: Draw) -> None:
    phone.says("/tier", "Silver")
    draw("tier")
    phone.presses("Gold: 30 days for 500", "30 days of Gold")
    phone.presses("Pay", "Gold")
    expect(phone.page.locator("#talk")).to_contain_text("You paid ⭐ 500")
    expect(phone.newest).not_to_contain_text("30 days of Gold. No refund")
    draw("stars")


def subscriber_stops(page: Page, telegram: Controls, draw: Draw) -> None:
    phone = Phone(page, telegram.url, VISITOR)
    phone.says("/stop", "End your subscription?")
    phone.presses("No, go on", "stays as it is")
    phone.says("/stop", "End your subscription?")
    draw("stop")
    phone.presses("Yes, stop", "Stopped")
    assert Subscriber.objects.get(chat_id=VISITOR).status == "archived"


def staff_talk(page: Page, telegram: Controls, draw: Draw) -> None:
    user = User.objects.create_user("grace", "grace@example.com", "x", is_staff=True)
    rights = ("change_killswitch", "view_heartbeat")
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    phone = Phone(page, telegram.url, STAFF)
    phone.says(f"/start {issue_staff_token(user=user, now=datetime.now(UTC))}", "staff chat of grace")
    phone.says("/status", "System status")
    draw("staff-status")
    phone.says("/kill", "Stop all sending?")
    draw("staff-kill")
    phone.presses("Yes, stop everything", "nothing goes out")
    assert KillSwitch.objects.get().state == "engaged"
    phone.says("/status", "Sending stopped")
