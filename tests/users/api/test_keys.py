"""A key opens what its scopes and its owner allow, until it ends; nothing else does."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tests.notifications.rows import make_tier
from users.engine.api_key import ApiScope, key_hash
from users.models import ApiKey, User
from users.services import ApiKeyError, create_api_key, revoke_api_key

pytestmark = pytest.mark.django_db
SCHEMA = "/api/schema/"


@pytest.fixture(autouse=True)
def boss() -> User:
    cache.clear()
    return User.objects.create_superuser("boss", "boss@example.com", "a-password-1")


def make_key(boss: User, *scopes: ApiScope, **values: Any) -> tuple[ApiKey, str]:
    return create_api_key(
        user=boss, name="test", scopes=scopes or (ApiScope.READ,), now=timezone.now(), **values
    )


def ask(key: str, path: str = SCHEMA, header: str = "Authorization") -> int:
    value = f"Bearer {key}" if header == "Authorization" else key
    return Client().get(path, headers={header: value}).status_code


def test_key_is_stored_as_a_hash_and_opens_by_either_header(boss: User) -> None:
    row, key = make_key(boss)

    assert key.startswith(row.prefix)
    assert len(key) > len(row.prefix) + 30
    assert row.key_hash == key_hash(key)
    assert key not in str(ApiKey.objects.filter(pk=row.pk).values())
    assert (ask(key), ask(key, header="X-API-Key")) == (200, 200)
    row.refresh_from_db()
    assert row.last_used_at is not None


def test_wrong_revoked_and_expired_keys_get_the_same_answer(boss: User) -> None:
    (revoked, first), (expired, second) = make_key(boss), make_key(boss)
    revoke_api_key(key=revoked, now=timezone.now())
    ApiKey.objects.filter(pk=expired.pk).update(expires_at=timezone.now())

    answers = [
        Client().get(SCHEMA, headers={"Authorization": f"Bearer {key}"})
        for key in (first, second, "copilot_nonsense", "\xff")
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].headers["WWW-Authenticate"] == "Bearer"
    assert answers[0].headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}, {"email": "gone@example.com"}])
def test_key_ends_with_its_owner(boss: User, change: dict[str, Any], settings: Settings) -> None:
    settings.PASSWORD_LOGIN, settings.ADMIN_EMAILS = False, frozenset({"boss@example.com"})
    _, key = make_key(boss)
    assert ask(key) == 200

    User.objects.filter(pk=boss.pk).update(**change)

    assert ask(key) == 401


def test_a_tiers_key_only_reads_and_others_must_make_sense(boss: User) -> None:
    now = datetime.now(UTC)
    with pytest.raises(ApiKeyError, match="only reads"):
        make_key(boss, ApiScope.READ, ApiScope.TRADE, tier=make_tier())
    with pytest.raises(ApiKeyError, match="at least one scope"):
        create_api_key(user=boss, name="x", scopes=(), now=now)
    with pytest.raises(ApiKeyError, match="later end"):
        make_key(boss, expires_at=now - timedelta(days=1))
    with pytest.raises(ApiKeyError, match="not staff"):
        make_key(User.objects.create_user("nobody", "n@example.com", "a-password-1"))


def test_use_is_noted_once_a_minute(boss: User, django_assert_num_queries: Any) -> None:
    _, key = make_key(boss)
    ask(key)
    with django_assert_num_queries(1):  # the key itself; a superuser's rights need no look
        ask(key)


def test_stranger_gets_a_problem_and_no_other_origin_is_let_in() -> None:
    answer = Client().get(SCHEMA, headers={"Origin": "https://evil.example"})

    assert answer.status_code == 401
    assert answer.json()["status"] == 401
    assert answer.json()["title"] == "Unauthorized"
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_unknown_address_is_a_problem_under_api_and_a_page_elsewhere(client: Client) -> None:
    assert client.get("/api/nothing").headers["Content-Type"] == "application/problem+json"
    assert client.get("/api/nothing").json()["status"] == 404
    assert client.get("/nothing").headers["Content-Type"].startswith("text/html")
    assert client.get("/api/schema/", {"q": "x" * 101}).json()["status"] == 400
