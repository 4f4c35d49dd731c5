"""Subscribers, staff and what the admin must not offer."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import PeriodicTask
from pytest_django import DjangoAssertNumQueries, Settings

from notifications.models import Delivery, DeliveryPreference
from notifications.services.fan_out import fan_out
from research.selectors.console import SubscriberCounts, subscriber_counts
from signals.models import Heartbeat
from tests.notifications.rows import make_signal, make_subscriber, make_tier
from users.adapters import ADMIN_GROUP
from users.engine.api_key import key_hash
from users.models import ApiKey, LinkToken, Subscriber, Tier, User
from users.services import redeem_link_token

pytestmark = pytest.mark.django_db
LIST = "/admin/users/subscriber/"


def act(client: Client, action: str, *subscribers: Subscriber, **more: str) -> str:
    chosen = {"action": action, "_selected_action": [str(subscriber.pk) for subscriber in subscribers]}
    return client.post(LIST, chosen | more, follow=True).content.decode()


@pytest.fixture
def staff_client(client: Client, settings: Settings) -> Client:
    """Somebody on the allow-list, as the Google login makes them."""
    settings.ADMIN_EMAILS = frozenset({"boss@example.com"})
    user = User.objects.create(username="boss", email="boss@example.com", is_staff=True)
    user.set_unusable_password()
    user.save()
    user.groups.add(Group.objects.get(name=ADMIN_GROUP))
    client.force_login(user)
    return client


def test_subscriber_is_added_with_what_shall_be_sent_and_when(staff_client: Client) -> None:
    form = {
        "display_name": "Ada",
        "tier": make_tier().pk,
        "account_type": "demo",
        "risk_profile": "low",
        "language": "en",
        "capital": "2500",
        "risk_fraction": "0.02",
        "preference-TOTAL_FORMS": "1",
        "preference-INITIAL_FORMS": "0",
        "preference-0-sessions": ["london", "asia"],
        "preference-0-timezone": "Europe/Berlin",
    }

    answer = staff_client.post(f"{LIST}add/", form)

    assert answer.status_code == 302, answer.context["errors"]
    subscriber = Subscriber.objects.get()
    assert (subscriber.display_name, subscriber.status, subscriber.risk_profile) == ("Ada", "active", "low")
    assert subscriber.capital_currency == "USD"
    assert DeliveryPreference.objects.get(subscriber=subscriber).timezone == "Europe/Berlin"


def test_archived_and_restored_by_actions_that_the_log_remembers(staff_client: Client) -> None:
    ada, ben = make_subscriber(), make_subscriber()

    assert "1 archived." in act(staff_client, "archive", ada)
    ada.refresh_from_db()
    assert ada.status == "archived"
    assert "0 restored." in act(staff_client, "restore", ben)
    assert "1 restored." in act(staff_client, "restore", ada, ben)
    ada.refresh_from_db()
    assert ada.status == "active"
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == ["Archived.", "Restored."]


def test_removal_asks_first_then_takes_every_name_and_keeps_the_deliveries(staff_client: Client) -> None:
    ada = make_subscriber(display_name="Ada Lovelace", notes="met at a fair", telegram_username="ada_l")
    fan_out(signal=make_signal())
    act(staff_client, "archive", ada)
    act(staff_client, "restore", ada)

    question = act(staff_client, "remove", ada)
    assert "Ada Lovelace" in question
    assert Subscriber.objects.get().status == "active", "asking changes nothing"
    answer = act(staff_client, "remove", ada, confirmed="yes")

    assert "1 removed." in answer
    removed = Subscriber.objects.get()
    assert (removed.status, removed.display_name, removed.chat_id, removed.notes) == ("removed", "", None, "")
    assert Delivery.objects.filter(subscriber=removed).count() == 1
    assert not [
        entry for entry in LogEntry.objects.all() if "Ada" in entry.object_repr + entry.change_message
    ]
    assert staff_client.post(f"{LIST}{removed.pk}/change/", {"display_name": "Ada"}).status_code == 403


def settings_form(tier: Tier, sessions: list[str], **more: Any) -> dict[str, Any]:
    return {
        "display_name": "Ada",
        "tier": tier.pk,
        "account_type": "demo",
        "risk_profile": "low",
        "language": "en",
        "capital": "2500",
        "risk_fraction": "0.02",
        "preference-TOTAL_FORMS": "1",
        "preference-INITIAL_FORMS": "0",
        "preference-0-sessions": sessions,
        "preference-0-timezone": "UTC",
    } | more


def test_sessions_are_ticked_and_no_more_than_the_tier_has(staff_client: Client) -> None:
    tier = make_tier(name="Standard", max_sessions=2)

    page = staff_client.get(f"{LIST}add/").content.decode()
    assert (
        page.count('type="checkbox" name="preference-0-sessions"') == 3
        or page.count("preference-0-sessions_") >= 3
    )
    refused = staff_client.post(f"{LIST}add/", settings_form(tier, ["london", "asia", "new_york"]))

    assert refused.status_code == 200
    assert "Standard has 2 sessions, and 3 are chosen" in refused.content.decode()
    assert not Subscriber.objects.exists()
    assert staff_client.post(f"{LIST}add/", settings_form(tier, ["london", "asia"])).status_code == 302


@pytest.mark.parametrize(
    ("tier", "sessions", "why"),
    [
        ({"max_sessions": 1}, [], "no trading session is chosen; Tier has 1 session"),
        ({"account_types": ["live"]}, ["london"], "Tier is open to live accounts, this one is demo"),
        ({"delay_seconds": 4 * 3600}, ["london"], "signals expire before the delay of Tier is over"),
    ],
)
def test_nobody_is_saved_into_never_getting_a_signal_without_a_warning_and_a_badge(
    staff_client: Client, tier: dict[str, Any], sessions: list[str], why: str
) -> None:
    form = settings_form(make_tier(name="Tier", **tier), sessions)
    saved = staff_client.post(f"{LIST}add/", form, follow=True).content.decode()
    assert f"With these settings Ada never gets a signal: {why}." in saved
    assert f"never: {why}" in staff_client.get(LIST).content.decode()


def test_who_gets_signals_is_saved_without_a_warning(staff_client: Client) -> None:
    form = settings_form(make_tier(max_sessions=1), ["london"])
    assert "never gets" not in staff_client.post(f"{LIST}add/", form, follow=True).content.decode()


def test_subscription_that_is_over_is_shown_as_ended(staff_client: Client) -> None:
    subscriber = make_subscriber(subscription_ends_at=datetime.now(UTC) - timedelta(days=1))
    assert "Ended" in staff_client.get(LIST).content.decode()
    assert "Ended" in staff_client.get(f"{LIST}{subscriber.pk}/change/").content.decode()


def test_counts_of_reachable_people_leave_out_ended_and_blocked() -> None:
    now = datetime.now(UTC)
    make_subscriber()
    make_subscriber(subscription_ends_at=now - timedelta(days=1))
    make_subscriber(unreachable_reason="The subscriber blocked the bot.")
    make_subscriber(chat_id=None)
    make_subscriber(status="archived")
    assert subscriber_counts(now=now) == SubscriberCounts(active=3, linked=1)


def test_those_who_get_messages_can_be_listed(staff_client: Client) -> None:
    reached = make_subscriber()
    make_subscriber(unreachable_reason="blocked")
    over = make_subscriber(subscription_ends_at=datetime.now(UTC) - timedelta(days=1))
    for chosen, expected in (("reachable", [reached]), ("ended", [over])):
        assert list(staff_client.get(LIST, {"chat": chosen}).context["cl"].result_list) == [expected[0]]


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [("archive", "active", "archived"), ("restore", "archived", "active"), ("remove", "active", "removed")],
)
def test_subscribers_own_page_leads_to_archiving_restoring_and_removing(
    staff_client: Client, action: str, before: str, after: str
) -> None:
    subscriber = make_subscriber(status=before)
    assert f"{subscriber.pk}/{action}/" in staff_client.get(f"{LIST}{subscriber.pk}/change/").content.decode()

    page = staff_client.get(f"{LIST}{subscriber.pk}/{action}/").content.decode()
    asked = dict(re.findall(r'name="(_selected_action|action|confirmed)" value="([^"]*)"', page))
    subscriber.refresh_from_db()
    assert subscriber.status == before, "asking changes nothing"
    assert f'action="{LIST}"' in page
    staff_client.post(LIST, asked)

    subscriber.refresh_from_db()
    assert subscriber.status == after


def test_account_types_of_a_tier_are_ticked_and_one_at_least(staff_client: Client) -> None:
    tier = make_tier()
    form = {
        "code": tier.code,
        "name": tier.name,
        "rank": tier.rank,
        "delay_seconds": 0,
        "grace_days": 3,
        "stars_days": 30,
    }
    page = f"/admin/users/tier/{tier.pk}/change/"
    assert staff_client.get(page).content.decode().count('type="checkbox" name="account_types"') == 2
    assert staff_client.post(page, form).status_code == 200
    assert staff_client.post(page, form | {"account_types": ["demo"]}).status_code == 302
    tier.refresh_from_db()
    assert tier.account_types == ["demo"]


def test_link_token_is_issued_by_post_only_shown_once_and_works(
    staff_client: Client, settings: Settings
) -> None:
    settings.TELEGRAM_BOT_USERNAME, settings.TELEGRAM_IS_REAL = "our_bot", True
    subscriber = make_subscriber(chat_id=None)
    page = f"{LIST}{subscriber.pk}/link-token/"

    assert staff_client.get(page).status_code == 200
    assert not LinkToken.objects.exists()
    answer = staff_client.post(page)

    link = re.search(r"https://t\.me/our_bot\?start=([\w-]+)", answer.content.decode())
    assert link
    assert f"/start {link[1]}" in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert link[1] not in staff_client.get(page).content.decode()
    redeem_link_token(token=link[1], chat_id=5, telegram_username="ada", now=datetime.now(UTC))
    subscriber.refresh_from_db()
    assert subscriber.chat_id == 5


def test_link_token_of_a_bot_that_is_not_telegrams_never_leaves_the_machine(
    staff_client: Client, settings: Settings
) -> None:
    settings.TELEGRAM_IS_REAL = False
    subscriber = make_subscriber(chat_id=None)
    answer = staff_client.post(f"{LIST}{subscriber.pk}/link-token/").content.decode()
    assert "/start " in answer
    assert "//t.me" not in answer


def test_link_token_for_a_removed_subscriber_is_refused_in_words(staff_client: Client) -> None:
    subscriber = make_subscriber()
    act(staff_client, "remove", subscriber, confirmed="yes")

    answer = staff_client.post(f"{LIST}{subscriber.pk}/link-token/", follow=True)

    assert "add a new subscriber instead" in answer.content.decode()
    assert not LinkToken.objects.exists()


def test_subscribers_are_found_and_filtered(admin_client: Client) -> None:
    make_subscriber(display_name="Ada", chat_id=None)
    make_subscriber(display_name="Ben")

    assert admin_client.get(LIST, {"q": "ada"}).context["cl"].result_count == 1
    assert [
        s.display_name for s in admin_client.get(LIST, {"chat": "unlinked"}).context["cl"].result_list
    ] == ["Ada"]


@pytest.mark.parametrize("label", ["users.Subscriber", "users.Tier", "signals.Signal", "signals.Evaluation",
                                   "notifications.Delivery", "signals.Heartbeat"])  # fmt: skip
def test_not_even_a_superuser_deletes_what_is_an_account(admin_client: Client, label: str) -> None:
    app, model = label.lower().split(".")

    page = admin_client.post(
        f"/admin/{app}/{model}/", {"action": "delete_selected", "_selected_action": ["1"]}
    )

    assert page.status_code in {200, 302, 403}
    assert "delete_selected" not in admin_client.get(f"/admin/{app}/{model}/").content.decode()
    assert admin_client.get(f"/admin/{app}/{model}/1/delete/").status_code in {302, 403}


def test_schedule_and_secrets_have_no_page() -> None:
    names = {model.__name__ for model in admin.site._registry}

    assert not names & {"PeriodicTask", "IntervalSchedule", "CrontabSchedule", "SocialApp", "SocialToken"}
    assert not admin.site.is_registered(PeriodicTask)


@pytest.mark.slow
def test_every_list_opens_searches_and_stands_in_the_menu(admin_client: Client) -> None:
    make_subscriber()
    fan_out(signal=make_signal())
    Heartbeat.objects.create(name="beat", beat_at=datetime.now(UTC), expected_every_seconds=10)
    home = admin_client.get("/admin/").content.decode()
    for model in admin.site._registry:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert admin_client.get(address).status_code == 200, address
        assert admin_client.get(address, {"q": "a"}).status_code == 200, address
        assert f'href="{address}"' in home, f"{address} is missing in the menu"


@pytest.mark.parametrize(
    "address", [LIST, "/admin/signals/signal/", "/admin/notifications/delivery/", "/admin/users/tier/"]
)
def test_lists_need_no_more_queries_for_more_rows(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries, address: str
) -> None:
    def fill() -> None:
        make_subscriber()
        fan_out(signal=make_signal())

    fill()
    admin_client.get(address)  # content types and the like are read once
    with django_assert_max_num_queries(100) as few:
        admin_client.get(address)
    for _ in range(5):
        fill()
    with django_assert_max_num_queries(len(few)):
        admin_client.get(address)


def test_hash_of_a_password_is_not_shown(admin_client: Client, admin_user: User) -> None:
    page = admin_client.get(f"/admin/users/user/{admin_user.pk}/change/").content.decode()

    assert "algorithm" not in page
    assert f"/admin/users/user/{admin_user.pk}/password/" in page


def test_key_of_the_api_is_shown_once_and_belongs_to_whoever_made_it(admin_client: Client) -> None:
    form = {"name": "dashboard", "scopes": ["read"], "expires_at_0": "", "expires_at_1": ""}
    made = admin_client.post("/admin/users/apikey/add/", form).content.decode()

    key = ApiKey.objects.get()
    [secret] = re.findall(r"<code>(copilot_[\w-]+)</code>", made)
    assert key.key_hash == key_hash(secret)
    assert key.user.username == "admin"
    for page in (LIST.replace("subscriber", "apikey"), f"/admin/users/apikey/{key.pk}/change/"):
        shown = admin_client.get(page).content.decode()
        assert key.prefix in shown
        assert secret not in shown


def test_key_of_a_tier_that_would_trade_is_refused_by_the_form(admin_client: Client) -> None:
    form = {"name": "x", "tier": make_tier().pk, "scopes": ["read", "trade"]}
    page = admin_client.post("/admin/users/apikey/add/", form).content.decode()
    assert "A key of a tier only reads" in page
    assert not ApiKey.objects.exists()
