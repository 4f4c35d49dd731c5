"""Scopes, limits and repeats, asked of endpoints that only the tests have."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from signals.models import Action
from tests.notifications.rows import make_tier
from users.engine.api_key import ApiScope
from users.models import ApiRequest, User
from users.services import UnderWayError, claim_request, create_api_key, forget_api_requests

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.users.api.endpoints")]
COUNTING = "/api/counting"


@pytest.fixture(autouse=True)
def boss() -> User:
    cache.clear()
    return User.objects.create_superuser("boss", "boss@example.com", "a-password-1")


def caller(user: User, *scopes: ApiScope, **values: Any) -> Client:
    _, key = create_api_key(user=user, name="robot", scopes=scopes, now=timezone.now(), **values)
    return Client(headers={"Authorization": f"Bearer {key}"}, raise_request_exception=False)


def post(client: Client, body: dict[str, Any] | None = None, key: str = "", **headers: str) -> Any:
    headers |= {"Idempotency-Key": key} if key else {}
    return client.post(COUNTING, body or {}, content_type="application/json", headers=headers)


# --- scopes


def test_scope_is_by_method_and_a_view_without_one_opens_to_nobody(boss: User) -> None:
    reader, trader = caller(boss, ApiScope.READ), caller(boss, ApiScope.TRADE)

    assert (reader.get(COUNTING).status_code, post(reader).status_code) == (200, 403)
    assert (trader.get(COUNTING).status_code, post(trader).status_code) == (403, 201)
    assert reader.get("/api/unnamed").status_code == 403
    assert reader.delete(COUNTING).status_code == 403
    assert Action.objects.values_list("actor", flat=True).get(what="counted") == "boss, by API key robot"


def test_integrators_key_opens_only_what_is_open_to_tiers(boss: User) -> None:
    integrator = caller(boss, ApiScope.READ, tier=make_tier())

    assert integrator.get("/api/for-tiers").status_code == 200
    assert integrator.get(COUNTING).status_code == 403


def test_key_may_no_more_than_its_owner() -> None:
    reader = User.objects.create_user("reader", "c@example.com", "a-password-1", is_staff=True)
    robot = caller(reader, *ApiScope)
    assert robot.get("/api/with-right").status_code == 403

    reader.user_permissions.add(Permission.objects.get(codename="view_order"))

    assert robot.get("/api/with-right").status_code == 200


def test_session_needs_staff_and_a_csrf_token(boss: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(boss)
    assert strict.get(COUNTING).status_code == 200
    assert post(strict).status_code == 403

    strict.get("/api/docs/?script=")
    assert post(strict, **{"X-CSRFToken": strict.cookies["csrftoken"].value}).status_code == 201

    outsider = Client()
    outsider.force_login(User.objects.create_user("out", "o@example.com", "a-password-1"))
    assert outsider.get(COUNTING).status_code == 401


# --- limits


def test_too_many_requests_are_told_when_to_come_back(boss: User, settings: Settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = {"read": 3, "write": 1}
    client, other = caller(boss, *ApiScope), caller(boss, *ApiScope)

    answers = [client.get(COUNTING) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[-1].headers["Content-Type"] == "application/problem+json"
    assert post(client).status_code == 201, "writes count apart"
    assert post(client).status_code == 429
    assert other.get(COUNTING).status_code == 200, "each key counts for itself"


# --- repeats


def test_repeat_gets_the_first_answer_and_does_nothing(boss: User) -> None:
    client = caller(boss, *ApiScope)

    first, again = post(client, {"a": 1, "b": 2}, "k1"), post(client, {"b": 2, "a": 1}, "k1")

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert Action.objects.count() == 1
    assert post(client, {"a": 1, "b": 2}, "k2").status_code == 201
    assert Action.objects.count() == 2


def test_another_body_with_the_same_key_is_422_and_another_callers_key_is_his_own(boss: User) -> None:
    client = caller(boss, *ApiScope)
    post(client, {"a": 1}, "k1")

    changed = post(client, {"a": 2}, "k1")

    assert (changed.status_code, changed.json()["code"]) == (422, "idempotency_key_reused")
    assert post(caller(boss, *ApiScope), {"a": 2}, "k1").status_code == 201


def test_refusal_is_an_answer_too_and_leaves_nothing_behind(boss: User) -> None:
    client = caller(boss, *ApiScope)

    first, again = post(client, {"then": "conflict"}, "k1"), post(client, {"then": "conflict"}, "k1")

    assert (first.status_code, first.json()["code"], first.json()["instance_id"]) == (409, "busy", 7)
    assert (again.status_code, again.json()) == (409, first.json())
    assert not Action.objects.exists(), "what was done before the refusal is undone"


def test_breakdown_gives_the_key_back(boss: User) -> None:
    client = caller(boss, *ApiScope)

    broken = post(client, {"then": "break"}, "k1")

    assert (broken.status_code, broken.json()["status"]) == (500, 500)
    assert not ApiRequest.objects.exists()
    assert not Action.objects.exists()
    assert post(client, {}, "k1").status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "é"])
def test_key_that_is_none_is_refused_by_name(boss: User, key: str) -> None:
    answer = caller(boss, *ApiScope).post(
        COUNTING, {}, content_type="application/json", headers={"Idempotency-Key": key}
    )
    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["errors"]


def test_body_that_is_no_json_is_a_problem(boss: User) -> None:
    client = caller(boss, *ApiScope)
    for body, kind, status in ((b"{", "application/json", 400), (b"a=1", "text/plain", 415)):
        answer = client.post(COUNTING, body, content_type=kind, headers={"Idempotency-Key": "k"})
        assert (answer.status_code, answer.json()["status"]) == (status, status)


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_is_done_and_the_others_wait_or_get_its_answer(boss: User) -> None:
    client = caller(boss, *ApiScope)
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(post(client, {"a": 1}, "k1").status_code)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert Action.objects.count() == 1


def test_first_request_under_way_is_409_until_it_is_too_old_to_be_alive(boss: User) -> None:
    now = timezone.now()
    claim = {"user": boss, "api_key": None, "idempotency_key": "k", "path": "/x", "fingerprint": "f"}
    claim_request(**claim, now=now)

    with pytest.raises(UnderWayError):
        claim_request(**claim, now=now + timedelta(seconds=30))
    assert isinstance(claim_request(**claim, now=now + timedelta(minutes=3)), ApiRequest)
    assert forget_api_requests(now=now + timedelta(hours=25)) == 1


def test_request_under_way_is_told_as_conflict(boss: User) -> None:
    client = caller(boss, *ApiScope)
    post(client, {"a": 1}, "k1")
    ApiRequest.objects.update(status=None, answer=None)

    waiting = post(client, {"a": 1}, "k1")

    assert (waiting.status_code, waiting.json()["code"]) == (409, "idempotency_key_in_use")
