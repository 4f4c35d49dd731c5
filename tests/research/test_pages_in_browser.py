"""The research pages in Chromium: asked wrongly, asked rightly, watched, seen, compared, exported, ended.

One browser and one login for all: nothing is in the console's error log, nothing leaves the host, and axe-core finds
nothing serious in dark and in light. Backtests and sweeps have browser tests of their own beside their other tests.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from research.models import PortfolioStudy
from research.services.portfolios import carry_out_portfolio
from signals.market.models import Instrument
from signals.models import Action
from signals.services.job_lease import take_lease
from signals.services.job_run import carry_out
from tests.axe import axe_source, offences
from tests.browser import log_in, visiting
from tests.research.services.test_backtests import two_markets
from tests.research.test_archive import three
from users.models import User

SOURCE = axe_source()


class Visit:
    """A person at the pages; what axe-core finds serious is kept by page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.offences: dict[str, list[str]] = {}

    def go(self, name: str, *arguments: object, query: str = "") -> None:
        self.page.goto(self.url + reverse(f"research:{name}", args=arguments) + query)

    def choose(self, instruments: list[Instrument]) -> None:
        for each in instruments:
            self.page.check(f"input[name=instruments][value='{each.pk}']")

    def drawn(self, *charts: str) -> None:
        for chart in charts:
            self.page.wait_for_selector(f"#{chart}[data-drawn]")

    def read(self) -> str:
        return self.page.inner_text("#content")

    def downloaded(self, link: str) -> str:
        with self.page.expect_download() as download:
            self.page.click(link)
        return Path(download.value.path()).read_bytes().decode(errors="replace")

    def judge(self, name: str) -> None:
        if SOURCE:
            for scheme in ("dark", "light"):
                self.page.emulate_media(color_scheme=scheme)
                found = offences(self.page, SOURCE, only_colours=scheme == "light")
                self.offences[f"{name}, {scheme}"] = found
            self.page.emulate_media(color_scheme="dark")


def work_off(job_id: object, work: object) -> None:
    """As a worker would."""
    job = take_lease(job_id=job_id)  # type: ignore[arg-type]
    assert job is not None
    carry_out(job=job, work=work)  # type: ignore[arg-type]


def portfolios(visit: Visit, instruments: list[Instrument]) -> None:
    page = visit.page
    visit.go("portfolios")
    visit.choose(instruments[:1])
    page.select_option("[name=timeframe]", "1h")
    page.fill("[name=start]", "2025-01-01")
    page.fill("[name=end]", "2025-02-01")
    page.fill("[name=high]", "0.77")
    page.select_option("[name=objective]", "min_variance")
    page.click("text=Work it out")
    page.wait_for_selector("text=choose at least two instruments")
    assert page.input_value("[name=high]") == "0.77"
    visit.judge("Portfolio, the form")
    visit.choose(instruments)
    page.click("text=Work it out")
    page.wait_for_selector(".job")
    visit.judge("Portfolio, at work")
    made = PortfolioStudy.objects.get()
    work_off(made.job_id, lambda run: carry_out_portfolio(study=made, progress=run.progress))
    visit.drawn("frontier", "weights", "risk", "correlation")
    visit.judge("Portfolio, worked out")
    assert "risk_share" in visit.downloaded("text=Weights, CSV")
    visit.go("portfolios")
    page.locator("input[name=run]").check()
    page.click("text=Compare the chosen portfolios")
    visit.drawn("frontiers")
    visit.judge("Portfolio, compared")


def experiments(visit: Visit) -> None:
    page = visit.page
    visit.go("experiments")
    visit.judge("A/B tests, the form")
    page.fill("[name=name]", "Memory")
    page.fill("[name=question]", "Is longer better?")
    page.select_option("[name=assignment]", "block")
    page.fill("[name=block_hours]", "24")
    page.fill("[name=variant]", "long-memory")
    page.fill("[name=parameter_memory_bars]", "12")
    page.click("text=Plan it")
    page.click("text=Start the test")
    page.wait_for_selector("text=Units drawn")
    visit.judge("A/B tests, a running one")
    page.fill("[name=conclusion]", "Too early to tell; the market closed.")
    page.click("text=End the test")
    page.wait_for_selector("text=by boss")


def archive(visit: Visit) -> None:
    page = visit.page
    visit.go("archive")
    page.fill("[name=text]", "below 30")
    page.click("text=Show >> nth=-1")
    page.wait_for_selector("text=1 signal")
    assert "RSI at 21, below 30" in visit.read()
    assert "below 30" in visit.downloaded("text=Export as CSV")
    visit.judge("Archive")
    visit.go("analytics", query="?period=all")
    visit.drawn("means", "equity", "drawdown", "calibration")
    visit.judge("Analytics")
    for name in ("jobs", "policies", "sentiment", "charts", "deliveries"):
        visit.go(name)
        visit.judge(name.capitalize())


@pytest.fixture
def visit(
    chromium: Path, live_server: LiveServer, transactional_db: None, instruments: list[Instrument]
) -> Iterator[Visit]:
    """Nothing that it saw may have failed."""
    User.objects.create_superuser("boss", "boss@example.org", "a-password-1")
    hosts: set[str] = set()
    with visiting(chromium, color_scheme="dark") as (page, complaints):
        page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
        log_in(page, live_server.url)
        visit = Visit(page, live_server.url)
        yield visit
    assert [each for each in complaints if "422" not in each] == []
    assert hosts == {live_server.url.split("/")[2]}
    assert {name: found for name, found in visit.offences.items() if found} == {}


@pytest.fixture
def instruments(transactional_db: None) -> list[Instrument]:
    return two_markets()


@pytest.mark.browser
@pytest.mark.timeout(900)  # a dozen pages, each judged twice: many minutes on a machine that does much else
def test_archive_analytics_tests_and_portfolios_work(visit: Visit, instruments: list[Instrument]) -> None:
    three()
    archive(visit)
    experiments(visit)
    portfolios(visit, instruments)
    assert set(Action.objects.values_list("what", flat=True)) >= {
        "experiment.created",
        "experiment.started",
        "experiment.ended",
    }
