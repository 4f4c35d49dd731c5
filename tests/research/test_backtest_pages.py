"""The Research pages: a wrong form keeps what was typed, a run is watched, seen, exported, compared, archived."""

import io
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from research.models import Backtest
from research.selectors.table_export import csv_pieces
from research.services.backtests import ask_for_backtest
from signals.services.job_lease import take_lease
from signals.services.job_run import carry_out
from tests.axe import offences_in_both_themes
from tests.browser import log_in, visiting
from tests.research.services.test_backtests import request_for, two_markets
from users.models import User


def ran(title: str = "RSI, both", **values: Any) -> Backtest:
    """A run that a worker has done."""
    from research.services.backtests import carry_out_backtest  # noqa: PLC0415

    made = ask_for_backtest(
        request=request_for(two_markets(), **values), title=title, owner="ada", now=timezone.now()
    )
    return finished(made, carry_out_backtest)


def finished(made: Backtest, work: Any) -> Backtest:
    job = take_lease(job_id=made.job_id)
    assert job is not None
    carry_out(job=job, work=lambda run: work(backtest=made, progress=run.progress))
    made.refresh_from_db()
    return made


@pytest.fixture
def boss(db: None, client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss", "boss@example.org", "a-password-1"))
    return client


def test_a_wrong_form_keeps_what_was_typed_and_says_why(boss: Client) -> None:
    instrument = two_markets(10)[0]
    typed = {
        "title": "my run", "instruments": [instrument.pk], "strategy": "rsi", "timeframe": "1h",
        "start": "2025-02-01", "end": "2025-01-01", "cash": "777", "sizing": "risk", "size": "0.01",
        "maker_bps": "10", "taker_bps": "10", "slippage_bps": "2", "parameter_period": "19",
    }  # fmt: skip
    answer = boss.post(reverse("research:backtests"), typed)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "the end must be later than the start" in text
    assert 'value="777"' in text
    assert 'value="19"' in text
    assert not Backtest.objects.exists()
    answer = boss.post(reverse("research:backtests"), typed | {"end": "2025-03-01", "parameter_period": "0"})
    assert "greater than or equal to 2" in answer.content.decode()
    answer = boss.post(reverse("research:backtests"), typed | {"end": "2025-03-01"})
    assert answer.status_code == 302
    made = Backtest.objects.get()
    assert made.parameters["parameters"] == {"period": 19}
    assert "Queued" in boss.get(answer["Location"]).content.decode()
    again = boss.get(reverse("research:backtests") + f"?again={made.pk}").content.decode()
    assert 'value="777"' in again
    assert 'value="19"' in again


def test_a_run_is_exported_compared_and_archived(boss: Client) -> None:
    made = ran("=1+1")
    csv = boss.get(reverse("research:backtest_export", args=[made.pk, "trades", "csv"]))
    lines = b"".join(csv.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    table = boss.get(reverse("research:backtest_export", args=[made.pk, "trades", "parquet"]))
    stored = pyarrow.parquet.read_table(io.BytesIO(table.content))
    assert len(lines) - 1 == stored.num_rows > 20
    equity = boss.get(reverse("research:backtest_export", args=[made.pk, "equity", "parquet"]))
    assert pyarrow.parquet.read_table(io.BytesIO(equity.content)).num_rows == made.report["bars"]  # type: ignore[index]
    compared = boss.get(reverse("research:backtest_compare") + f"?run={made.pk}&run=nonsense")
    assert "Sharpe ratio" in compared.content.decode()
    boss.post(reverse("research:backtest_archive", args=[made.pk]))
    listed = boss.get(reverse("research:backtests")).content.decode()
    assert "No run here yet" in listed
    assert made.title in boss.get(reverse("research:backtests") + "?show=archived").content.decode()


def test_text_that_a_spreadsheet_would_compute_is_made_harmless() -> None:
    told = "".join(csv_pieces(["a", "b"], [["=1+1", -2.5], ["@x", "plain"]]))
    assert told.splitlines() == ["a,b", "'=1+1,-2.5", "'@x,plain"]


@pytest.mark.browser
def test_a_run_is_asked_for_watched_and_seen_in_a_browser(
    chromium: Path, live_server: LiveServer, transactional_db: None, tmp_path: Path
) -> None:
    from research.services.backtests import carry_out_backtest  # noqa: PLC0415

    User.objects.create_superuser("boss", "boss@example.org", "a-password-1")
    two_markets()
    with visiting(chromium) as (page, complaints):
        hosts: set[str] = set()
        page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
        log_in(page, live_server.url)
        page.goto(live_server.url + reverse("research:backtests"))
        offences = offences_in_both_themes(page)
        for box in page.locator("input[name=instruments]").all():
            box.check()
        page.select_option("[name=strategy]", "rsi")
        page.fill("[name=parameter_period]", "12")
        page.fill("[name=start]", "2025-01-25")
        page.fill("[name=end]", "2025-04-11")
        page.click("text=Run the backtest")
        page.wait_for_selector(".job")
        finished(Backtest.objects.get(), carry_out_backtest)
        page.wait_for_selector("#equity[data-drawn]")
        page.wait_for_selector("#drawdown[data-drawn]")
        page.wait_for_selector("#months[data-drawn]")
        page.wait_for_selector("#timeline[data-drawn]")
        page.wait_for_selector("#candles-0[data-drawn]")
        page.screenshot(path=tmp_path / "backtest.png", full_page=True)
        assert "What may be believed" in page.inner_text("#content")
        offences += offences_in_both_themes(page)
        for other in ("admin:index", "autopilot:models", "research:backtest_compare"):
            page.goto(live_server.url + reverse(other))
            offences += offences_in_both_themes(page)
        assert offences == []
    assert complaints == []
    assert hosts == {live_server.url.split("/")[2]}
