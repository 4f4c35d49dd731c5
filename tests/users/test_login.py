"""Logging in, against a web process and the stand-in for Google, all over HTTP."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.db import connections
from django.test import Client
from pytest_django import Settings

from tests.notifications.rows import sandbox_process
from tests.ports import free_port
from users.adapters import ADMIN_GROUP
from users.models import User

pytestmark = pytest.mark.process

REPOSITORY = Path(__file__).resolve().parents[2]
BOSS = "boss@example.com"
STRICT = {"ADMIN_EMAILS": "other@example.com", "PASSWORD_LOGIN": "false"}  # one process for both
StartWeb = Callable[..., str]
PATIENCE_SECONDS = 120.0


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The sandbox for all tests here, so that one web process can serve many of them."""
    with sandbox_process(tmp_path_factory.mktemp("sandbox")) as url:
        yield url


@pytest.fixture(autouse=True)
def honest_google(request: pytest.FixtureRequest) -> None:
    if "google" in request.fixturenames:
        tell_google(request.getfixturevalue("google"), mode="ok", email=BOSS, email_verified=True)


@pytest.fixture(scope="module")
def web_processes(google: str, django_db_setup: None, redis_server: None) -> Iterator[StartWeb]:
    """Web processes whose Google is the sandbox; keyword arguments are environment, equal ones share a process."""
    database = re.sub(
        r"/[^/?]*(\?|$)", rf"/{connections['default'].settings_dict['NAME']}\1", os.environ["DATABASE_URL"]
    )
    started: dict[tuple[tuple[str, str], ...], str] = {}
    with ExitStack() as processes:

        def start(**environment: str) -> str:
            key = tuple(sorted(environment.items()))
            if key not in started:
                port = free_port()
                url = started[key] = f"http://127.0.0.1:{port}"
                client = {"GOOGLE_CLIENT_ID": "client", "GOOGLE_CLIENT_SECRET": "secret-of-client"}
                client |= {
                    "GOOGLE_ISSUER_URL": f"{google}/google",
                    "PUBLIC_URL": url,
                    "DATABASE_URL": database,
                }
                command = [
                    "granian",
                    "--interface",
                    "asginl",
                    "--port",
                    str(port),
                    "copilot_project.asgi:application",
                ]
                env = os.environ | client | environment
                processes.enter_context(running(command, env, f"{url}/livez"))
            return started[key]

        yield start


@pytest.fixture
def start_web(web_processes: StartWeb, transactional_db: None) -> StartWeb:
    return web_processes


@contextmanager
def running(module: list[str], environment: Mapping[str, str], url: str) -> Iterator[None]:
    """A process, from the moment at which `url` answers."""
    with subprocess.Popen([sys.executable, "-m", *module], cwd=REPOSITORY, env=environment) as process:
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not answers(url):
                assert process.poll() is None, f"{module} left with status {process.returncode}"
                assert time.monotonic() < deadline, f"{url} does not answer"
                time.sleep(0.1)
            yield
        finally:
            process.terminate()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=PATIENCE_SECONDS).status_code == 200
    except httpx.TransportError:
        return False


