"""Replies within Telegram's limits, whoever asks how often."""

import threading
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import connection
from django.utils import timezone

from notifications.models import ReplyTurn
from notifications.services.reply_turns import (
    ALL_CHATS,
    BURST,
    LONGEST_WAIT_SECONDS,
    SECONDS_BETWEEN_TEXTS,
    SECONDS_PER_CHAT,
    forget_turns,
    reserve_turn,
    take_turn,
)


@pytest.mark.django_db
def test_burst_is_let_through_and_then_one_for_each_pause() -> None:
    assert [take_turn(chat_id=5) for _ in range(BURST + 2)] == [True] * BURST + [False] * 2
    assert take_turn(chat_id=6)
    turn = ReplyTurn.objects.get(chat_id=5)
    turn.free_at -= timedelta(seconds=1.2)
    turn.save()
    assert [take_turn(chat_id=5) for _ in range(2)] == [True, False]


@pytest.mark.django_db
def test_questions_of_all_chats_have_their_turns_one_after_the_other() -> None:
    """Each half a second after the one before, until the last would have to wait too long."""
    waits = [reserve_turn(chat_id=chat_id) for chat_id in range(1, 60)]
    reserved = [wait for wait in waits if wait is not None]
    assert len(reserved) == pytest.approx(LONGEST_WAIT_SECONDS / SECONDS_BETWEEN_TEXTS + 1, abs=2)
    assert waits == reserved + [None] * (len(waits) - len(reserved))
    assert reserved[0] == 0
    ends = ReplyTurn.objects.get(chat_id=ALL_CHATS).free_at
    assert ends <= timezone.now() + timedelta(seconds=LONGEST_WAIT_SECONDS + SECONDS_BETWEEN_TEXTS)
    steps = [after - before for before, after in pairwise(reserved)]
    assert all(0 < step <= SECONDS_BETWEEN_TEXTS for step in steps)
    assert reserved[-1] > LONGEST_WAIT_SECONDS / 2


@pytest.mark.django_db
def test_chat_has_no_other_turn_until_its_question_is_answered() -> None:
    ReplyTurn.objects.create(chat_id=ALL_CHATS, free_at=timezone.now() + timedelta(seconds=20))
    assert take_turn(chat_id=5)
    wait = reserve_turn(chat_id=5)
    assert wait == pytest.approx(20, abs=5)
    assert not take_turn(chat_id=5)
    free_at = ReplyTurn.objects.get(chat_id=5).free_at
    assert free_at >= timezone.now() + timedelta(seconds=wait - 5 + SECONDS_PER_CHAT)


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
    monkeypatch.setattr("notifications.services.reply_turns.SECONDS_PER_CHAT", 600.0)  # however slow we are
    granted: list[bool] = []

    def ask(begin: threading.Barrier) -> None:
        connection.ensure_connection()
        begin.wait()
        granted.append(take_turn(chat_id=5))
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
