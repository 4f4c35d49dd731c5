"""A log-in ends by the clock, by idleness, and from elsewhere."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from copilot_project.session_limits import BEGAN, SEEN
from signals.models import Action
from users.models import StaffSession, User
from users.tasks import forget_ended_sessions

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("boss", "boss@example.com", "a-password-1")


def set_back(client: Client, **values: timedelta) -> None:
    session = client.session
    for key, ago in values.items():
        session[key] = (timezone.now() - ago).timestamp()
    session.save()


def is_in(client: Client, **headers: str) -> bool:
    return client.get("/admin/", headers=headers or None).status_code == 200


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    assert is_in(client)
    return client


def test_ends_twelve_hours_after_it_began_however_busy(boss: User) -> None:
    client = logged_in(boss)
    set_back(client, **{BEGAN: timedelta(hours=11, minutes=59)})
    assert is_in(client)
    set_back(client, **{BEGAN: timedelta(hours=12)})
    assert not is_in(client)
    assert not Session.objects.exists()
    assert settings.SESSION_COOKIE_AGE == 12 * 3600


def test_ends_after_half_an_hour_without_a_request(boss: User) -> None:
    client = logged_in(boss)
    set_back(client, **{SEEN: timedelta(minutes=29)})
    assert is_in(client), "and this request is a sign"
    set_back(client, **{SEEN: timedelta(minutes=30)})
    assert not is_in(client)


@pytest.mark.parametrize(
    "headers", [{"HX-Request": "true"}, {"Sec-Fetch-Dest": "empty"}], ids=["htmx", "fetch"]
)
def test_a_page_that_keeps_itself_true_keeps_no_session_open(boss: User, headers: dict[str, str]) -> None:
    client = logged_in(boss)
    set_back(client, **{SEEN: timedelta(minutes=29)})
    before = client.session[SEEN]
    client.get("/admin/console/state/", headers=headers)
    assert client.session[SEEN] == before
    client.get("/admin/")
    assert client.session[SEEN] > before


def test_the_log_in_form_offers_no_longer_one(client: Client) -> None:
    assert 'name="remember"' not in client.get("/accounts/login/").content.decode()
    user = User.objects.create_superuser("boss", "boss@example.com", "a-password-1")
    form = {"login": user.username, "password": "a-password-1", "remember": "on"}
    client.post("/accounts/login/", form)
    assert client.session.get_expire_at_browser_close()


def test_list_shows_ones_own_and_ends_them(boss: User) -> None:
    other = User.objects.create_superuser("other", "other@example.com", "a-password-1")
    here, there, strange = logged_in(boss), logged_in(boss), logged_in(other)

    page = here.get("/accounts/sessions/").content.decode()
    assert page.count("since ") == 2
    theirs = StaffSession.objects.get(user=other)
    assert here.post("/accounts/sessions/end/", {"session": theirs.pk}).status_code == 404
    here.post("/accounts/sessions/end/", {"all": "yes"})

    assert (is_in(here), is_in(there), is_in(strange)) == (True, False, True)
    assert here.get("/accounts/sessions/").content.decode().count("since ") == 1
    assert Action.objects.filter(what="session.ended", actor="boss", target="user boss").count() == 1


def test_row_tells_whose_it_is_and_from_where_and_no_page_its_key(boss: User) -> None:
    client = Client()
    client.force_login(boss)
    client.get("/admin/", headers={"User-Agent": "Netscape"}, REMOTE_ADDR="203.0.113.7")
    row = StaffSession.objects.get()

    assert (row.user, row.address, row.browser) == (boss, "203.0.113.7", "Netscape")
    assert row.session_key == client.session.session_key
    for path in ("", f"{row.pk}/change/"):
        page = client.get(f"/admin/users/staffsession/{path}")
        assert page.status_code == 200
        assert row.session_key not in page.content.decode()
    assert row.session_key not in client.get("/accounts/sessions/").content.decode()


def test_superuser_ends_anybodys(boss: User) -> None:
    other = User.objects.create_user("other", "other@example.com", "a-password-1", is_staff=True)
    there, here = logged_in(other), logged_in(boss)
    row = StaffSession.objects.get(user=other)

    here.post("/admin/users/staffsession/", {"action": "end", "_selected_action": [str(row.pk)]})

    assert not is_in(there)


def test_logged_out_is_over_and_ended_rows_are_forgotten(boss: User) -> None:
    client = logged_in(boss)
    client.post("/accounts/logout/")
    assert StaffSession.objects.get().ended_at is not None
    forget_ended_sessions()
    assert not StaffSession.objects.exists()
