"""Who came in, who did what: with the address, in words that outlive the person."""

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.test import Client
from pytest_django import Settings

from copilot_project.command_line import main
from signals.market.models import Instrument
from signals.models import Action, KillSwitch
from signals.services import kill_switch
from tests.factories import make_instrument
from tests.notifications.rows import make_subscriber, make_tier
from users.models import Subscriber, User
from users.services import remove_subscriber

pytestmark = pytest.mark.django_db
PASSWORD = "a-password-1"
HOME = "203.0.113.7"


@pytest.fixture
def boss() -> User:
    cache.clear()
    return User.objects.create_superuser("boss", "boss@example.com", PASSWORD)


def actions() -> list[tuple[str, str, str, str]]:
    rows = Action.objects.order_by("id").values_list("actor", "what", "target", "address")
    return list(rows)


def log_in(client: Client, login: str, password: str) -> None:
    client.post("/accounts/login/", {"login": login, "password": password}, REMOTE_ADDR=HOME)


def test_coming_in_failing_and_leaving_are_recorded_with_the_address(boss: User, client: Client) -> None:
    log_in(client, "boss", "wrong")
    log_in(client, "hunter2-typed-into-the-wrong-field", "x")
    log_in(client, "boss@example.com", PASSWORD)
    client.post("/accounts/logout/", REMOTE_ADDR=HOME)

    assert actions() == [
        ("a visitor", "login.failed", "user boss", HOME),
        ("a visitor", "login.failed", "an unknown name", HOME),
        ("boss", "login.succeeded", "user boss", HOME),
        ("boss", "logout", "user boss", HOME),
    ]
    assert "hunter2" not in str(list(Action.objects.values()))


def test_address_is_the_visitors_behind_a_proxy(boss: User, client: Client, settings: Settings) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    headers = {"X-Forwarded-For": f"10.9.9.9, {HOME}"}
    client.post("/accounts/login/", {"login": "boss", "password": PASSWORD}, headers=headers)

    assert actions() == [("boss", "login.succeeded", "user boss", HOME)]


def test_what_the_admin_logs_is_an_action_without_names_of_subscribers(boss: User, client: Client) -> None:
    client.force_login(boss)
    ada = make_subscriber(display_name="Ada Lovelace")
    before = Action.objects.count()
    chosen = {"action": "archive", "_selected_action": [str(ada.pk)]}
    client.post("/admin/users/subscriber/", chosen, REMOTE_ADDR=HOME)
    client.post(f"/admin/users/subscriber/{ada.pk}/link-token/", REMOTE_ADDR=HOME)
    tier = make_tier(name="Gold")
    form = {
        "code": tier.code,
        "name": "Gold",
        "rank": tier.rank,
        "delay_seconds": 60,
        "account_types": ["demo"],
        "grace_days": 0,
        "stars_days": 30,
    }
    client.post(f"/admin/users/tier/{tier.pk}/change/", form, REMOTE_ADDR=HOME)

    made = actions()[before:]
    assert made == [
        ("boss", "subscriber.archived", f"subscriber {ada.public_id}", HOME),
        ("boss", "subscriber.link_token_issued", f"subscriber {ada.public_id}", HOME),
        ("boss", "tier.changed", "tier Gold", HOME),
    ]
    assert Action.objects.latest("id").after == {"fields": ["Account types", "Delay seconds"]}
    remove_subscriber(subscriber=ada, now=ada.created_at)
    assert "Ada" not in str(list(Action.objects.values()))


def test_history_names_the_actor_and_the_address(boss: User, client: Client) -> None:
    client.force_login(boss)
    ada = make_subscriber()
    client.post(
        "/admin/users/subscriber/", {"action": "archive", "_selected_action": [str(ada.pk)]}, REMOTE_ADDR=HOME
    )

    entry = ada.events.order_by("pgh_id").last()
    assert entry.status == "archived"
    assert entry.pgh_context.metadata == {
        "actor": "boss",
        "address": HOME,
        "url": "/admin/users/subscriber/",
    }


@pytest.mark.django_db(transaction=True)
def test_history_names_who_ran_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "operator")
    code = "from users.models import User; User.objects.create_user('new', 'new@example.com')"
    assert main(["manage.py", "shell", "-v", "0", "-c", code]) == 0

    entry = User.objects.get(username="new").events.get()
    assert entry.pgh_context.metadata == {"actor": "manage.py shell by operator"}


def test_kill_switch_is_recorded_from_reason_to_reason(boss: User, client: Client) -> None:
    client.force_login(boss)
    call_command("kill_switch", "engage", "--reason", "feed is wrong", "--by", "operator")
    page = "/admin/signals/killswitch/"
    client.post(page, {"action": "request", "reason": "feed is right"}, REMOTE_ADDR=HOME)
    code = str(KillSwitch.objects.get().rearm_code)
    client.post(page, {"action": "confirm", "code": code}, REMOTE_ADDR=HOME)

    made = [row for row in actions() if row[1].startswith("kill_switch")]
    assert [(what, address) for _, what, _, address in made] == [
        ("kill_switch.engaged", ""),
        ("kill_switch.rearm_requested", HOME),
        ("kill_switch.armed", HOME),
    ]
    last = Action.objects.latest("id")
    assert (last.before, last.after) == (
        {"state": "engaged", "reason": "feed is wrong"},
        {"state": "armed", "reason": "feed is right"},
    )


def test_page_of_actions_is_filtered_searched_and_shows_what_changed(
    admin_client: Client, boss: User
) -> None:
    kill_switch.engage(reason="feed is wrong", by="ada", now=boss.date_joined, address=HOME)

    page = admin_client.get("/admin/signals/action/", {"what": "kill_switch.engaged"})
    assert page.context["cl"].result_count == 1
    assert "engaged" in page.content.decode()
    assert HOME in page.content.decode()
    assert admin_client.get("/admin/signals/action/", {"q": HOME}).context["cl"].result_count == 1
    assert admin_client.get("/admin/signals/action/", {"actor": "nobody"}).context["cl"].result_count == 0
    change = f"/admin/signals/action/{Action.objects.latest('id').pk}/change/"
    assert admin_client.post(change, {"actor": "x"}).status_code == 403


def test_record_outlives_its_actor_and_takes_no_change(boss: User, client: Client) -> None:
    log_in(client, "boss", PASSWORD)
    for change in (lambda: Action.objects.update(actor="x"), lambda: Action.objects.all().delete()):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    boss.delete()
    assert actions() == [("boss", "login.succeeded", "user boss", HOME)]


def test_staff_who_are_inactive_are_out_at_once(boss: User, client: Client) -> None:
    client.force_login(boss)
    assert client.get("/admin/").status_code == 200
    User.objects.update(is_active=False)
    assert client.get("/admin/").status_code == 302
    log_in(client, "boss", PASSWORD)
    assert client.get("/admin/").status_code == 302
    assert Action.objects.latest("id").what != "login.succeeded"


def test_instruments_switched_off_are_recorded_one_by_one(boss: User, client: Client) -> None:
    client.force_login(boss)
    rows = [make_instrument(), make_instrument()]
    chosen = {"action": "deactivate", "_selected_action": [str(row.pk) for row in rows]}
    client.post("/admin/market/instrument/", chosen)

    assert not Instrument.objects.filter(is_active=True).exists()
    made = [row for row in actions() if row[1] == "instrument.made_inactive"]
    assert {target for _, _, target, _ in made} == {f"instrument {row}" for row in rows}
    assert not Subscriber.objects.exists()
