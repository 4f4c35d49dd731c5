"""How updates come to us: by webhook or by asking, set with the two commands."""

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from copilot_project.sandbox.config import DEFAULT_TOKEN
from notifications.management.commands import poll_telegram
from notifications.management.commands.poll_telegram import Command
from notifications.models import TelegramUpdate
from tests.notifications.rows import Controls, wait_for

pytestmark = pytest.mark.django_db(transaction=True)

CHAT = 7_000_000_001


@pytest.fixture(autouse=True)
def bot(telegram: Controls, settings: Settings) -> None:
    settings.TELEGRAM_API_URL, settings.TELEGRAM_BOT_TOKEN = telegram.url, DEFAULT_TOKEN
    settings.TELEGRAM_WEBHOOK_SECRET = "secret-of-the-webhook"
    telegram.post("/chats", {"id": CHAT, "first_name": "Ada"})


def says(telegram: Controls, text: str) -> None:
    telegram.post(f"/chats/{CHAT}/messages", {"text": text})


def stored_texts() -> list[str]:
    rows = TelegramUpdate.objects.order_by("update_id")
    return [row.payload["message"]["text"] for row in rows]


def test_webhook_that_was_set_brings_updates_with_the_secret(
    telegram: Controls, live_server: LiveServer
) -> None:
    call_command("set_webhook", "--url", f"{live_server.url}/telegram/webhook")
    says(telegram, "hello")
    wait_for(lambda: stored_texts() == ["hello"])
    call_command("set_webhook", "--delete")
    assert telegram.bot("getWebhookInfo")["url"] == ""


@pytest.mark.parametrize("name", ["TELEGRAM_BOT_TOKEN", "TELEGRAM_WEBHOOK_SECRET"])
def test_webhook_without_token_or_secret_is_not_asked_for(settings: Settings, name: str) -> None:
    setattr(settings, name, "")
    with pytest.raises(CommandError, match=name):
        call_command("set_webhook")


def test_refused_token_is_told_without_showing_it(settings: Settings) -> None:
    settings.TELEGRAM_BOT_TOKEN = "1:wrong"
    with pytest.raises(CommandError, match="stays as it was") as refusal:
        call_command("set_webhook")
    assert "1:wrong" not in str(refusal.value)


def test_polling_keeps_each_update_once_and_goes_on_behind_it(telegram: Controls) -> None:
    says(telegram, "one")
    says(telegram, "two")
    offset = Command().poll(0)
    assert stored_texts() == ["one", "two"]
    says(telegram, "three")
    assert Command().poll(offset) == offset + 1
    assert stored_texts() == ["one", "two", "three"]


def test_polling_beside_a_webhook_says_what_to_do(telegram: Controls) -> None:
    telegram.bot("setWebhook", url="http://127.0.0.1:9/telegram/webhook")
    with pytest.raises(CommandError, match="set_webhook --delete"):
        Command().poll(0)


def test_polling_goes_on_after_telegram_failed(telegram: Controls) -> None:
    telegram.fault("500", method="getUpdates")
    says(telegram, "one")
    assert Command().poll(0) == 0
    assert Command().poll(0) > 0
    assert stored_texts() == ["one"]


def test_polling_goes_on_after_the_database_was_away(
    telegram: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(telegram, "one")
    with monkeypatch.context() as patch:
        patch.setattr(poll_telegram, "PAUSE_SECONDS", 0.0)
        patch.setattr(poll_telegram, "store_update", refuse)
        assert Command().poll(0) == 0
    assert Command().poll(0) > 0
    assert stored_texts() == ["one"]


def refuse(**kwargs: object) -> None:
    raise OperationalError("the connection is lost")


def test_webhook_is_removed_without_a_secret_and_never_by_an_empty_address(
    telegram: Controls, settings: Settings
) -> None:
    telegram.bot("setWebhook", url="http://127.0.0.1:9/telegram/webhook")
    with pytest.raises(CommandError, match="--delete"):
        call_command("set_webhook", "--url", "")
    settings.TELEGRAM_WEBHOOK_SECRET = ""
    call_command("set_webhook", "--delete")
    assert telegram.bot("getWebhookInfo")["url"] == ""


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--per-second", "0"),
        ("--per-second", "-3"),
        ("--in-flight", "0"),
        ("--in-flight", "-1"),
        ("--lease-seconds", "nan"),
        ("--lease-seconds", "inf"),
        ("--lease-seconds", "0"),
        ("--seconds-per-chat", "nan"),
        ("--seconds-per-chat", "-1"),
    ],
)
def test_sender_refuses_numbers_with_which_it_would_not_send_or_not_stop(option: str, value: str) -> None:
    with pytest.raises(CommandError, match=f"{option} must be between"):
        call_command("send_deliveries", option, value, "--no-metrics")
