"""A real browser at our pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connections
from playwright.sync_api import ConsoleMessage, Page, sync_playwright

from tests.users.totp import totp

PATIENCE_MS = 120_000  # Playwright's 30 s are less than a loaded machine may need for a start or a page


@contextmanager
def visiting(chromium: Path, **options: Any) -> Iterator[tuple[Page, list[str]]]:
    """A page, and what it complained of: errors in its console and exceptions of its scripts."""
    complaints: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"], timeout=PATIENCE_MS
        )
        page = browser.new_page(**options)
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        try:
            yield page, complaints
        finally:
            browser.close()
            # Inside Playwright's event loop Django keeps a connection of its own, which nobody else would close.
            connections.close_all()


def log_in(
    page: Page, url: str, name: str = "boss", password: str = "a-password-1", secret: str = ""
) -> None:
    """Through the form that a visitor of any page is sent to; `secret` is that of an authenticator app."""
    page.goto(f"{url}/admin/")
    page.fill("[name=login]", name)
    page.fill("[name=password]", password)
    page.click("text=Log in >> nth=-1")
    if secret:
        page.wait_for_selector("[name=code]")
        page.fill("[name=code]", totp(secret))
        page.press("[name=code]", "Enter")
    page.wait_for_selector("#content")
