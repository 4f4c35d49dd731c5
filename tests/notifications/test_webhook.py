"""From Telegram's POST to the committed row and its one effect."""

import json
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from kombu.exceptions import OperationalError as BrokerError
from pytest_django.fixtures import Settings

from notifications import tasks, views
from notifications.models import TelegramUpdate

pytestmark = pytest.mark.django_db

SECRET = "a-secret-that-only-telegram-knows"
URL = "/telegram/webhook"


@pytest.fixture(autouse=True)
def quiet_broker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    settings.TELEGRAM_WEBHOOK_SECRET = SECRET
    woken: list[int] = []
    monkeypatch.setattr(tasks.process_update, "apply_async", lambda args, **options: woken.append(args[0]))
    return woken


def post(client: Client, body: bytes, secret: str | None = SECRET) -> Any:
    headers = {views.SECRET_HEADER: secret} if secret is not None else {}
    return client.post(URL, body, content_type="application/json", headers=headers)


def test_update_is_committed_once_answered_empty_and_worker_woken(
    client: Client, quiet_broker: list[int]
) -> None:
    body = json.dumps({"update_id": 5, "message": {"text": "hi"}}).encode()
    answers = [post(client, body), post(client, body)]
    assert [(a.status_code, a.content) for a in answers] == [(200, b"")] * 2
    assert TelegramUpdate.objects.get().payload["message"] == {"text": "hi"}
    assert quiet_broker == [5, 5]


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET + "x", "ü"])
def test_without_the_secret_nothing_happens(client: Client, secret: str | None) -> None:
    answer = post(client, b'{"update_id": 5}', secret)
    assert (answer.status_code, answer.content) == (403, b"")
    assert not TelegramUpdate.objects.exists()


def test_without_a_configured_secret_everybody_is_refused(client: Client, settings: Settings) -> None:
    settings.TELEGRAM_WEBHOOK_SECRET = ""
    assert post(client, b'{"update_id": 5}', "").status_code == 403


def test_body_above_the_cap_is_refused_and_at_the_cap_taken(client: Client) -> None:
    text = "x" * (views.LARGEST_BODY - len('{"update_id": 5, "t": ""}'))
    body = json.dumps({"update_id": 5, "t": text}).encode()
    assert len(body) == views.LARGEST_BODY
    assert post(client, body + b" ").status_code == 413
    assert not TelegramUpdate.objects.exists()
    assert post(client, body).status_code == 200
    assert TelegramUpdate.objects.count() == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[1]",
        b"null",
        b'{"update_id": "5"}',
        b'{"update_id": true}',
        b'{"update_id": -1}',
        b'{"update_id": 99999999999999999999}',
        b'{"update_id": 5, "t": "\\u0000"}',
        b'{"update_id": 5, "t": "\\ud800"}',
        b'{"update_id": 5, "t": NaN}',
        b'{"update_id": 5, "t": 1e999}',
        b"[" * 100_000,
    ],
)
def test_body_that_is_no_update_is_taken_and_dropped(client: Client, body: bytes) -> None:
    answer = post(client, body)
    assert (answer.status_code, answer.content) == (200, b"")
    assert not TelegramUpdate.objects.exists()


def test_database_that_is_down_makes_telegram_come_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**values: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(views, "store_update", fail)
    answer = post(client, b'{"update_id": 5}')
    assert (answer.status_code, answer.content) == (503, b"")


def test_broker_that_is_down_costs_only_the_wake_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise BrokerError("connection refused")

    monkeypatch.setattr(tasks.process_update, "apply_async", fail)
    assert post(client, b'{"update_id": 5}').status_code == 200
    assert TelegramUpdate.objects.count() == 1


def test_other_methods_are_refused(client: Client) -> None:
    assert client.get(URL).status_code == 405
