"""The Autopilot pages in a browser: started from the form with its weekly value, confirmed, watched, stopped."""

from datetime import UTC
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from autopilot.models import Decision, Instance
from autopilot.services.champion import forget_loaded
from autopilot.services.cycles import run_cycle
from autopilot.services.paper import fill_orders
from autopilot.services.record_keeping import forget_records
from signals.engine.timeframe import Timeframe
from signals.models import Action
from tests.autopilot.accounts import make_traded
from tests.autopilot.market_rows import HOUR, store, walk
from tests.axe import offences_in_both_themes
from tests.browser import log_in, visiting
from users.models import User


@pytest.mark.browser
def test_started_watched_and_stopped_in_a_browser(
    chromium: Path, live_server: LiveServer, transactional_db: None, tmp_path: Path
) -> None:
    forget_loaded()
    forget_records()
    User.objects.create_superuser("boss", "boss@example.org", "a-password-1")
    instrument = make_traded(symbol="BTC/USDT")
    closed_at = timezone.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    candles = walk(bars=900, end=closed_at)
    store(instrument, candles[:-4])
    with visiting(chromium, viewport={"width": 1280, "height": 900}) as (page, complaints):
        log_in(page, live_server.url)
        page.goto(live_server.url + reverse("autopilot:autopilots"))
        page.select_option("[name=instrument]", str(instrument.pk))
        page.select_option("[name=mode]", "pattern")
        page.wait_for_selector("text=Nearest to once a week")
        page.screenshot(path=tmp_path / "autopilot-start.png", full_page=True)
        offences = offences_in_both_themes(page)
        page.click("#firing a")
        page.wait_for_load_state()
        assert 0 < float(page.input_value("[name=min_confidence_threshold]")) < 0.75
        page.fill("[name=min_confidence_threshold]", "0")
        page.check("[name=auto_execute]")
        page.check("[name=confirmed]")
        page.click("text=Start on paper")
        page.wait_for_selector("text=is started")
        instance = Instance.objects.get()
        instance.stop_costs = 0.0
        instance.save()
        moment = closed_at - 4 * HOUR
        for opened in range(len(candles) - 4, len(candles) + 1):  # the hours that pass meanwhile
            Instance.objects.update(next_run_at=moment)
            run_cycle(instance_id=instance.pk, as_of=moment, now=moment)
            store(instrument, candles[opened : opened + 1])
            moment += HOUR
            fill_orders(instrument=instrument, timeframe=Timeframe.H1, as_of=moment, now=moment)
        page.goto(live_server.url + reverse("autopilot:instance", args=[instance.pk]))
        page.wait_for_selector("#candles[data-drawn]")
        page.screenshot(path=tmp_path / "autopilot.png", full_page=True)
        assert offences + offences_in_both_themes(page) == []
        page.select_option("[name=mode]", "hybrid")
        page.click("text=Change the mode")
        page.wait_for_selector("text=The next cycle decides by the new mode")
        page.click("section[aria-labelledby=h-feed] th a >> nth=0")
        page.wait_for_selector("text=What was seen")
        page.go_back()
        page.click("button:text-is('Stop')")
        page.wait_for_selector("text=It is stopped")
    assert complaints == []
    assert Decision.objects.filter(outcome__in=("silent", "ordered", "signal")).exists()
    assert set(Action.objects.values_list("what", flat=True)) >= {
        "autopilot.started",
        "autopilot.mode_changed",
        "autopilot.stopped",
    }
