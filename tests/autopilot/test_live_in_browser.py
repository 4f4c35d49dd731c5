"""Live trading in Chromium against the sandbox's exchange: two persons arm, an order trades, halt, reconciliation."""

from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from autopilot.engine.preflight import Refusal
from autopilot.models import Account, LiveOrder, Position, Reconciliation
from autopilot.services.orders import close_position
from signals.market.models import Exchange
from signals.models import KillSwitch
from tests.autopilot.services.executor.exchange import KEY, PRICE, SECRET, Hands, exchange_at_work
from tests.axe import offences_in_both_themes
from tests.browser import log_in, visiting
from users.models import User

PAGE = "/admin/console/live/"
NAME = "Binance live"
SIZE = {"width": 1280, "height": 900}


@pytest.mark.browser
def test_armed_by_two_traded_halted_and_reconciled(
    chromium: Path, live_server: LiveServer, transactional_db: None, settings: Any, tmp_path: Path
) -> None:
    settings.LIVE_TRADING_ALLOWED = True
    settings.EXCHANGE_KEY_SECRETS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
    for name in ("ada", "bob"):
        User.objects.create_superuser(name, f"{name}@example.org", "a-password-1")
    exchange, _ = Exchange.objects.get_or_create(code="binance", defaults={"name": "Binance"})
    with exchange_at_work(tmp_path) as far, visiting(chromium, viewport=SIZE) as (page, complaints):
        settings.EXCHANGE_API_URL = f"{far.url}/binance"
        far.price(PRICE)
        far.open_account()
        address = live_server.url + PAGE

        log_in(page, live_server.url, "ada")
        opened_with_key(page, address, exchange)
        hands = Hands(far, account=Account.objects.get(name=NAME))
        hands.executor.start()
        hands.turn(seconds=0)
        ask_to_arm(page, address)
        page.context.clear_cookies()
        secret = generate_totp_secret()
        TOTP.activate(User.objects.get(username="bob"), secret)
        log_in(page, live_server.url, "bob", secret=secret)
        confirm(page, address)

        order = hands.order("0.01", stop=PRICE * 9 / 10)
        assert order.is_open, order.reason_code
        hands.turn(2, seconds=0)
        page.goto(address)
        page.wait_for_selector("text=agrees")
        page.click("section[aria-labelledby=h-orders] th a >> nth=-1")
        page.wait_for_selector(f"h1:has-text('{order.client_order_id}')")
        assert LiveOrder.objects.get(pk=order.pk).state == "filled"

        page.goto(address)
        page.click("text=Halt now")
        page.wait_for_selector("text=no new exposure leaves")
        page.wait_for_selector(".tag.bad:text-is('halted')")
        assert offences_in_both_themes(page) == []
        assert hands.order("0.01", key="after", level=1).reason_code == Refusal.KILL_SWITCH
        close_position(
            account=hands.account,
            instrument=hands.instrument,
            candle_open_time=order.candle_open_time,
            now=hands.now(),
            by="bob",
        )
        hands.turn(4)
        page.goto(address)
        page.wait_for_selector("text=agrees")
        assert SECRET not in page.content()
        assert {each["status"] for each in far.book()["orders"]} == {"FILLED", "CANCELED"}
    assert complaints == []
    assert KillSwitch.objects.get().state == "engaged"
    assert Position.objects.get().quantity == 0
    assert Reconciliation.objects.get().is_clean


def opened_with_key(page: Page, address: str, exchange: Exchange) -> None:
    page.goto(address)
    page.fill("[name=name]", NAME)
    page.fill("[name=cash]", "100000")
    page.click("text=Open it")
    page.wait_for_selector(f"text={NAME} is open")
    page.select_option("[name=exchange]", str(exchange.pk))
    page.fill("[name=api_key]", KEY)
    page.fill("[name=api_secret]", SECRET)
    page.click("text=Store the key")
    page.wait_for_selector("text=is stored")


def ask_to_arm(page: Page, address: str) -> None:
    page.goto(address)
    page.fill("[name=typed]", NAME)
    page.fill("[name=reason]", "The sandbox's account is tried.")
    page.click("button:text-is('Ask to arm')")
    page.wait_for_selector("text=Somebody else confirms it")


def confirm(page: Page, address: str) -> None:
    page.goto(address)
    page.fill("[name=typed]", NAME)
    page.click("text=Arm for live trading")
    page.wait_for_selector("text=trades live until")
