"""AI management: before the first model, its card, the settings, and who may do what."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.live_server_helper import LiveServer

from autopilot.services.bootstrap_config import get_bootstrap_config
from autopilot.services.champion import forget_loaded
from signals.models import Job, ModelState, TrainedModel
from tests.autopilot.selector_rows import make_selector
from tests.browser import log_in, visiting
from tests.factories import make_instrument
from users.models import User

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, tzinfo=UTC)
PAGE = "/admin/console/models/"


@pytest.fixture
def boss(client: Client) -> Client:
    forget_loaded()
    client.force_login(User.objects.create_superuser("boss", "boss@example.com", "a-password-1"))
    return client


def read(client: Client, address: str = PAGE) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_before_the_first_model_rules_decide_and_the_page_says_so(boss: Client) -> None:
    text = read(boss)

    assert "No model has been promoted" in text
    assert "No model has been trained yet" in text
    assert 'value="BTC/USD,ETH/USD"' in text


def test_card_of_a_rejected_model_shows_its_skill_and_why(boss: Client) -> None:
    model = make_selector(proved=False)

    text = read(boss)

    assert model.reason in text
    for shown in ("Reliability", "Confusion", "What it looks at", "What has moved", "would have fired"):
        assert shown in text
    assert f"{model.metrics['out_of_sample']['log_loss']:.4f}" in text
    assert "Promote" not in text


def test_training_is_started_once(boss: Client) -> None:
    for _ in range(2):
        assert boss.post(reverse("autopilot:models_train")).status_code == 302

    assert Job.objects.filter(kind="train_selector").count() == 1
    text = read(boss)
    assert "Nothing was started" in text
    assert "hx-get" in text
    assert "Cancel" in text


def test_settings_are_kept_and_a_wrong_one_is_named_beside_its_field(boss: Client) -> None:
    make_instrument(symbol="BTC/USDT", aliases=["BTC/USD"])
    given: dict[str, Any] = {
        "symbols": "BTC/USD",
        "timeframe": "4h",
        "days": 300,
        "min_samples_per_strategy": 5,
        "sampling": "seed",
    }

    assert boss.post(reverse("autopilot:models_settings"), given).status_code == 302
    assert get_bootstrap_config().as_parameters() == given | {"symbols": ["BTC/USD"]}

    answer = boss.post(reverse("autopilot:models_settings"), given | {"symbols": "NO/SUCH", "days": 200})
    assert answer.status_code == 422
    assert b"No instrument is called NO/SUCH" in answer.content
    assert get_bootstrap_config().days == 300


def test_challenger_is_promoted_and_rolled_back_by_one_click(boss: Client) -> None:
    first, second = make_selector(proved=True, promoted=True), make_selector(proved=True)

    boss.post(reverse("autopilot:models_promote", args=[second.pk]))
    second.refresh_from_db()
    assert second.state == ModelState.CHAMPION
    assert "Roll back" in read(boss)

    boss.post(reverse("autopilot:models_rollback"))
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == (ModelState.CHAMPION, ModelState.REJECTED)


def test_model_that_has_not_beaten_its_baselines_cannot_be_promoted(boss: Client) -> None:
    model = make_selector(proved=False, rejected=False)

    boss.post(reverse("autopilot:models_promote", args=[model.pk]))

    assert not TrainedModel.objects.filter(state=ModelState.CHAMPION).exists()
    assert "cannot be promoted" in read(boss)


@pytest.mark.parametrize("name", ["models_train", "models_settings", "models_rollback"])
def test_whoever_may_only_look_changes_nothing(client: Client, name: str) -> None:
    user = User.objects.create_user("eye", "eye@example.com", "a-password-1", is_staff=True)
    client.force_login(user)

    assert client.get(PAGE).status_code == 403
    assert client.post(reverse(f"autopilot:{name}")).status_code == 403


@pytest.mark.browser
def test_charts_are_drawn_in_a_browser_without_complaint(
    chromium: Path, live_server: LiveServer, transactional_db: None
) -> None:
    User.objects.create_superuser("boss", "boss@example.com", "a-password-1")
    make_selector(proved=True, promoted=True)
    with visiting(chromium) as (page, complaints):
        log_in(page, live_server.url)
        page.goto(live_server.url + PAGE)
        for name in ("reliability", "confusion", "importance", "drift"):
            page.wait_for_selector(f"#{name} .main-svg")
        assert complaints == []
