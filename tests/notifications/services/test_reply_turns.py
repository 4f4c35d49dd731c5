"""Replies within Telegram's limits, whoever asks how often."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from notifications.models import ReplyTurn
from notifications.services.reply_turns import ALL_CHATS, BURST, forget_turns, take_turn


@pytest.mark.django_db
@pytest.mark.parametrize(("chat_id", "pause"), [(5, 1.2), (ALL_CHATS, 0.5)])
def test_burst_is_let_through_and_then_one_for_each_pause(chat_id: int, pause: float) -> None:
    assert [take_turn(chat_id=chat_id) for _ in range(BURST + 2)] == [True] * BURST + [False] * 2
    assert take_turn(chat_id=6)
    turn = ReplyTurn.objects.get(chat_id=chat_id)
    turn.free_at -= timedelta(seconds=pause)
    turn.save()
    assert [take_turn(chat_id=chat_id) for _ in range(2)] == [True, False]


@pytest.mark.django_db
def test_refused_turn_takes_nothing_and_a_long_rest_saves_no_more_than_a_burst() -> None:
    for _ in range(99):
        take_turn(chat_id=5)
    assert ReplyTurn.objects.get().free_at < timezone.now() + timedelta(seconds=1.2 * BURST)
    ReplyTurn.objects.update(free_at=timezone.now() - timedelta(days=1))
    assert [take_turn(chat_id=5) for _ in range(BURST + 1)] == [True] * BURST + [False]


@pytest.mark.django_db
def test_turn_that_is_over_is_forgotten() -> None:
    now = timezone.now()
    ReplyTurn.objects.create(chat_id=5, free_at=now - timedelta(minutes=1))
    ReplyTurn.objects.create(chat_id=6, free_at=now)
    forget_turns(free_before=now - timedelta(seconds=10))
    assert ReplyTurn.objects.get().chat_id == 6


@pytest.mark.django_db(transaction=True)
def test_workers_that_ask_together_do_not_get_the_same_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "notifications.services.reply_turns.SECONDS_BETWEEN_TEXTS", 600.0
    )  # however slow we are
    granted: list[bool] = []

    def ask(begin: threading.Barrier) -> None:
        connection.ensure_connection()
        begin.wait()
        granted.append(take_turn(chat_id=ALL_CHATS))
        connection.close()

    workers_at_once = BURST + 2  # each has a connection of the pool's eight
    begin = threading.Barrier(workers_at_once, timeout=60)
    workers = [threading.Thread(target=ask, args=[begin]) for _ in range(workers_at_once)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(granted) == workers_at_once
    assert sum(granted) == BURST