class Person:
    """Somebody at a browser."""

    def __init__(self, web: str) -> None:
        self.http = httpx.Client(base_url=web, follow_redirects=True, timeout=PATIENCE_SECONDS)

    def post(self, path: str, **fields: str) -> httpx.Response:
        page = self.http.get("/accounts/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        fields["csrfmiddlewaretoken"] = token[1] if token else self.http.cookies.get("csrftoken", "")
        return self.http.post(path, data=fields, follow_redirects=False)

    def google(self, email: str) -> httpx.Response:
        """The whole way: our button, Google's account chooser, and back with a code."""
        to_google = self.post("/accounts/google/login/?process=login")
        assert to_google.status_code == 302, to_google.text
        return self.http.get(f"{to_google.headers['location']}&login_hint={email}")

    def is_in(self) -> bool:
        return self.http.get("/admin/", follow_redirects=False).status_code == 200


def tell_google(google: str, **wishes: object) -> None:
    httpx.post(f"{google}/_sandbox/google", json=wishes, timeout=PATIENCE_SECONDS).raise_for_status()


def test_person_on_the_list_gets_in_and_works_with_everything_but_users(start_web: StartWeb) -> None:
    person = Person(start_web(ADMIN_EMAILS=BOSS))

    page = person.google(BOSS)

    assert page.status_code == 200
    assert page.url.path == "/admin/"
    user = User.objects.get()
    assert (user.email, user.is_staff, user.is_superuser) == (BOSS, True, False)
    assert not user.has_usable_password()
    assert [group.name for group in user.groups.all()] == [ADMIN_GROUP]
    assert person.http.get("/admin/users/subscriber/add/").status_code == 200
    assert person.http.get("/admin/users/user/").status_code == 403
    assert person.http.get("/admin/auth/group/").status_code == 403
    assert person.post("/accounts/logout/").status_code == 302
    assert not person.is_in()
    assert Person(str(person.http.base_url)).google(BOSS).status_code == 200, "a second time too"
    assert User.objects.count() == 1


def test_whoever_google_or_the_list_does_not_vouch_for_is_refused_and_leaves_no_row(
    start_web: StartWeb, google: str
) -> None:
    web = start_web(ADMIN_EMAILS=BOSS)
    for mode in ("bad_issuer", "bad_audience", "expired", "bad_state"):
        tell_google(google, mode=mode)
        answer = Person(web).google(BOSS)
        assert answer.status_code == 401, mode
        assert "could not be trusted" in answer.text
    tell_google(google, mode="ok", email=BOSS, email_verified=False)
    unverified, stranger = Person(web), Person(web)

    answer = unverified.google(BOSS)
    assert answer.status_code == 403
    assert "not verified" in answer.text
    answer = stranger.google("stranger@example.com")
    assert answer.status_code == 403
    assert "not on the list" in answer.text

    assert not unverified.is_in()
    assert not stranger.is_in()
    assert not User.objects.exists()
    assert not SocialAccount.objects.exists()


def test_identity_or_callback_used_before_is_refused(start_web: StartWeb, google: str) -> None:
    web = start_web(ADMIN_EMAILS=BOSS)
    first = Person(web)
    callback = next(hop for hop in first.google(BOSS).history if "/callback/" in str(hop.url)).url
    assert first.is_in()

    tell_google(google, mode="replayed_jti")
    assert Person(web).google(BOSS).status_code == 401, "the same identity token"
    assert first.http.get(callback).status_code == 401, "the same callback in the same browser"
    assert Person(web).http.get(callback).status_code == 401, "the callback in another browser"


def test_address_taken_off_the_list_is_out_at_once_though_its_row_stays(start_web: StartWeb) -> None:
    before = Person(start_web(ADMIN_EMAILS=BOSS))
    before.google(BOSS)
    assert before.is_in()

    after = Person(start_web(**STRICT))
    after.http.cookies = before.http.cookies

    assert not after.is_in(), "the old session ended"
    assert after.google(BOSS).status_code == 403
    assert User.objects.filter(email=BOSS, is_staff=True).exists()


def test_same_address_at_another_google_account_is_refused(start_web: StartWeb) -> None:
    user = User.objects.create_user("boss", BOSS, is_staff=True)
    SocialAccount.objects.create(user=user, provider="google", uid="somebody-before")

    answer = Person(start_web(ADMIN_EMAILS=BOSS)).google(BOSS)

    assert answer.status_code == 403
    assert "Another Google account" in answer.text
    assert SocialAccount.objects.count() == 1


def test_user_made_at_the_terminal_is_joined_by_a_verified_address(start_web: StartWeb) -> None:
    user = User.objects.create_superuser("boss", "Boss@Example.com", "a-password-1")

    person = Person(start_web(ADMIN_EMAILS=BOSS))
    person.google(BOSS)

    assert person.is_in()
    assert SocialAccount.objects.get().user == user


def test_password_neither_asked_nor_taken_where_it_is_off(start_web: StartWeb) -> None:
    User.objects.create_superuser("boss", BOSS, "a-password-1")
    person = Person(start_web(**STRICT))

    page = person.http.get("/accounts/login/")
    answer = person.post("/accounts/login/", login="boss", password="a-password-1")

    assert 'type="password"' not in page.text
    assert "Continue with Google" in page.text
    assert answer.status_code == 403
    assert not person.is_in()
    person.post("/admin/login/", username="boss", password="a-password-1")
    assert not person.is_in(), "the admin's own form goes round no second factor"


@pytest.fixture
def boss(db: None) -> User:
    cache.clear()  # rate limits of other tests
    return User.objects.create_superuser("boss", BOSS, "a-password-1")


def test_admin_login_page_is_allauths_and_comes_back_to_the_page_asked_for(
    boss: User, client: Client
) -> None:
    answer = client.get("/admin/signals/signal/", follow=True)

    assert answer.redirect_chain[-1][0].startswith("/accounts/login/?next=")
    answer = client.post(
        "/accounts/login/", {"login": BOSS, "password": "a-password-1", "next": "/admin/signals/signal/"}
    )
    assert answer.headers["location"] == "/admin/signals/signal/"


def test_guessing_a_password_is_stopped_after_five_tries(boss: User, client: Client) -> None:
    for _ in range(5):
        client.post("/accounts/login/", {"login": "boss", "password": "wrong"})

    answer = client.post("/accounts/login/", {"login": "boss", "password": "a-password-1"})

    assert "Too many failed login attempts" in answer.content.decode()
    assert client.get("/admin/").status_code == 302


def test_a_stranger_locks_nobody_out(boss: User, client: Client) -> None:
    for _ in range(8):
        client.post("/accounts/login/", {"login": "boss", "password": "wrong"}, REMOTE_ADDR="203.0.113.66")

    answer = client.post(
        "/accounts/login/", {"login": "boss", "password": "a-password-1"}, REMOTE_ADDR="203.0.113.7"
    )

    assert answer.status_code == 302
    assert client.get("/admin/").status_code == 200


def test_visitors_behind_a_proxy_are_counted_one_by_one(
    boss: User, client: Client, settings: Settings
) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    wrong = {"login": "boss", "password": "wrong"}
    for number in range(12):  # what the guesser writes itself before the proxy's part changes nothing
        client.post(
            "/accounts/login/", wrong, headers={"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.66"}
        )

    right = {"login": "boss", "password": "a-password-1"}
    guesser = client.post("/accounts/login/", right, headers={"X-Forwarded-For": "203.0.113.66"})
    assert "Too many failed login attempts" in guesser.content.decode()
    other = client.post("/accounts/login/", right, headers={"X-Forwarded-For": "203.0.113.7"})
    assert other.status_code == 302


@pytest.mark.parametrize("login", ["boss", BOSS, BOSS.upper(), "nobody", "nobody@example.com"])
def test_a_wrong_password_takes_one_hash_whether_the_name_exists_or_not(
    boss: User, client: Client, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    hashed: list[str] = []
    encode = PBKDF2PasswordHasher.encode

    def counted(self: PBKDF2PasswordHasher, password: str, salt: str, iterations: int | None = None) -> str:
        hashed.append(password)
        return encode(self, password, salt, iterations)

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", counted)

    client.post("/accounts/login/", {"login": login, "password": "wrong"})

    assert hashed == ["wrong"]


@pytest.mark.parametrize("path", ["signup/", "password/reset/", "3rdparty/", "3rdparty/signup/", "email/"])
def test_pages_that_would_let_more_in_do_not_exist(db: None, client: Client, path: str) -> None:
    assert client.get(f"/accounts/{path}").status_code == 404


def test_logging_out_takes_a_post(boss: User, client: Client) -> None:
    client.force_login(boss)

    assert client.get("/accounts/logout/").status_code == 200
    assert client.get("/admin/").status_code == 200, "a link alone logs nobody out"
    client.post("/accounts/logout/")
    assert client.get("/admin/").status_code == 302


def test_rights_of_admins_hold_no_deletion_and_nothing_about_users(db: None) -> None:
    rights = Permission.objects.filter(group__name=ADMIN_GROUP)

    assert {"add_subscriber", "change_subscriber", "view_signal", "view_delivery"} <= {
        r.codename for r in rights
    }
    assert not [right for right in rights if right.codename.startswith("delete_")]
    assert not rights.filter(content_type__model__in=["user", "group", "permission"]).exists()
