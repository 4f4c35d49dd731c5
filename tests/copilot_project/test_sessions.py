"""Whoever has not logged in leaves no row behind."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from copilot_project.sessions import SALT, SIGNED, SessionStore
from users.models import User
from users.tasks import forget_ended_sessions

pytestmark = pytest.mark.django_db
COOKIE = settings.SESSION_COOKIE_NAME


def test_beginning_a_google_login_writes_no_row(client: Client) -> None:
    for _ in range(20):
        answer = client.post("/accounts/google/login/?process=login")
        assert answer.status_code == 302
        assert "state=" in answer.headers["location"]

    assert not Session.objects.exists()
    assert client.cookies[COOKIE].value.startswith(SIGNED)
    assert client.cookies[COOKIE]["httponly"]
    assert len(client.cookies[COOKIE].value) < 3500, "browsers drop cookies of more than 4 KB"


def test_what_a_visitor_was_told_is_read_back_and_nothing_else() -> None:
    visitor = SessionStore()
    visitor["states"] = {"a": 1}
    visitor.save()

    assert SessionStore(visitor.session_key)["states"] == {"a": 1}
    changed = str(visitor.session_key)[:-2] + "xx"
    assert SessionStore(changed).get("states") is None
    assert SessionStore(SIGNED + "nonsense").get("states") is None
    assert SALT not in str(visitor.session_key)


def test_cookie_of_a_visitor_ends_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = SessionStore()
    visitor["states"] = {"a": 1}
    visitor.save()

    monkeypatch.setattr("copilot_project.sessions.ANONYMOUS_SECONDS", -1)

    assert SessionStore(visitor.session_key).get("states") is None


def test_logging_in_makes_one_row_with_another_key_and_logging_out_removes_it(client: Client) -> None:
    client.post("/accounts/google/login/?process=login")
    before = client.cookies[COOKIE].value
    client.force_login(User.objects.create_superuser("boss", "boss@example.com", "a-password-1"))

    row = Session.objects.get()
    assert client.cookies[COOKIE].value == row.session_key != before
    assert client.get("/admin/").status_code == 200

    client.post("/accounts/logout/")
    assert not Session.objects.exists()
    client.cookies[COOKIE] = row.session_key
    assert client.get("/admin/").status_code == 302


def test_a_login_that_waits_for_its_second_factor_is_kept_here() -> None:
    waiting = SessionStore()
    waiting["account_login"] = {"user_pk": "1"}
    waiting.save()

    assert Session.objects.get().session_key == waiting.session_key


def test_sessions_that_have_ended_are_forgotten() -> None:
    now = timezone.now()
    for name, ends in (("old", now - timedelta(seconds=1)), ("new", now + timedelta(hours=1))):
        Session.objects.create(session_key=name * 4, session_data="", expire_date=ends)

    forget_ended_sessions()

    assert [row.session_key for row in Session.objects.all()] == ["newnewnewnew"]
