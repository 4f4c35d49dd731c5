"""Second factors of staff: set up, asked for at the log-in, kept encrypted, recorded."""

import re
import time
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client

from signals.models import Action
from tests.users.totp import totp
from users.models import User

pytestmark = pytest.mark.django_db
PASSWORD = "a-password-1"


@pytest.fixture
def boss() -> User:
    cache.clear()  # rate limits of other tests
    return User.objects.create_superuser("boss", "boss@example.com", PASSWORD)


def log_in(client: Client, password: str = PASSWORD) -> str:
    return client.post("/accounts/login/", {"login": "boss", "password": password}).headers.get(
        "location", ""
    )


def enrol(client: Client) -> str:
    """Logged in by then; the secret that the app keeps."""
    page = client.get("/accounts/2fa/totp/activate/", follow=True)
    if "reauthenticate" in page.redirect_chain[-1][0] if page.redirect_chain else False:
        page = client.post(page.redirect_chain[-1][0], {"password": PASSWORD}, follow=True)
    secret = re.search(r'value="([A-Z2-7]{32})"', page.content.decode())
    assert secret, page.content.decode()
    client.post("/accounts/2fa/totp/activate/", {"code": totp(secret[1])})
    cache.clear()  # a code that was used is refused for its period; the test cannot wait for the next
    return secret[1]


def test_rfc_6238_test_vectors() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # "12345678901234567890"
    assert [totp(secret, at) for at in (59, 1111111109, 2000000000)] == ["287082", "081804", "279037"]


def test_log_in_waits_for_the_code_of_the_app(boss: User, client: Client) -> None:
    log_in(client)
    secret = enrol(client)
    client.post("/accounts/logout/")

    assert log_in(client) == "/accounts/2fa/authenticate/"
    assert client.get("/admin/").status_code == 302, "a password alone opens nothing"
    wrong = client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert "Incorrect code" in wrong.content.decode()
    assert client.post("/accounts/2fa/authenticate/", {"code": totp(secret)}).status_code == 302
    assert client.get("/admin/").status_code == 200


def test_a_code_is_used_once(boss: User, client: Client) -> None:
    log_in(client)
    secret, code = enrol(client), None
    for expected in (200, 302):
        client.post("/accounts/logout/")
        log_in(client)
        code = code or totp(secret)
        client.post("/accounts/2fa/authenticate/", {"code": code})
        assert (client.get("/admin/").status_code == 200) is (expected == 200)


def test_codes_of_the_app_cannot_be_guessed(boss: User, client: Client) -> None:
    log_in(client)
    secret = enrol(client)
    client.post("/accounts/logout/")
    log_in(client)

    for _ in range(6):
        client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    client.post("/accounts/2fa/authenticate/", {"code": totp(secret)})

    assert client.get("/admin/").status_code == 302


def test_recovery_code_opens_once(boss: User, client: Client) -> None:
    log_in(client)
    enrol(client)
    codes = Authenticator.objects.get(type=Authenticator.Type.RECOVERY_CODES).wrap().get_unused_codes()

    for expected in (200, 302):
        client.post("/accounts/logout/")
        log_in(client)
        client.post("/accounts/2fa/authenticate/", {"code": codes[0]})
        assert client.get("/admin/").status_code == expected


def test_secrets_are_kept_encrypted(boss: User, client: Client) -> None:
    log_in(client)
    secret = enrol(client)

    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored
    recovery = Authenticator.objects.get(type=Authenticator.Type.RECOVERY_CODES)
    assert recovery.wrap().get_unused_codes()[0] not in stored
    assert recovery.data["seed"] not in {"", None}


def test_setting_up_and_using_is_on_record(
    boss: User, client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    log_in(client)
    with django_capture_on_commit_callbacks(execute=True):
        secret = enrol(client)
    client.post("/accounts/logout/")
    log_in(client)
    client.post("/accounts/2fa/authenticate/", {"code": totp(secret)})

    done = list(
        Action.objects.filter(what__startswith="second_factor").values_list("what", "actor", "target")
    )
    assert ("second_factor.added", "boss", "user boss") in done
    assert ("second_factor.used", "boss", "user boss") in done
    client.post("/accounts/2fa/reauthenticate/", {"code": "000000"})
    assert Action.objects.latest("id").what == "second_factor.failed"
    assert secret not in str(list(Action.objects.values()))


def test_nobody_sets_one_up_with_a_session_alone(boss: User, client: Client) -> None:
    log_in(client)

    answer = client.get("/accounts/2fa/totp/activate/")

    assert answer.headers["location"].startswith("/accounts/reauthenticate/")


def test_whoever_has_one_is_asked_for_it_and_not_for_the_password(boss: User, client: Client) -> None:
    log_in(client)
    secret = enrol(client)

    answer = client.get("/accounts/reauthenticate/")
    assert answer.headers["location"].startswith("/accounts/2fa/reauthenticate/")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    before = client.session.get("account_authentication_methods", [])
    client.post("/accounts/2fa/reauthenticate/", {"code": totp(secret)})
    after = client.session["account_authentication_methods"]
    assert len(after) > len(before)
    assert after[-1]["method"] == "mfa"
    assert after[-1]["at"] == pytest.approx(time.time(), abs=60)


def test_a_challenge_is_answered_once(boss: User, client: Client) -> None:
    """A visitor's session is a cookie: bringing it again must not bring its challenge again."""
    client.get("/accounts/2fa/webauthn/login/", headers={"Accept": "application/json"})
    cookie = client.cookies["sessionid"].value
    told = []
    for _ in range(2):
        client.cookies["sessionid"] = cookie
        page = client.post("/accounts/2fa/webauthn/login/", {"credential": "{}"}, follow=True)
        told.append("used before" in page.content.decode())

    assert told == [False, True]


def test_lost_factors_are_removed_at_the_terminal_and_sessions_end(boss: User, client: Client) -> None:
    log_in(client)
    enrol(client)
    client.get("/admin/")
    out = StringIO()

    with pytest.raises(CommandError, match="Nobody is called"):
        call_command("second_factors", "remove", "nobody")
    call_command("second_factors", "list", stdout=out)
    call_command("second_factors", "remove", "boss", stdout=out)

    assert "boss  " in out.getvalue()
    assert not Authenticator.objects.exists()
    assert client.get("/admin/").status_code == 302
    assert log_in(client) == "/admin/"
    removed = Action.objects.filter(what="second_factor.removed")
    assert {row.actor for row in removed} == {"manage.py second_factors"}
