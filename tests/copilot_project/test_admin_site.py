"""The admin from outside: login, password change, actions, search, addresses of rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifications.models import DeliveryKind, StarsPayment, WebhookDelivery
from notifications.services.fan_out import fan_out
from notifications.services.webhooks import announce_signal, create_endpoint
from signals.market.models import Instrument
from tests.factories import make_instrument
from tests.notifications.rows import make_signal, make_subscriber, make_tier
from users.engine.api_key import ApiScope
from users.models import ApiKey, Invitation, LinkToken, StaffChat, StaffSession, Subscriber, User
from users.services import archive_subscriber, create_api_key, create_invitation

pytestmark = pytest.mark.django_db
PASSWORD = "a-password-1"


@pytest.fixture
def boss() -> User:
    cache.clear()  # rate limits of other tests
    return User.objects.create_superuser("boss", "boss@example.com", PASSWORD)


def staff_with(*rights: str) -> Client:
    """Logged-in staff with exactly these rights, e.g. `market.view_instrument`."""
    user = User.objects.create_user(
        f"staff{User.objects.count()}", f"s{User.objects.count()}@example.com", PASSWORD
    )
    user.is_staff = True
    user.save()
    for right in rights:
        app, codename = right.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client = Client()
    client.force_login(user)
    return client


# --- log-in and password change


def test_admin_login_checks_no_password_for_staff_either(boss: User) -> None:
    client = staff_with()

    for password in ("wrong", PASSWORD):
        answer = client.post("/admin/login/", {"username": "boss", "password": password})
        assert answer.status_code == 302
        assert answer.headers["location"] == "/admin/"
        assert b"password" not in answer.content

    assert client.get("/admin/").wsgi_request.user.username != "boss"


def test_admin_login_leads_to_allauths_page_and_nowhere_else(boss: User, client: Client) -> None:
    asked = client.post("/admin/login/?next=/admin/users/tier/", {"username": "boss", "password": PASSWORD})
    assert asked.headers["location"] == "/accounts/login/?next=/admin/users/tier/"
    assert (
        client.get("/admin/login/?next=https://evil.example/").headers["location"].endswith("?next=/admin/")
    )
    assert not client.session.get("_auth_user_id")


def test_old_password_is_not_guessed_at_the_password_change(boss: User, client: Client) -> None:
    client.force_login(boss)
    new = {"new_password1": "another-pass-2", "new_password2": "another-pass-2"}

    tries = [client.post("/admin/password_change/", {"old_password": f"no{n}"} | new) for n in range(5)]
    last = client.post("/admin/password_change/", {"old_password": PASSWORD} | new)

    assert [answer.status_code for answer in tries] == [200] * 5
    assert last.status_code == 429
    boss.refresh_from_db()
    assert boss.check_password(PASSWORD)


# --- actions


@dataclass(frozen=True)
class Case:
    """An action, what it is done to, the right it takes, and what it changed."""

    model: type[Model]
    action: str
    row: Callable[[], Any]
    right: str
    was_done: Callable[[Any], bool]
    more: tuple[tuple[str, str], ...] = ()


def archived() -> Subscriber:
    subscriber = make_subscriber()
    archive_subscriber(subscriber=subscriber, now=subscriber.created_at)
    return subscriber


def make_key() -> ApiKey:
    owner = User.objects.create_superuser("owner", "owner@example.com", PASSWORD)
    return create_api_key(user=owner, name="robot", scopes=[ApiScope.READ], now=timezone.now())[0]


def a_colleague() -> User:
    return User.objects.create_user("colleague", "colleague@example.com", PASSWORD, is_staff=True)


def a_session() -> StaffSession:
    now = timezone.now()
    return StaffSession.objects.create(user=a_colleague(), session_key="k" * 32, began_at=now, seen_at=now)


def make_dead_event() -> WebhookDelivery:
    now, signal = timezone.now(), make_signal()
    create_endpoint(
        name="x", api_key=make_key(), url="https://example.com", kinds=[DeliveryKind.SIGNAL], now=now
    )
    announce_signal(signal=signal)
    WebhookDelivery.objects.update(state="dead")
    return WebhookDelivery.objects.get()


def someone_to_move() -> Subscriber:
    make_tier(pk=1000777, code="target")
    return make_subscriber()


def an_invitation() -> Invitation:
    ends = timezone.now() + timedelta(days=1)
    return create_invitation(name="fair", tier=make_tier(), most_uses=3, expires_at=ends, by="boss")[0]


def a_payment() -> StarsPayment:
    return StarsPayment.objects.create(
        telegram_payment_charge_id="c1", user_id=5, stars=100, paid_at=timezone.now()
    )


CASES = [
    Case(
        Instrument, "activate", lambda: make_instrument(is_active=False), "change", lambda row: row.is_active
    ),
    Case(Instrument, "deactivate", make_instrument, "change", lambda row: not row.is_active),
    Case(Subscriber, "archive", make_subscriber, "change", lambda row: row.status == "archived"),
    Case(Subscriber, "restore", archived, "change", lambda row: row.status == "active"),
    Case(
        Subscriber,
        "remove",
        make_subscriber,
        "change",
        lambda row: row.status == "removed",
        (("confirmed", "yes"),),
    ),
    Case(WebhookDelivery, "revive", make_dead_event, "change", lambda row: row.state == "retry"),
    Case(ApiKey, "revoke", make_key, "change", lambda row: row.revoked_at is not None),
    Case(StaffSession, "end", a_session, "change", lambda row: row.ended_at is not None),
    Case(User, "staff_chat", a_colleague, "change", lambda row: StaffChat.objects.exists()),
    Case(
        Subscriber,
        "change_tier",
        someone_to_move,
        "change",
        lambda row: row.tier.code == "target",
        (("confirmed", "yes"), ("tier", "1000777"), ("why", "test")),
    ),
    Case(Invitation, "revoke", an_invitation, "change", lambda row: row.revoked_at is not None),
    Case(StarsPayment, "refund", a_payment, "change", lambda row: row.refund_asked_at is not None),
    Case(Subscriber, "link_token", make_subscriber, "change", lambda row: LinkToken.objects.exists()),
]
# They change nothing: each leads to a page that asks for the same right.
LEADS_TO_A_PAGE = {
    ("delivery", "ask_why_not"),
    ("delivery", "show_preview"),
    ("subscriber", "archive_page"),
    ("subscriber", "restore_page"),
    ("subscriber", "remove_page"),
    ("subscriber", "import_page"),
    ("subscriber", "export"),
}


def all_actions() -> Iterator[tuple[admin.ModelAdmin, str, Any]]:
    """Every action of every list, row and page, in Django's form and in Unfold's."""
    for model_admin in admin.site._registry.values():
        for function, name, _ in model_admin._get_base_actions():
            yield model_admin, name, function
        for kind in ("actions_list", "actions_row", "actions_detail", "actions_submit_line"):
            for name in model_admin._extract_action_names(getattr(model_admin, kind, ())):
                yield model_admin, name, getattr(model_admin, name)


def test_every_action_names_the_permission_it_takes() -> None:
    found = list(all_actions())

    assert len(found) >= len(CASES)
    unnamed = [
        f"{a.model.__name__}.{name}" for a, name, f in found if not getattr(f, "allowed_permissions", None)
    ]
    assert not unnamed, "name permissions=[...] in the decorator"


def test_every_action_has_its_case_here() -> None:
    known = {(case.model._meta.model_name, case.action) for case in CASES} | LEADS_TO_A_PAGE
    found = {(model_admin.model._meta.model_name, name) for model_admin, name, _ in all_actions()}

    assert found == known, "add the action to CASES, so that its right and its log entry are proven"


def perform(client: Client, case: Case, row: Any) -> int:
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
    model_admin = admin.site.get_model_admin(case.model)
    if case.action in model_admin._extract_action_names(model_admin.actions_detail):
        address = reverse(f"{name}_{case.action}", args=[row.pk])
        return client.post(address, dict(case.more)).status_code
    chosen = {"action": case.action, "_selected_action": [str(row.pk)]} | dict(case.more)
    return client.post(reverse(f"{name}_changelist"), chosen).status_code


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.model.__name__}.{case.action}")
def test_action_is_refused_to_who_may_only_look_and_logged_for_who_may_act(case: Case) -> None:
    row = case.row()
    app, model = row._meta.app_label, row._meta.model_name
    LogEntry.objects.all().delete()

    perform(staff_with(f"{app}.view_{model}"), case, row)
    row.refresh_from_db()
    assert not case.was_done(row)
    assert not LogEntry.objects.exists()

    perform(staff_with(f"{app}.view_{model}", f"{app}.{case.right}_{model}"), case, row)
    row.refresh_from_db()
    assert case.was_done(row)
    entry = LogEntry.objects.get()
    assert entry.object_id == str(row.pk)
    assert entry.content_type == ContentType.objects.get_for_model(row)
    assert entry.user.username.startswith("staff")


# --- what may be seen


DELIVERY = ("notifications.view_delivery", "notifications.view_feedback", "notifications.view_telegramupdate")


@pytest.mark.parametrize(
    "address",
    [
        "/admin/notifications/delivery/",
        "/admin/notifications/delivery/?q=ada",
        "/admin/notifications/delivery/preview/",
        "/admin/notifications/delivery/why-not/",
        "/admin/notifications/feedback/",
        "/admin/notifications/telegramupdate/",
        "/admin/console/deliveries/",
        "/admin/console/deliveries/state/",
    ],
)
def test_deliveries_tell_no_names_to_who_may_not_see_subscribers(address: str) -> None:
    make_subscriber(display_name="Ada Lovelace", capital=123456)
    fan_out(signal=make_signal())

    assert staff_with(*DELIVERY, "signals.view_signal").get(address).status_code == 403
    both = staff_with(*DELIVERY, "signals.view_signal", "users.view_subscriber")
    assert both.get(address).status_code == 200


def test_first_page_tells_no_names_either() -> None:
    make_subscriber(display_name="Ada Lovelace")
    fan_out(signal=make_signal())

    assert "Ada" not in staff_with(*DELIVERY, "signals.view_signal").get("/admin/").content.decode()
    whole = staff_with(*DELIVERY, "signals.view_signal", "users.view_subscriber").get("/admin/")
    assert "Ada" in whole.content.decode()


def test_address_of_a_row_is_told_to_who_may_see_the_row() -> None:
    subscriber = make_subscriber()
    address = f"/admin/r/{ContentType.objects.get_for_model(Subscriber).pk}/{subscriber.pk}/"

    refused = staff_with().get(address)
    assert refused.status_code == 403
    assert str(subscriber.public_id) not in str(refused.headers)
    allowed = staff_with("users.view_subscriber").get(address)
    assert str(subscriber.public_id) in allowed.headers["location"]
    for unknown in (0, 99_999, ContentType.objects.get_for_model(LinkToken).pk):
        assert staff_with().get(f"/admin/r/{unknown}/1/").status_code == 404


def test_search_over_everything_is_gone(admin_client: Client) -> None:
    make_subscriber(display_name="Ada Lovelace")

    assert admin_client.get("/admin/search/", {"s": "ada", "extended": 1}).status_code == 404
    assert "opencommand" not in admin_client.get("/admin/").content.decode()


def test_nobody_deletes_staff(admin_client: Client, admin_user: User) -> None:
    other = User.objects.create_user("other", "other@example.com")

    assert admin_client.post(f"/admin/users/user/{other.pk}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [str(other.pk)], "post": "yes"}
    admin_client.post("/admin/users/user/", chosen)
    assert User.objects.filter(pk=other.pk).exists()
