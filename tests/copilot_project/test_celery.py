"""Whatever a worker begins is a sign of its life; a call within another process is none. And nothing waits in Redis."""

import os
import re
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings

from copilot_project.celery import app
from notifications.services.reply_turns import LONGEST_WAIT_SECONDS, SECONDS_BETWEEN_TEXTS
from signals.market.tasks import CLOSE_GRACE_SECONDS, CLOSE_SEEN_AHEAD_SECONDS
from signals.models import Heartbeat

pytestmark = pytest.mark.django_db

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def task() -> Any:
    @app.task(name="tests.nothing", shared=False)
    def nothing() -> None: ...

    yield nothing
    app.tasks.pop("tests.nothing")


def begin(task: Any, queue: str) -> None:
    """As a worker's child does with a message from that queue."""
    task.push_request(called_directly=False, id="1", delivery_info={"routing_key": queue})
    try:
        task()
    finally:
        task.pop_request()


def test_task_that_a_worker_begins_is_its_sign_of_life(task: Any) -> None:
    before = datetime.now(UTC)

    begin(task, "signals")

    assert Heartbeat.objects.get(name="worker").beat_at >= before


def test_worker_for_training_does_not_speak_for_the_worker(task: Any) -> None:
    begin(task, "training")
    task()

    assert not Heartbeat.objects.filter(name="worker").exists()


def test_no_task_waits_in_the_broker_but_a_question_for_its_turn_and_the_fetch_at_a_close() -> None:
    """One that waits longer than the visibility timeout is run again and again (celery#2481)."""
    apps = ("autopilot", "copilot_project", "notifications", "research", "signals", "users")
    sources = [path for app in apps for path in (REPOSITORY / app).rglob("*.py")]
    assert len(sources) > 100
    waiting = [path for path in sources if re.search(r"\b(countdown|eta)\s*=", path.read_text())]
    assert waiting == [
        REPOSITORY / "notifications" / "tasks.py",
        REPOSITORY / "signals" / "market" / "tasks.py",
    ]
    assert CLOSE_SEEN_AHEAD_SECONDS + CLOSE_GRACE_SECONDS < 60 < settings.CELERY_VISIBILITY_TIMEOUT
    assert LONGEST_WAIT_SECONDS + SECONDS_BETWEEN_TEXTS < 60 < settings.CELERY_VISIBILITY_TIMEOUT


@pytest.mark.parametrize("load", [__import__, import_module])
def test_process_that_was_stopped_while_it_imported_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, load: Callable[[str], object]
) -> None:
    (tmp_path / "half_there.py").write_text(
        "from celery.exceptions import SoftTimeLimitExceeded\nraise SoftTimeLimitExceeded\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    ended: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *asked: ended.append(asked))
    task = app.tasks["signals.market.tasks.build_chunks"]

    task.on_failure(SoftTimeLimitExceeded(), "an id", (), {}, None)
    task.on_failure(ImportError(), "an id", (), {}, None)
    assert ended == []
    with pytest.raises(SoftTimeLimitExceeded) as stopped:
        load("half_there")
    task.on_failure(stopped.value, "an id", (), {}, None)
    assert ended == [(os.getpid(), signal.SIGKILL)]
