"""From a press in the chat to the answer in the chat, over real HTTP."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from kombu.exceptions import OperationalError
from pytest_django.fixtures import Settings

from copilot_project.sandbox.config import DEFAULT_TOKEN
from notifications import tasks
from notifications.clients.telegram import TelegramClient
from notifications.clients.telegram_call import Failure, TelegramError
from notifications.models import Delivery, Feedback, ReplyTurn, SenderState, TelegramUpdate
from notifications.services.fan_out import fan_out
from notifications.services.inbox import store_update
from notifications.services.reply_turns import ALL_CHATS
from notifications.tasks import process_update
from signals.services.kill_switch import engage
from tests.notifications.rows import Controls, make_signal, make_subscriber, send_until

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def delivery(telegram: Controls, settings: Settings, transactional_db: None) -> Delivery:
    settings.TELEGRAM_API_URL, settings.TELEGRAM_BOT_TOKEN = telegram.url, DEFAULT_TOKEN
    subscriber = make_subscriber()
    telegram.open_chats(subscriber)
    fan_out(signal=make_signal())
    send_until(telegram.url)
    return Delivery.objects.select_related("subscriber").get()


def press(telegram: Controls, delivery: Delivery, update_id: int) -> None:
    body = {"message_id": delivery.telegram_message_id, "data": f"fa:{delivery.public_id.hex}"}
    update = telegram.post(f"/chats/{delivery.subscriber.chat_id}/callbacks", body)
    store_update(payload=update | {"update_id": update_id}, now=timezone.now())
    process_update(update_id)


def test_press_is_thanked_and_the_buttons_show_the_answer(telegram: Controls, delivery: Delivery) -> None:
    press(telegram, delivery, 1)
    chat = telegram.get(f"/chats/{delivery.subscriber.chat_id}")
    assert [toast["text"] for toast in chat["toasts"]] == ["Thank you: recorded as acted."]
    buttons = chat["messages"][-1]["reply_markup"]["inline_keyboard"][0]
    assert [button["text"] for button in buttons] == ["✓ You acted", "I ignored it"]
    assert TelegramUpdate.objects.get().outcome == "acted; replied"


def test_reply_that_fails_leaves_the_effect_and_is_on_record(telegram: Controls, delivery: Delivery) -> None:
    telegram.fault("close", method="answerCallbackQuery")
    press(telegram, delivery, 1)
    assert Feedback.objects.count() == 1
    assert TelegramUpdate.objects.get().outcome.startswith("acted; reply failed (ambiguous)")
    process_update(1)
    assert len(telegram.get(f"/chats/{delivery.subscriber.chat_id}")["toasts"]) == 1


def test_429_for_a_reply_pauses_the_whole_bot_and_its_replies(telegram: Controls, delivery: Delivery) -> None:
    telegram.fault("429", method="answerCallbackQuery", retry_after=40)
    began = timezone.now()
    press(telegram, delivery, 1)
    paused_until = SenderState.objects.get().paused_until
    assert paused_until is not None
    assert timedelta(seconds=38) < paused_until - began < timedelta(seconds=50)
    press(telegram, delivery, 2)
    outcome = TelegramUpdate.objects.get(update_id=2).outcome
    assert outcome.endswith(f"; no reply: the bot waits for Telegram until {paused_until:%H:%M:%S}")
    assert telegram.get(f"/chats/{delivery.subscriber.chat_id}")["toasts"] == []


def ask(telegram: Controls, delivery: Delivery, update_id: int, text: str) -> str:
    """What became of a message of the subscriber's."""
    update = telegram.post(f"/chats/{delivery.subscriber.chat_id}/messages", {"text": text})
    store_update(payload=update | {"update_id": update_id}, now=timezone.now())
    process_update(update_id)
    return TelegramUpdate.objects.get(update_id=update_id).outcome


