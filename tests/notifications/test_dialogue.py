"""The whole dialogue at a phone's width. `make screenshots` draws it: BOT_PICTURES is the folder."""

import os
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from copilot_project.sandbox.config import DEFAULT_TOKEN
from tests.browser import visiting
from tests.notifications import dialogue
from tests.notifications.bot_worker import working
from tests.notifications.rows import Controls

SECRET = "secret-of-the-webhook"


def draw_into(page: Page, name: str) -> None:
    folder = os.environ.get("BOT_PICTURES")
    if folder is None:
        return
    page.wait_for_timeout(400)  # the page has scrolled to its end
    drawn = Image.open(BytesIO(page.screenshot()))
    Path(folder).mkdir(parents=True, exist_ok=True)
    drawn.convert("RGB").quantize(colors=128).save(Path(folder) / f"{name}.png", optimize=True)


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_whole_dialogue(
    chromium: Path, telegram: Controls, live_server: LiveServer, settings: Settings
) -> None:
    settings.TELEGRAM_API_URL, settings.TELEGRAM_BOT_TOKEN = telegram.url, DEFAULT_TOKEN
    settings.TELEGRAM_WEBHOOK_SECRET, settings.TELEGRAM_STARS = SECRET, True
    settings.LEDGER_SIGNING_KEY = "ab" * 32
    person = dialogue.furnish(telegram)
    telegram.bot("setWebhook", url=f"{live_server.url}/telegram/webhook", secret_token=SECRET)
    telegram.post("/limits", {"enabled": False})
    try:
        with (
            visiting(chromium, viewport=dialogue.PHONE, color_scheme="light") as (page, complaints),
            working(),
        ):

            def draw(name: str) -> None:
                wide = page.evaluate("document.documentElement.scrollWidth")
                assert wide <= dialogue.PHONE["width"], f"{name} is wider than the phone"
                draw_into(page, name)

            dialogue.subscriber_talks(page, telegram, person, draw)
            dialogue.subscriber_stops(page, telegram, draw)
            dialogue.staff_talk(page, telegram, draw)
            assert complaints == []
    finally:
        telegram.post("/limits", {"enabled": True})
