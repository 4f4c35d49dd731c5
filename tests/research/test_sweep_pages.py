"""The Sweeps page: a wrong form keeps what was typed; a search is asked for, watched, mapped, exported, archived."""

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from research.models import Sweep
from research.services.sweep_request import SweepRequest
from research.services.sweeps import ask_for_sweep, carry_out_sweep
from signals.services.job_lease import take_lease
from signals.services.job_run import carry_out
from tests.axe import offences_in_both_themes
from tests.browser import log_in, visiting
from tests.research.services.test_backtests import request_for, two_markets
from users.models import User


def finished(sweep: Sweep) -> Sweep:
    job = take_lease(job_id=sweep.job_id)
    assert job is not None
    carry_out(job=job, work=lambda run: carry_out_sweep(sweep=sweep, progress=run.progress))
    sweep.refresh_from_db()
    return sweep


@pytest.fixture
def boss(db: None, client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss", "boss@example.org", "a-password-1"))
    return client


def test_a_wrong_form_keeps_what_was_typed_and_says_why(boss: Client) -> None:
    instrument = two_markets(10)[0]
    typed = {
        "title": "mine", "instruments": [instrument.pk], "strategy": "rsi", "timeframe": "1h", "method": "random",
        "start": "2025-02-01", "end": "2025-03-01", "cash": "777", "sizing": "risk", "size": "0.01",
        "maker_bps": "10", "taker_bps": "10", "slippage_bps": "2", "number": "17", "seed": "3", "folds": "4",
        "embargo": "2", "low_period": "1", "high_period": "9",
    }  # fmt: skip
    answer = boss.post(reverse("research:sweeps"), typed)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "space: period must be from" in text
    assert 'value="777"' in text
    assert 'name="low_period" value="1"' in text
    assert not Sweep.objects.exists()
    answer = boss.post(reverse("research:sweeps"), typed | {"low_period": ""})
    assert "Give the lowest and the highest" in answer.content.decode()
    answer = boss.post(reverse("research:sweeps"), typed | {"low_period": "5"})
    assert answer.status_code == 302
    made = Sweep.objects.get()
    assert made.parameters["space"] == {"period": [5, 9, 1]}
    assert (made.parameters["method"], made.parameters["seed"], made.parameters["embargo"]) == (
        "random",
        3,
        2,
    )
    assert "Queued" in boss.get(answer["Location"]).content.decode()
    again = boss.get(reverse("research:sweeps") + f"?again={made.pk}").content.decode()
    assert 'value="777"' in again
    assert 'name="high_period" value="9' in again


@pytest.mark.browser
def test_a_search_is_watched_mapped_exported_and_archived(
    chromium: Path, live_server: LiveServer, transactional_db: None, client: Client
) -> None:
    boss = User.objects.create_superuser("boss", "boss@example.org", "a-password-1")
    client.force_login(boss)
    request = SweepRequest(
        base=request_for(two_markets()), space={"period": [6, 18, 4], "stop_atr": [1, 3, 1]}, number=20
    )
    made = ask_for_sweep(request=request, title="RSI", owner="boss", now=timezone.now())
    with visiting(chromium) as (page, complaints):
        hosts: set[str] = set()
        page.on("request", lambda each: hosts.add(each.url.split("/")[2]))
        log_in(page, live_server.url)
        page.goto(live_server.url + reverse("research:sweeps"))
        page.select_option("[name=strategy]", "rsi")
        page.wait_for_selector("[name=low_period]")
        offences = offences_in_both_themes(page)
        page.goto(live_server.url + reverse("research:sweep", args=[made.pk]))
        page.wait_for_selector(".job")
        finished(made)
        page.wait_for_selector("#sensitivity[data-drawn]")
        page.wait_for_selector("#walk[data-drawn]")
        assert offences + offences_in_both_themes(page) == []
        assert "Chosen by the past alone" in page.inner_text("#content")
    assert complaints == []
    assert hosts == {live_server.url.split("/")[2]}
    told = client.get(reverse("research:sweep_export", args=[made.pk]))
    lines = b"".join(told.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "period,stop_atr,sharpe_ratio,total_return,trades,error"
    assert len(lines) == 1 + 4 * 3
    client.post(reverse("research:sweep_archive", args=[made.pk]))
    assert "No search here yet" in client.get(reverse("research:sweeps")).content.decode()
