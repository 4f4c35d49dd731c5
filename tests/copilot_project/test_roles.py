"""What each role opens: every page of the console, every list and form of the admin, every action.

`roles.txt` beside this file names them by hand. What is newer than the file is at least nothing that a viewer changes.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest
from django.template.base import Template
from django.test import Client, RequestFactory
from django.urls import URLResolver, get_resolver

from copilot_project.roles import ROLES, grant_roles
from tests.copilot_project.test_admin_site import all_actions
from users.adapters import ADMIN_GROUP
from users.models import User

pytestmark = pytest.mark.django_db
NAMES = [role.name for role in ROLES]
EXPECTED = Path(__file__).with_name("roles.txt")
DUMMIES = {"uuid": "00000000-0000-4000-8000-000000000000", "int": "0", "str": "x", "slug": "x", "path": "0"}


@pytest.fixture(autouse=True)
def granted(db: None) -> None:
    """As after a migration: a test that emptied the tables may have left less."""
    ContentType.objects.clear_cache()
    for config in apps.get_app_configs():
        create_permissions(config, verbosity=0)
    grant_roles(using="default", sender=apps.get_app_config("research"))


@pytest.fixture
def staff() -> dict[str, User]:
    people = {}
    for name in NAMES:
        people[name] = User.objects.create_user(name, f"{name}@example.com", "a-password-1", is_staff=True)
        people[name].groups.add(Group.objects.get(name=name))
    return people


def console_pages(resolver: URLResolver | None = None, prefix: str = "/") -> Iterator[str]:
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            if path == "/" or path.startswith("/admin/console/"):
                yield from console_pages(entry, path)
        elif path.startswith("/admin/console/"):
            yield path


def address(pattern: str) -> str:
    """With arguments that name no row: who may open it gets another answer than 403."""
    path = re.sub(r"<(\w+):\w+>", lambda found: DUMMIES[found[1]], pattern)
    path = re.sub(r"\(\?P<pk>\[0-9a-f-\]\{36\}\)", DUMMIES["uuid"], path)
    path = re.sub(r"\(\?P<\w+>(\w+)(?:\|\w+)*\)", r"\1", path)
    return path.replace("^", "").replace("$", "").replace("\\.", ".")


def opened_pages(staff: dict[str, User]) -> Iterator[tuple[str, list[str]]]:
    clients = {name: Client(raise_request_exception=False) for name in NAMES}
    for name, client in clients.items():
        client.force_login(staff[name])
    for pattern in console_pages():
        allowed = [name for name in NAMES if clients[name].get(address(pattern)).status_code != 403]
        yield re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", pattern).replace("^", "").replace("$", ""), allowed


def opened_lists(staff: dict[str, User]) -> Iterator[tuple[str, list[str]]]:
    for model, model_admin in admin.site._registry.items():
        for verb in ("view", "add", "change", "delete"):
            asked = getattr(model_admin, f"has_{verb}_permission")
            yield f"{verb} {model._meta.label}", [name for name in NAMES if asked(request_of(staff[name]))]


def opened_actions(staff: dict[str, User]) -> Iterator[tuple[str, list[str]]]:
    for model_admin, name, function in all_actions():
        needed = [getattr(model_admin, f"has_{right}_permission") for right in function.allowed_permissions]
        allowed = [role for role in NAMES if any(has(request_of(staff[role])) for has in needed)]
        yield f"action {model_admin.model._meta.label}.{name}", allowed


def request_of(user: User) -> HttpRequest:
    request = RequestFactory().get("/admin/")
    request.user = user
    return request


@pytest.mark.slow
def test_every_page_list_form_and_action_is_opened_by_the_roles_that_the_file_names(
    staff: dict[str, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Template, "render", lambda *args, **kwargs: ""
    )  # who may is asked before; drawing is slow
    found = {
        what: " ".join(allowed) or "superuser only"
        for part in (opened_pages, opened_lists, opened_actions)
        for what, allowed in part(staff)
    }
    expected = dict(line.rsplit(" | ", 1) for line in EXPECTED.read_text().splitlines())

    known = found.keys() & expected.keys()
    assert len(known) > 250
    assert {what: found[what] for what in known} == {what: expected[what] for what in known}
    new = {
        what for what in found.keys() - known if what.startswith(("add ", "change ", "delete ", "action "))
    }
    assert not [what for what in new if "viewer" in found[what].split()], "a viewer changes nothing"


@pytest.mark.parametrize(
    "do", ["halt", "reduce", "open", "key", "ask", "confirm", "disarm", "decide", "cancel", "lift"]
)
def test_live_trading_is_stopped_by_operators_and_begun_by_admins(staff: dict[str, User], do: str) -> None:
    client = Client()
    may = ["operator", "admin"] if do in {"halt", "reduce"} else ["admin"]
    answers = {}
    for name in NAMES:
        client.force_login(staff[name])
        answers[name] = client.post("/admin/console/live/act/", {"do": do}).status_code
    assert [name for name in NAMES if answers[name] != 403] == may


@pytest.mark.parametrize(
    ("action", "may"), [("engage", ["operator", "admin"]), ("request", ["operator", "admin"])]
)
def test_kill_switch_is_for_operators_and_admins(staff: dict[str, User], action: str, may: list[str]) -> None:
    client, allowed = Client(), []
    for name in NAMES:
        client.force_login(staff[name])
        answer = client.post("/admin/signals/killswitch/", {"action": action, "reason": "test"})
        allowed += [name] if answer.status_code != 403 else []
    assert allowed == may


def test_no_role_deletes_or_touches_users_and_their_rights() -> None:
    held = Permission.objects.filter(group__name__in=NAMES)
    assert held.exists()
    assert not held.filter(codename__startswith="delete_").exists()
    assert not held.filter(
        content_type__model__in=["user", "group", "permission", "staffsession", "staffchat"]
    ).exists()


def test_only_those_who_serve_subscribers_see_them(staff: dict[str, User]) -> None:
    seeing = [name for name in NAMES if staff[name].has_perm("users.view_subscriber")]
    assert seeing == ["operator", "admin"]
    assert [name for name in NAMES if staff[name].has_perm("users.add_apikey")] == ["admin"]
    assert [name for name in NAMES if staff[name].has_perm("autopilot.view_exchangekey")] == ["admin"]


def test_roles_are_told_what_they_hold_again_after_each_migration() -> None:
    viewer = Group.objects.get(name="viewer")
    before = viewer.permissions.count()
    viewer.permissions.add(Permission.objects.get(codename="add_apikey"))
    viewer.permissions.remove(Permission.objects.get(codename="view_signal"))

    grant_roles(using="default", sender=apps.get_app_config("research"))

    assert viewer.permissions.count() == before
    assert not viewer.permissions.filter(codename="add_apikey").exists()
    assert ADMIN_GROUP == "admin" == NAMES[-1]
