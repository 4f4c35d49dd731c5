"""The story's chat at a phone's width, as the pictures of the documentation."""

import shutil
from pathlib import Path

WIDTH, HEIGHT = 390, 1180
# File name, and words of the message that is shown in it.
SCENES = (("signal", "Demo story"), ("raised", "Stop beyond the entry"), ("exit", ""))


class BrowserMissingError(Exception):
    """No browser, or nothing to drive it with; the message says what to install."""


def take_pictures(url: str, folder: Path) -> list[Path]:
    """story-signal.png, story-raised.png and story-exit.png in `folder`."""
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415  (a library of development)
    except ModuleNotFoundError as error:
        raise BrowserMissingError("pictures need Playwright: run `make setup-dev`") from error
    program = shutil.which("chromium")
    if not program:
        raise BrowserMissingError("pictures need a browser: install Debian's package chromium")
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"], timeout=120_000)
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT},
            color_scheme="dark",
            timezone_id="UTC",
            locale="en-GB",
        )
        page.set_default_timeout(120_000)
        page.goto(url)
        page.wait_for_selector("#talk li")
        page.wait_for_load_state("networkidle")
        for name, words in SCENES:
            messages = page.locator("#talk > li").filter(has_text=words)
            shown = messages.first if words else messages.last
            shown.evaluate("node => node.scrollIntoView({block: 'start'})")
            path = folder / f"story-{name}.png"
            page.screenshot(path=path)
            made.append(path)
        browser.close()
    return made
