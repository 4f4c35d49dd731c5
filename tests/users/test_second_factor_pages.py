"""In a browser: an authenticator app set up and used, a passkey made and logged in with, all in the console's looks."""

import re
from pathlib import Path

import pytest
from django.core.cache import cache
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from tests.browser import log_in, visiting
from tests.users.totp import totp
from users.models import User

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "a-password-1"
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def url(live_server: LiveServer) -> str:
    """Browsers know passkeys by name, never by number."""
    cache.clear()
    User.objects.create_superuser("boss", "boss@example.com", PASSWORD)
    return live_server.url.replace("127.0.0.1", "localhost")


def show_password(page: Page) -> None:
    page.fill("[name=password]", PASSWORD)
    page.click("text=Confirm >> nth=-1")


def log_out(page: Page, url: str) -> None:
    page.goto(f"{url}/accounts/logout/")
    page.click("button.primary")
    page.wait_for_url("**/accounts/login/**")


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_app_is_set_up_and_asked_for(chromium: Path, url: str) -> None:
    with visiting(chromium, viewport={"width": 390, "height": 800}) as (page, complaints):
        log_in(page, url)
        page.goto(f"{url}/accounts/2fa/")
        assert fits(page)
        page.goto(f"{url}/accounts/2fa/totp/activate/")
        show_password(page)
        secret = page.input_value("#authenticator_secret")
        assert page.evaluate("document.querySelector('img.qr').naturalWidth") > 0
        assert fits(page)
        page.fill("[name=code]", totp(secret))
        page.click("text=Activate >> nth=-1")
        page.wait_for_url(re.compile(r"/accounts/2fa/(?!totp)"))
        log_out(page, url)
        cache.clear()  # the code of this half minute was used already
        page.goto(f"{url}/accounts/login/")
        page.fill("[name=login]", "boss")
        page.fill("[name=password]", PASSWORD)
        page.click("text=Log in >> nth=-1")
        page.fill("[name=code]", totp(secret))
        assert fits(page)
        page.click("button.primary")
        page.wait_for_selector("#content")
        assert complaints == []


def test_passkey_is_made_and_opens_the_console_without_a_password(chromium: Path, url: str) -> None:
    with visiting(chromium) as (page, complaints):
        cdp = page.context.new_cdp_session(page)
        cdp.send("WebAuthn.enable")
        cdp.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        log_in(page, url)
        page.goto(f"{url}/accounts/2fa/webauthn/add/")
        show_password(page)
        page.check("[name=passwordless]")
        page.click("#mfa_webauthn_add")
        page.wait_for_url(re.compile(r"/accounts/2fa/(?!webauthn/add)"))
        log_out(page, url)
        page.click("#passkey_login")
        page.wait_for_selector("#content")
        assert page.url == f"{url}/admin/"
        assert complaints == []


def test_passkey_that_nobody_has_is_told_on_the_page(chromium: Path, url: str) -> None:
    with visiting(chromium) as (page, complaints):
        cdp = page.context.new_cdp_session(page)
        cdp.send("WebAuthn.enable")
        cdp.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        page.goto(f"{url}/accounts/login/")
        page.click("#passkey_login")
        page.wait_for_selector("#passkey-error:not([hidden])")
        assert "The passkey was not used" in page.inner_text("#passkey-error")
        assert complaints == []
