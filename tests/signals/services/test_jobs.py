"""A job runs once, says how far it is, can be cancelled, and survives its process as resumed or failed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from copilot_project.celery import app
from signals.models import Action, Job, JobState
from signals.services import job_run, jobs
from signals.services.job_sweep import MOST_ATTEMPTS, sweep_jobs
from signals.services.jobs import JobLeaseLostError, JobRun

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Messages:
    """What would have gone to the broker."""

    def __init__(self) -> None:
        self.sent: list[tuple[tuple[str], str]] = []

    def apply_async(self, args: tuple[str], queue: str, **options: Any) -> None:
        self.sent.append((args, queue))


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> Iterator[Messages]:
    @app.task(
        name="tests.train",
        shared=False,
        job_kind="train",
        queue="training",
        job_resumable=True,
        job_time_limit_seconds=60,
    )
    def train(run: JobRun) -> dict[str, Any]:
        return {"steps": run.parameters["steps"]}

    @app.task(name="tests.import", shared=False, job_kind="import", queue="market")
    def bring(run: JobRun) -> dict[str, Any]:
        raise ValueError("a broken file")

    messages = Messages()
    for task in (train, bring):
        monkeypatch.setattr(task, "apply_async", messages.apply_async)
    yield messages
    for task in (train, bring):
        app.tasks.pop(task.name)


def start(kind: str = "train") -> Job:
    return jobs.start_job(kind=kind, parameters={"steps": 3}, owner="ada", now=NOW)


def let_lease_lapse(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_until=datetime.now(UTC) - timedelta(seconds=1))


def receive(job: Job) -> None:
    """As a worker's child does with the job's message."""
    task = jobs.task_of(job.kind)
    task.push_request(called_directly=False, id="1", delivery_info={"routing_key": job.queue})
    try:
        task(str(job.pk))
    finally:
        task.pop_request()


def run(work: Any) -> Job:
    return jobs.run_here(kind="replay", parameters={"days": 2}, owner="ada", work=work)


def test_a_started_job_is_a_row_and_a_worker_is_told_on_commit(
    messages: Messages, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        job = start()
        assert messages.sent == []

    job.refresh_from_db()
    assert (job.state, job.owner, job.queue, job.is_resumable) == (JobState.QUEUED, "ada", "training", True)
    assert messages.sent == [((str(job.pk),), "training")]


def test_a_kind_that_no_task_does_is_refused(messages: Messages) -> None:
    with pytest.raises(jobs.UnknownJobKindError, match="train"):
        start("trane")


def test_the_message_runs_the_job_once_however_often_it_comes(messages: Messages) -> None:
    job = start()
    receive(job)
    receive(job)

    job.refresh_from_db()
    assert (job.state, job.result, job.attempt) == (JobState.SUCCEEDED, {"steps": 3}, 1)
    assert job.ended_at is not None


def test_a_message_for_a_running_job_begins_nothing(messages: Messages) -> None:
    job = start()
    assert jobs.take_lease(job_id=job.pk)
    receive(job)

    job.refresh_from_db()
    assert (job.state, job.attempt) == (JobState.RUNNING, 1)


def test_what_a_job_raises_is_kept_with_its_trace_and_raised(messages: Messages) -> None:
    job = start("import")
    with pytest.raises(ValueError, match="broken"):
        receive(job)

    job.refresh_from_db()
    assert (job.state, job.error) == (JobState.FAILED, "ValueError: a broken file")
    assert "in bring" in job.trace


def test_a_result_that_is_no_json_fails_the_job() -> None:
    with pytest.raises(ValueError, match="JSON"):
        run(lambda run: {"sharpe": float("nan")})

    assert Job.objects.get().state == JobState.FAILED


def test_work_in_this_process_has_its_row_and_its_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_run, "PROGRESS_EVERY_SECONDS", 0.0)
    seen = []

    def work(run: JobRun) -> dict[str, Any]:
        for day in range(2):
            run.progress(day, run.parameters["days"], f"day {day}")
            row = Job.objects.get()
            seen.append((row.state, row.progress_done, row.progress_total, row.message))
        return {"days": 2}

    job = run(work)

    assert seen == [(JobState.RUNNING, 0, 2, "day 0"), (JobState.RUNNING, 1, 2, "day 1")]
    assert (job.state, job.result, job.queue) == (JobState.SUCCEEDED, {"days": 2}, "")


def test_progress_is_written_at_most_once_a_second() -> None:
    def work(run: JobRun) -> dict[str, Any]:
        for step in range(1000):
            run.progress(step, 1000)
        assert Job.objects.get().progress_done == 0
        return {}

    job = run(work)

    assert (job.progress_done, job.progress_total) == (999, 1000)  # the last word is written at the end


def test_a_queued_job_is_cancelled_at_once_and_never_runs(messages: Messages) -> None:
    job = start()
    jobs.cancel_job(job_id=job.pk, by="bob", now=NOW)
    receive(job)

    job.refresh_from_db()
    assert (job.state, job.attempt, job.cancel_asked_by) == (JobState.CANCELLED, 0, "bob")
    action = Action.objects.get()
    assert (action.actor, action.what) == ("bob", "job.cancel_asked")
    with pytest.raises(jobs.JobStateError, match="ended already"):
        jobs.cancel_job(job_id=job.pk, by="bob", now=NOW)


def test_a_running_job_is_cancelled_at_its_next_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_run, "PROGRESS_EVERY_SECONDS", 0.0)
    steps = []

    def work(run: JobRun) -> dict[str, Any]:
        for step in range(5):
            run.progress(step, 5)
            steps.append(step)
            if step == 1:
                jobs.cancel_job(job_id=run.job.pk, by="bob", now=NOW)
        return {}

    job = run(work)

    assert job.state == JobState.CANCELLED
    assert steps == [0, 1]


def test_an_interrupted_command_leaves_a_cancelled_job() -> None:
    def work(run: JobRun) -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(work)

    assert Job.objects.get().state == JobState.CANCELLED


def test_a_resumable_job_of_a_dead_worker_goes_on_from_its_checkpoint(messages: Messages) -> None:
    job = start()
    first = jobs.take_lease(job_id=job.pk)
    assert first is not None
    JobRun(first).save_checkpoint({"step": 2})
    sweep_jobs()
    assert Job.objects.get().state == JobState.RUNNING  # its lease has not lapsed

    let_lease_lapse(job)
    sweep_jobs()

    assert messages.sent[-1] == ((str(job.pk),), "training")
    second = jobs.take_lease(job_id=job.pk)
    assert second is not None
    assert (second.attempt, JobRun(second).checkpoint) == (2, {"step": 2})
    # The first was not dead but slow: nothing that it writes counts any more.
    with pytest.raises(JobLeaseLostError):
        JobRun(first).save_checkpoint({"step": 3})
    assert jobs.carry_out(job=first, work=lambda run: {"by": "the slow one"}).state == JobState.RUNNING


def test_a_resumable_job_is_given_up_after_three_attempts(messages: Messages) -> None:
    job = start()
    for _ in range(MOST_ATTEMPTS):
        assert jobs.take_lease(job_id=job.pk)
        let_lease_lapse(job)
        sweep_jobs()

    job.refresh_from_db()
    assert (job.state, job.attempt) == (JobState.FAILED, 3)
    assert "given up" in job.error


def test_any_other_job_of_a_dead_worker_fails_and_says_why(messages: Messages) -> None:
    job = start("import")
    assert jobs.take_lease(job_id=job.pk)
    let_lease_lapse(job)
    sweep_jobs()

    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert "fell silent" in job.error
    assert messages.sent == []


def test_a_job_whose_cancelling_its_worker_did_not_survive_is_cancelled(messages: Messages) -> None:
    job = start()
    assert jobs.take_lease(job_id=job.pk)
    jobs.cancel_job(job_id=job.pk, by="bob", now=NOW)
    let_lease_lapse(job)
    sweep_jobs()

    job.refresh_from_db()
    assert job.state == JobState.CANCELLED


def test_a_job_that_was_killed_at_its_time_limit_is_not_resumed(messages: Messages) -> None:
    job = start()
    assert jobs.take_lease(job_id=job.pk)
    Job.objects.filter(pk=job.pk).update(started_at=datetime.now(UTC) - timedelta(seconds=120))
    let_lease_lapse(job)
    sweep_jobs()

    job.refresh_from_db()
    assert (job.state, job.error) == (JobState.FAILED, "took longer than its limit of 60 seconds")


def test_a_queued_job_is_woken_again_after_a_minute(messages: Messages) -> None:
    job = start()
    jobs.wake(job=job)
    sweep_jobs()
    assert len(messages.sent) == 1

    Job.objects.update(woken_at=datetime.now(UTC) - timedelta(seconds=61))
    sweep_jobs()

    assert len(messages.sent) == 2


def test_a_job_whose_kind_is_gone_fails(messages: Messages) -> None:
    job = start()
    Job.objects.update(kind="trane")
    sweep_jobs()

    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert "trane" in job.error


@pytest.mark.django_db(transaction=True)
def test_the_lease_is_renewed_beside_work_that_says_nothing_and_cancelling_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job_run, "BEAT_EVERY_SECONDS", 0.1)
    monkeypatch.setattr(job_run, "PROGRESS_EVERY_SECONDS", 0.1)

    def work(run: JobRun) -> dict[str, Any]:
        before = Job.objects.get().heartbeat_at
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(1)")
        after = Job.objects.get().heartbeat_at
        assert None not in {before, after}
        assert after > before
        jobs.cancel_job(job_id=run.job.pk, by="bob", now=NOW)
        for step in range(100):
            run.progress(step, 100)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.1)")
        return {}

    job = run(work)

    assert job.state == JobState.CANCELLED
    assert job.progress_done < 50
