"""A/B tests in the console: a wrong plan says why, a right one is started, watched and ended."""

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.live_server_helper import LiveServer

from signals.models import Action, Experiment
from tests.browser import log_in, visiting
from users.models import User


@pytest.mark.django_db
def test_a_plan_that_cannot_be_keeps_what_was_typed(client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss", "boss@example.org", "a-password-1"))
    typed = {
        "name": "Memory", "question": "Is longer better?", "assignment": "block", "block_hours": "",
        "variant": "long-memory", "share": "0.5", "parameter_memory_bars": "12",
    }  # fmt: skip
    answer = client.post(reverse("research:experiments"), typed)
    assert answer.status_code == 422
    assert "block_hours" in answer.content.decode()
    assert 'value="12"' in answer.content.decode()
    assert not Experiment.objects.exists()
    assert client.post(reverse("research:experiments"), typed | {"block_hours": "24"}).status_code == 302
    control, variant = Experiment.objects.get().arms.order_by("position")
    changed = {name for name in variant.settings if variant.settings[name] != control.settings[name]}
    assert changed == {"memory_bars"}


@pytest.mark.django_db
def test_looking_planning_and_ending_are_rights_of_their_own(client: Client) -> None:
    client.force_login(User.objects.create_user("eve", "eve@example.org", "a-password-1", is_staff=True))
    assert client.get(reverse("research:experiments")).status_code == 403
    assert client.post(reverse("research:experiment_end", args=[1]), {}).status_code == 403


@pytest.mark.browser
def test_a_test_is_planned_started_and_ended_in_a_browser(
    chromium: Path, live_server: LiveServer, transactional_db: None, tmp_path: Path
) -> None:
    User.objects.create_superuser("boss", "boss@example.org", "a-password-1")
    with visiting(chromium) as (page, complaints):
        log_in(page, live_server.url)
        page.goto(live_server.url + reverse("research:experiments"))
        page.fill("[name=name]", "Memory")
        page.fill("[name=question]", "Is longer better?")
        page.select_option("[name=assignment]", "block")
        page.fill("[name=block_hours]", "24")
        page.fill("[name=variant]", "long-memory")
        page.fill("[name=parameter_memory_bars]", "12")
        page.click("text=Plan it")
        page.click("text=Start the test")
        page.wait_for_selector("text=Units drawn")
        page.screenshot(path=tmp_path / "experiment.png", full_page=True)
        page.fill("[name=conclusion]", "Too early to tell; the market closed.")
        page.click("text=End the test")
        page.wait_for_selector("text=by boss")
    assert complaints == []
    assert set(Action.objects.values_list("what", flat=True)) >= {
        "experiment.created",
        "experiment.started",
        "experiment.ended",
    }
