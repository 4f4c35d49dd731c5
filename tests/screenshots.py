"""Draws the console's screenshots anew: python -m pytest tests/screenshots.py, or `make screenshots`.

They land in docs/console/: each page in dark, light and at a phone's width. Not among the tests, which pytest
finds by their names. The market is simulated, and every picture says so.
"""

import contextlib
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone
from PIL import Image
from playwright.sync_api import Page
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from notifications.services.fan_out import fan_out
from research.selectors.performance import open_rows
from signals.market.models import Instrument
from signals.models import Job, JobState, Signal
from signals.services.evaluation import evaluate
from signals.services.jobs import JobRun, run_here
from tests.autopilot.live_rows import live_day
from tests.browser import log_in, visiting
from tests.factories import make_instrument
from tests.notifications.rows import make_subscriber, make_tier
from tests.research.console_rows import alive, last_hour, past
from tests.research.picture_rows import delivery_pages, research_pages, stopped_page, trading_pages
from users.models import User

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "console"
DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
LOOKS = {"dark": (DESKTOP, "dark"), "light": (DESKTOP, "light"), "phone": (PHONE, "dark")}


def overview(instruments: list[Instrument]) -> str:
    return "/admin/"


def instrument(instruments: list[Instrument]) -> str:
    return f"/admin/console/charts/{instruments[0].pk}/"


PAGES: dict[str, Callable[[list[Instrument]], str]] = {"overview": overview, "instrument": instrument}


def full_system() -> list[Instrument]:
    instruments = past(
        symbols={"BTC/USDT": 67_000.0, "ETH/USDT": 3_400.0, "SOL/USDT": 150.0}, bars=8000, every=40
    )
    tiers = [
        make_tier(code=code, name=code.title(), rank=rank) for code, rank in (("vip", 4), ("premium", 3))
    ]
    for tier in (*tiers, tiers[0]):
        make_subscriber(tier=tier)
    for signal in Signal.objects.filter(published_at__gt=last_hour() - timedelta(hours=20)):
        fan_out(signal=signal)
    for hours in range(6, 0, -1):
        for each in instruments:
            evaluate(
                instrument=each, candle_open_time=last_hour() - timedelta(hours=hours), as_of=last_hour()
            )
    assert open_rows(now=last_hour() + timedelta(hours=1)).exists()
    return instruments


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_draw(chromium: Path, live_server: LiveServer, settings: Settings) -> None:
    settings.SANDBOX = True
    instruments = full_system()
    pages = {name: address(instruments) for name, address in PAGES.items()}
    pages |= trading_pages(instruments[0]) | research_pages(instruments) | delivery_pages()
    draw(chromium, live_server.url, pages)
    draw(chromium, live_server.url, stopped_page())


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_draw_live_trading(chromium: Path, live_server: LiveServer, settings: Settings) -> None:
    settings.SANDBOX = settings.LIVE_TRADING_ALLOWED = True
    bought, unsure = (
        make_instrument(symbol=f"{base}/USDT", base=base, market_type="spot") for base in ("BTC", "SOL")
    )
    live_day(bought=bought, unsure=unsure, now=timezone.now())
    draw(chromium, live_server.url, {"live": "/admin/console/live/"})


TITLES = {
    "overview": "Overview",
    "instrument": "An instrument: candles, signals, evaluations",
    "analytics": "Analytics",
    "archive": "Archive",
    "deliveries": "Deliveries live",
    "timeline": "One signal on its way",
    "kill-switch": "The kill switch, engaged, with a request that waits",
    "autopilots": "Autopilots: the form, and how often a threshold would have fired",
    "autopilot": "An autopilot: every decision with its reasons",
    "live": "Live trading",
    "models": "AI management: the card of a model",
    "backtests": "Research: ask for a backtest, choose runs to compare",
    "backtest": "Research: what may be believed of a run",
    "compare": "Research: runs compared",
    "sweep": "Sweeps: sensitivity map and walk-forward",
    "portfolio": "Portfolio: frontier, weights, risk, and whether 1/N is better",
    "experiment": "A/B tests: a running one",
    "jobs": "Jobs",
    "job": "A job under way",
}
PAGE = """# The console in pictures

Drawn by `make screenshots`, which writes this page too; the market is simulated, and every picture says so.

| Page | | | |
|---|---|---|---|
"""


def write_page() -> None:
    """docs/console.md with every picture that is there."""
    lines = []
    for name, title in TITLES.items():
        if (FOLDER / f"{name}-dark.png").exists():
            links = " | ".join(f"[{look}](console/{name}-{look}.png)" for look in LOOKS)
            lines.append(f"| {title} | {links} |")
    (FOLDER.parent / "console.md").write_text(PAGE + "\n".join(lines) + "\n")


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_draw_jobs(chromium: Path, live_server: LiveServer) -> None:
    now = timezone.now()
    worked("import_candles", refused)
    for kind in ("replay", "report_strategies"):
        worked(kind, lambda run: {"signals": 412, "mean_r": 0.08})
    lease = {"lease_token": uuid4(), "lease_until": now + timedelta(minutes=1), "heartbeat_at": now}
    asked = {"owner": "ada", "code_version": "1f61cec", "created_at": now, "queue": "training"}
    Job.objects.create(**asked, kind="train_selector")
    running = Job.objects.create(
        **asked,
        **lease,
        kind="backfill",
        parameters={"timeframe": "1h", "days": 365},
        state=JobState.RUNNING,
        progress_done=5_240,
        progress_total=8_760,
        message="BTC/USDT 1h, up to 2026-06-07",
        attempt=1,
        started_at=now,
    )
    pages = {"jobs": "", "job": f"{running.pk}/"}
    draw(chromium, live_server.url, {name: reverse("research:jobs") + rest for name, rest in pages.items()})


def worked(kind: str, work: Callable[[JobRun], dict[str, Any]]) -> Job:
    with contextlib.suppress(ValueError):
        run_here(kind=kind, parameters={"every": 5}, owner="bob", work=work)
    return Job.objects.latest()


def refused(run: JobRun) -> dict[str, Any]:
    raise ValueError("btc_1h.csv: two rows for 2026-05-04 12:00, 67120.5 and 67118.0 at the close")


def draw(chromium: Path, url: str, pages: dict[str, str]) -> None:
    if not User.objects.filter(username="boss").exists():
        User.objects.create_superuser("boss", "boss@example.com", "a-password-1")
    FOLDER.mkdir(exist_ok=True)
    for look, (size, scheme) in LOOKS.items():
        with visiting(chromium, viewport=size, color_scheme=scheme) as (page, complaints):
            log_in(page, url)
            for name, address in pages.items():
                page.set_viewport_size(size)
                alive()
                page.goto(url + address)
                picture(page, FOLDER / f"{name}-{look}.png")
            assert complaints == []
    write_page()


def picture(page: Page, path: Path) -> None:
    """The whole page once its charts are drawn and its fonts are there."""
    for chart in page.query_selector_all(".plot"):
        chart.wait_for_element_state("visible")
    page.wait_for_function("[...document.querySelectorAll('.plot')].every((chart) => chart.dataset.drawn)")
    page.evaluate("document.fonts.ready")
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)
    height = page.evaluate("document.documentElement.scrollHeight")
    width = page.viewport_size["width"] if page.viewport_size else DESKTOP["width"]
    page.set_viewport_size({"width": width, "height": height})  # the menu reaches as far as the page
    page.wait_for_timeout(500)
    drawn = Image.open(BytesIO(page.screenshot()))
    drawn.convert("RGB").quantize(colors=128).save(path, optimize=True)