def test_chat_that_asks_all_the_time_is_answered_once_a_second(
    telegram: Controls, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it presses counts although nobody is told, and its questions take no other chat's turn."""
    monkeypatch.setattr("notifications.services.reply_turns.SECONDS_PER_CHAT", 20.0)
    monkeypatch.setattr("notifications.services.reply_turns.BURST", 1)
    assert ask(telegram, delivery, 1, "/status") == "asked for status; replied"
    press(telegram, delivery, 2)
    assert Feedback.objects.count() == 1
    outcome = TelegramUpdate.objects.get(update_id=2).outcome
    assert outcome == "acted; no reply: this chat asks more than once a second"
    ReplyTurn.objects.filter(chat_id=ALL_CHATS).delete()
    assert ask(telegram, delivery, 3, "/help").startswith("asked for help; no reply: this chat asks")
    assert not ReplyTurn.objects.filter(chat_id=ALL_CHATS).exists()


def test_chat_that_asks_as_fast_as_it_can_never_earns_the_bot_a_pause(
    telegram: Controls, delivery: Delivery
) -> None:
    """The sandbox keeps Telegram's limit of a chat and would refuse with a 429."""
    chat = make_subscriber()
    telegram.open_chats(chat)
    delivery.subscriber = chat
    outcomes = []
    for update_id in range(1, 13):
        ReplyTurn.objects.filter(chat_id=ALL_CHATS).delete()
        outcomes.append(ask(telegram, delivery, update_id, "/status"))
    replied = "asked for status; replied"
    assert outcomes[:2] == [replied, replied]
    assert set(outcomes[2:]) <= {
        replied,
        "asked for status; no reply: this chat asks more than once a second",
    }
    assert SenderState.objects.get().paused_until is None


def test_question_without_a_turn_waits_for_the_sweeper(telegram: Controls, delivery: Delivery) -> None:
    ReplyTurn.objects.create(chat_id=ALL_CHATS, free_at=timezone.now() + timedelta(seconds=90))
    assert ask(telegram, delivery, 1, "/status") == ""
    assert TelegramUpdate.objects.get().attempts == 0
    ReplyTurn.objects.update(free_at=timezone.now())
    process_update(1)
    assert TelegramUpdate.objects.get().outcome == "asked for status; replied"


def test_opened_link_needs_no_turn_of_all_chats(telegram: Controls, delivery: Delivery) -> None:
    """It would lapse while it waits."""
    ReplyTurn.objects.create(chat_id=ALL_CHATS, free_at=timezone.now() + timedelta(seconds=30))
    assert ask(telegram, delivery, 1, "/start notatoken").startswith("not linked")


def test_past_signals_are_not_shown_while_the_kill_switch_is_engaged(
    telegram: Controls, delivery: Delivery
) -> None:
    engage(reason="a wrong price", by="ada", now=timezone.now())
    ask(telegram, delivery, 1, "/last")
    said = telegram.get(f"/chats/{delivery.subscriber.chat_id}")["messages"][-1]["text"]
    assert said.startswith("Your team has stopped all signals for now.")
    assert "Entry" not in said


def test_403_for_a_reply_marks_the_chat(telegram: Controls, delivery: Delivery) -> None:
    telegram.fault("403", method="answerCallbackQuery")
    press(telegram, delivery, 1)
    delivery.subscriber.refresh_from_db()
    assert "blocked" in delivery.subscriber.unreachable_reason


@pytest.mark.parametrize("failure", [Failure.NOT_SENT, Failure.AMBIGUOUS])
def test_reply_that_failed_is_not_tried_again(
    telegram: Controls, delivery: Delivery, monkeypatch: pytest.MonkeyPatch, failure: Failure
) -> None:
    calls: list[str] = []

    async def fails(self: TelegramClient, **values: str) -> None:
        calls.append(values["text"])
        raise TelegramError("no luck", failure)

    monkeypatch.setattr(TelegramClient, "answer_callback", fails)
    press(telegram, delivery, 1)
    assert f"reply failed ({failure.value})" in TelegramUpdate.objects.get(update_id=1).outcome
    assert len(calls) == 1


def test_second_press_finds_the_buttons_as_they_are(telegram: Controls, delivery: Delivery) -> None:
    press(telegram, delivery, 1)
    press(telegram, delivery, 2)
    outcomes = TelegramUpdate.objects.order_by("update_id").values_list("outcome", flat=True)
    assert list(outcomes) == ["acted; replied", "already answered: acted; replied"]


def test_buttons_show_the_answer_even_where_its_notice_comes_too_late(
    telegram: Controls, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_late(self: TelegramClient, **values: str) -> None:
        raise TelegramError("Query is too old and response timeout expired", Failure.REFUSED)

    monkeypatch.setattr(TelegramClient, "answer_callback", too_late)
    press(telegram, delivery, 1)
    assert "reply failed (refused)" in TelegramUpdate.objects.get(update_id=1).outcome
    (message,) = telegram.get(f"/chats/{delivery.subscriber.chat_id}")["messages"]
    assert message["reply_markup"]["inline_keyboard"][0][0]["text"] == "✓ You acted"


def test_question_is_answered_when_its_turn_comes_whoever_is_woken_before(
    telegram: Controls, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweeper, or Telegram that brings it again, neither answers it early nor takes its turn away."""
    woken: list[tuple[tuple[int], float]] = []
    monkeypatch.setattr(
        tasks.process_update,
        "apply_async",
        lambda args, *, countdown, **options: woken.append((args, countdown)),
    )
    ReplyTurn.objects.create(chat_id=ALL_CHATS, free_at=timezone.now() + timedelta(seconds=20))
    assert ask(telegram, delivery, 1, "/status") == ""
    process_update(1)
    update = TelegramUpdate.objects.get()
    assert (update.outcome, update.attempts) == ("", 0)
    ((args, countdown),) = woken
    assert args == (1,)
    assert countdown == pytest.approx(20, abs=5)
    assert update.turn_at - timezone.now() <= timedelta(seconds=countdown)
    TelegramUpdate.objects.update(turn_at=timezone.now())
    process_update(1)
    assert TelegramUpdate.objects.get().outcome == "asked for status; replied"


def test_signals_asked_for_are_held_back_by_a_switch_engaged_meanwhile(
    telegram: Controls, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "sending_allowed", lambda: False)
    outcome = ask(telegram, delivery, 1, "/last")
    assert outcome == "asked for the last signals; no reply: sending is stopped"


def test_signals_asked_for_are_held_back_when_the_way_to_telegram_is_slow(
    telegram: Controls, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has looked at the kill switch for too long."""
    monkeypatch.setattr("notifications.services.reply_sending.FRESH_SECONDS", 0.0)
    assert "reply failed (held_back)" in ask(telegram, delivery, 1, "/last")
    ReplyTurn.objects.all().delete()
    assert ask(telegram, delivery, 2, "/status") == "asked for status; replied"


def test_sweeper_wakes_a_worker_for_old_open_updates_only(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[int] = []
    monkeypatch.setattr(tasks.process_update, "apply_async", lambda args, **options: woken.append(args[0]))
    now = timezone.now()
    for update_id, age in ((1, 60), (2, 30), (3, 30), (4, 0)):
        store_update(payload={"update_id": update_id}, now=now - timedelta(seconds=age))
    TelegramUpdate.objects.filter(update_id=2).update(processed_at=now)
    tasks.sweep_updates()
    assert woken == [1, 3]


def test_sweep_goes_on_without_a_broker(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def fail(args: tuple[int], **options: object) -> None:
        asked.append(args[0])
        raise OperationalError("connection refused")

    monkeypatch.setattr(tasks.process_update, "apply_async", fail)
    for update_id in (1, 2):
        store_update(payload={"update_id": update_id}, now=timezone.now() - timedelta(minutes=1))
    tasks.sweep_updates()
    assert asked == [1, 2]
    assert TelegramUpdate.objects.filter(processed_at=None).count() == 2


@pytest.mark.slow
def test_tasks_belong_to_our_broker_in_a_process_that_loads_only_django() -> None:
    asked = "import django; django.setup(); from notifications.tasks import process_update as t; print(t.app.main)"
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "copilot_project.settings"}
    command = [sys.executable, "-c", asked]
    answer = subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "copilot"
