"""What a session alone does not open."""

import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.cache import cache
from django.test import Client
from django.urls import NoReverseMatch, reverse

from copilot_project.dangerous_acts import ACTS, Act
from copilot_project.session_limits import BEGAN
from signals.models import KillSwitch
from signals.services.kill_switch import engage
from tests.notifications.rows import make_subscriber
from tests.users.totp import totp
from users.adapters import MFAAdapter
from users.models import ApiKey, Subscriber, User

pytestmark = pytest.mark.django_db
PASSWORD = "a-password-1"
SWITCH = "/admin/signals/killswitch/"


@pytest.fixture
def boss() -> User:
    cache.clear()
    return User.objects.create_superuser("boss", "boss@example.com", PASSWORD)


@pytest.fixture
def tired(boss: User, client: Client) -> Client:
    """Logged in ten minutes ago."""
    client.force_login(boss)
    set_back(client, minutes=10)
    return client


def set_back(client: Client, minutes: float) -> None:
    session = client.session
    session[BEGAN] = time.time() - minutes * 60
    session.save()


def address_of(act: Act) -> str:
    try:
        return reverse(act.url_name)
    except NoReverseMatch:  # it takes a row
        return reverse(act.url_name, args=[1])


@pytest.mark.parametrize("act", ACTS, ids=lambda act: f"{act.url_name} {sorted(act.chosen)}")
def test_each_act_asks_first_and_does_nothing(tired: Client, act: Act) -> None:
    for values in [{name: sorted(of)[0] for name, of in act.chosen.items()}]:
        answer = tired.post(address_of(act), values)
        assert answer.status_code == 302
        assert answer.headers["location"].startswith("/accounts/reauthenticate/?next=%2Fadmin%2F")


def test_key_of_the_api_is_made_after_the_password_was_shown(tired: Client) -> None:
    form = {"name": "robot", "scopes": ["read"]}
    asked = tired.post("/admin/users/apikey/add/", form)
    assert not ApiKey.objects.exists()

    wrong = tired.post(asked.headers["location"], {"password": "wrong"})
    assert wrong.status_code == 200
    tired.post("/admin/users/apikey/add/", form)
    assert not ApiKey.objects.exists()
    back = tired.post(asked.headers["location"], {"password": PASSWORD})
    assert back.headers["location"] == "/admin/users/apikey/add/"
    assert tired.post("/admin/users/apikey/add/", form).status_code in {200, 302}
    assert ApiKey.objects.count() == 1


def test_removal_is_guarded_and_looking_is_not(tired: Client) -> None:
    ada = make_subscriber()
    chosen = {"action": "remove", "_selected_action": [str(ada.pk)]}
    assert tired.post("/admin/users/subscriber/", chosen).status_code == 200, "the question"
    tired.post("/admin/users/subscriber/", chosen | {"confirmed": "yes"})
    assert Subscriber.objects.get().status == "active"


def test_stopping_is_never_guarded(tired: Client) -> None:
    tired.post(SWITCH, {"action": "engage", "reason": "feed is wrong"})
    assert KillSwitch.objects.get().state == "engaged"


def test_log_in_of_the_last_minutes_is_enough_and_no_longer(tired: Client) -> None:
    engage(reason="feed is wrong", by="ada", now=User.objects.get().date_joined)
    set_back(tired, minutes=5.1)
    tired.post(SWITCH, {"action": "request", "reason": "feed is right"})
    assert KillSwitch.objects.get().rearm_code is None
    set_back(tired, minutes=4.5)
    tired.post(SWITCH, {"action": "request", "reason": "feed is right"})
    assert KillSwitch.objects.get().rearm_code is not None


def test_whoever_has_a_second_factor_shows_it_however_fresh_the_log_in(boss: User, client: Client) -> None:
    secret = generate_totp_secret()
    TOTP.activate(boss, secret)
    engage(reason="feed is wrong", by="ada", now=boss.date_joined)
    client.force_login(boss)  # as if by a session that was stolen the moment it began

    asked = client.post(SWITCH, {"action": "request", "reason": "feed is right"})
    assert asked.headers["location"].startswith("/accounts/2fa/reauthenticate/")
    assert KillSwitch.objects.get().rearm_code is None
    client.post(asked.headers["location"], {"code": totp(secret)})
    client.post(SWITCH, {"action": "request", "reason": "feed is right"})
    assert KillSwitch.objects.get().rearm_code is not None


def test_whoever_has_neither_password_nor_factor_logs_in_anew(client: Client) -> None:
    user = User.objects.create_superuser("googler", "googler@example.com")
    user.set_unusable_password()
    user.save()
    client.force_login(user)
    set_back(client, minutes=10)
    # Without a password only the list of addresses keeps the account open.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.ADMIN_EMAILS", frozenset({"googler@example.com"}))
        answer = client.post("/admin/users/apikey/add/", {"name": "robot", "scopes": ["read"]})
    assert answer.status_code == 403
    assert "Log in again first" in answer.content.decode()
    assert not ApiKey.objects.exists()


def test_rearming_takes_a_second_person_with_a_second_factor_where_there_are_two(
    boss: User, client: Client
) -> None:
    other, there = User.objects.create_superuser("other", "other@example.com", PASSWORD), Client()
    engage(reason="feed is wrong", by="ada", now=boss.date_joined)
    client.force_login(boss)
    there.force_login(other)
    client.post(SWITCH, {"action": "request", "reason": "feed is right"})
    confirm = {"action": "confirm", "code": str(KillSwitch.objects.get().rearm_code)}

    for who, owner in ((client, boss), (there, other)):
        told = who.post(SWITCH, confirm, follow=True).content.decode()
        assert "takes a second factor" in told
        TOTP.activate(owner, generate_totp_secret())
        assert who.post(SWITCH, confirm).headers["location"].startswith("/accounts/2fa/reauthenticate/")
        assert KillSwitch.objects.get().state == "engaged"
    show_factor(client, boss)
    assert "Another person must confirm" in client.post(SWITCH, confirm, follow=True).content.decode()
    assert KillSwitch.objects.get().state == "engaged"
    show_factor(there, other)
    there.post(SWITCH, confirm)
    assert KillSwitch.objects.get().state == "armed"


def show_factor(client: Client, owner: User) -> None:
    factor = Authenticator.objects.get(user=owner, type=Authenticator.Type.TOTP)
    secret = MFAAdapter().decrypt(factor.data["secret"])
    client.post("/accounts/2fa/reauthenticate/", {"code": totp(secret)})


def test_only_person_rearms_alone(boss: User, client: Client) -> None:
    engage(reason="feed is wrong", by="ada", now=boss.date_joined)
    client.force_login(boss)
    client.post(SWITCH, {"action": "request", "reason": "feed is right"})
    client.post(SWITCH, {"action": "confirm", "code": str(KillSwitch.objects.get().rearm_code)})
    assert KillSwitch.objects.get().state == "armed"
