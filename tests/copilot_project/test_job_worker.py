"""Jobs at a real worker that is killed, told to cancel, and told twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection, transaction

from autopilot.services.bootstrap_config import update_bootstrap_config
from autopilot.services.training import start_training
from signals.engine.timeframe import Timeframe
from signals.models import Heartbeat, Job, JobState, ModelState, TrainedModel
from signals.services import jobs
from signals.services.job_sweep import sweep_jobs
from tests.copilot_project import job_tasks  # noqa: F401  (what the worker runs must be known here, too)
from tests.factories import make_instrument, make_series, store

CANDLES_FROM = datetime(2026, 1, 1, tzinfo=UTC)
WAITS_TO_WRITE = (
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'signals_trainedmodel'::regclass"
)
REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = ["-m", "celery", "-A", "copilot_project", "--quiet", "worker", "-n", "training@%h", "-c", "1"]
COMMAND += ["-Q", "training,research", "-I", "tests.copilot_project.job_tasks", "-l", "WARNING"]
COMMAND += ["--without-mingle", "--without-gossip"]


@pytest.fixture
def worker(process_env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    environment = process_env | {"PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(
        [sys.executable, *COMMAND], cwd=REPOSITORY, env=environment, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def wait_for(pk: UUID, condition: Callable[[Job], bool], seconds: float = 60) -> Job:
    until = time.monotonic() + seconds
    while not condition(row := Job.objects.get(pk=pk)):
        assert time.monotonic() < until, f"{row}: {row.message} {row.error} {row.trace}"
        time.sleep(0.05)
    return row


def killed_in_training(worker: subprocess.Popen[bytes]) -> Job:
    """A training whose process dies in the middle of its registration, and what its job came to afterwards."""
    bitcoin = make_instrument(symbol="BTC/USDT", aliases=["BTC/USD"])
    store(bitcoin, Timeframe.H1, make_series(bars=900, start=CANDLES_FROM, seed=3))
    update_bootstrap_config(by="ada", now=datetime.now(UTC), symbols=["BTC/USD"])
    job = start_training(owner="ada", now=datetime.now(UTC))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE signals_trainedmodel IN SHARE MODE")  # it may look, and waits to write
        until = time.monotonic() + 120
        waiting = 0
        while not waiting:
            assert time.monotonic() < until, Job.objects.get(pk=job.pk).message
            time.sleep(0.05)
            cursor.execute(WAITS_TO_WRITE)
            (waiting,) = cursor.fetchone()
        children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
    Job.objects.filter(pk=job.pk).update(lease_until=datetime.now(UTC) - timedelta(seconds=1))
    sweep_jobs()
    return wait_for(job.pk, lambda row: row.has_ended, seconds=120)


class Piece:
    """One job and the file in which each of its attempts leaves a line."""

    def __init__(self, kind: str, folder: Path, steps: int = 1_000) -> None:
        self.file = folder / kind
        parameters = {"steps": steps, "file": str(self.file)}
        self.pk = jobs.start_job(kind=kind, parameters=parameters, owner="ada", now=datetime.now(UTC)).pk

    @property
    def row(self) -> Job:
        return Job.objects.get(pk=self.pk)

    @property
    def attempts(self) -> list[tuple[int, int]]:
        """Process and first step of each."""
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return [(int(pid), int(step)) for pid, step in map(str.split, lines)]

    def wait(self, condition: Callable[[Job], bool], seconds: float = 60) -> Job:
        return wait_for(self.pk, condition, seconds)

    def kill_its_child(self) -> None:
        """As the kernel does when memory is short; and its lease lapses, which takes a minute otherwise."""
        os.kill(self.attempts[-1][0], signal.SIGKILL)
        Job.objects.filter(pk=self.pk).update(lease_until=datetime.now(UTC) - timedelta(seconds=1))


@pytest.mark.process
def test_killed_cancelled_overdue_and_told_twice(worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """One worker for all of it, since each start takes seconds."""
    resumed = Piece("test-resumable", tmp_path, steps=100)
    resumed.wait(lambda row: row.progress_done >= 5)
    for _ in range(2):
        jobs.wake(job=resumed.row)  # as the broker does after its visibility timeout
    assert Heartbeat.objects.filter(name="training-worker").exists()

    resumed.kill_its_child()
    assert resumed.row.state == JobState.RUNNING
    sweep_jobs()
    row = resumed.wait(lambda row: row.has_ended)

    assert (row.state, row.result, row.attempt) == (JobState.SUCCEEDED, {"steps": 100}, 2)
    (first, began), (second, went_on) = resumed.attempts
    assert first != second
    assert began == 0 < went_on

    once = Piece("test-once", tmp_path)
    once.wait(lambda row: row.progress_done >= 1)
    once.kill_its_child()
    sweep_jobs()
    sweep_jobs()
    assert once.row.state == JobState.FAILED
    assert "fell silent" in once.row.error

    cancelled = Piece("test-resumable", tmp_path)
    cancelled.wait(lambda row: row.progress_done >= 1)
    jobs.cancel_job(job_id=cancelled.pk, by="bob", now=datetime.now(UTC))
    row = cancelled.wait(lambda row: row.has_ended)
    assert (row.state, row.attempt) == (JobState.CANCELLED, 1)

    overdue = Piece("test-too-long", tmp_path)
    row = overdue.wait(lambda row: row.has_ended)
    assert (row.state, row.error) == (
        JobState.FAILED,
        "TimeoutError: took longer than its limit of 1 seconds",
    )

    for piece in (once, overdue):  # and nothing that the broker brings again begins
        jobs.wake(job=piece.row)
    last = Piece("test-resumable", tmp_path, steps=1)
    last.wait(lambda row: row.has_ended)
    assert len(once.attempts) == len(overdue.attempts) == 1
    assert len(resumed.attempts) == 2 + len({cancelled.pk, last.pk})

    trained = killed_in_training(worker)
    assert (trained.state, trained.attempt) == (JobState.SUCCEEDED, 2)
    assert trained.result is not None
    model = TrainedModel.objects.get()  # nothing of the first attempt is left
    assert (model.job_id, model.state, model.pk) == (trained.pk, ModelState.REJECTED, trained.result["model"])
