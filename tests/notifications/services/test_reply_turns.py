"""Replies within Telegram's limits, whoever asks how often."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from notifications.models import ReplyTurn
from notifications.services.reply_turns import ALL_CHATS, forget_turns, take_turn


@pytest.mark.django_db
def test_second_reply_waits_for_its_second_and_the_third_is_refused() -> None:
    assert take_turn(chat_id=5) == 0
    assert take_turn(chat_id=5) == pytest.approx(1.0, abs=0.3)
    assert take_turn(chat_id=5) is None
    assert take_turn(chat_id=6) == 0


@pytest.mark.django_db
def test_refused_turn_takes_nothing() -> None:
    for _ in range(9):
        take_turn(chat_id=5)
    assert ReplyTurn.objects.get().free_at < timezone.now() + timedelta(seconds=2)


@pytest.mark.django_db
def test_texts_to_all_chats_are_half_a_second_apart() -> None:
    waits = [take_turn(chat_id=ALL_CHATS) for _ in range(4)]
    assert waits[:3] == pytest.approx([0, 0.5, 1.0], abs=0.3)
    assert waits[3] is None


@pytest.mark.django_db
def test_turn_that_nobody_waits_for_is_forgotten() -> None:
    now = timezone.now()
    ReplyTurn.objects.create(chat_id=5, free_at=now - timedelta(minutes=1))
    ReplyTurn.objects.create(chat_id=6, free_at=now)
    forget_turns(free_before=now - timedelta(seconds=10))
    assert ReplyTurn.objects.get().chat_id == 6


@pytest.mark.django_db(transaction=True)
def test_workers_that_ask_together_get_different_turns() -> None:
    waits: list[float | None] = []

    def ask(begin: threading.Barrier) -> None:
        connection.ensure_connection()
        begin.wait()
        waits.append(take_turn(chat_id=5))
        connection.close()

    begin = threading.Barrier(6)
    workers = [threading.Thread(target=ask, args=[begin]) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(wait for wait in waits if wait is not None) == pytest.approx([0, 1.0], abs=0.5)
    assert waits.count(None) == 4
