"""`manage.py jobs`: what it lists, shows and cancels; and commands that queue instead of working."""

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from signals.market.models import Instrument
from signals.models import Job, JobState
from signals.services.jobs import JobRun, run_here
from signals.tasks import backfill_candles

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def manage(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def queued(**values: Any) -> Job:
    return Job.objects.create(
        kind="backfill", parameters={"symbols": ["BTC/USDT"]}, queue="market", created_at=NOW, **values
    )


def test_the_list_names_each_job_with_its_state_and_how_far_it_is() -> None:
    queued(owner="ada")

    def work(run: JobRun) -> dict[str, Any]:
        run.progress(3, 4, "page 3")
        return {}

    run_here(kind="replay", parameters={}, owner="bob", work=work)

    newest, oldest = manage("jobs").splitlines()
    assert [word in newest for word in ("replay", "succeeded", "75%", "bob", "page 3")] == [True] * 5
    assert [word in oldest for word in ("backfill", "queued", "ada")] == [True] * 3
    assert "replay" not in manage("jobs", "list", "--unfinished")


def test_one_job_is_shown_with_its_error_and_trace() -> None:
    def work(run: JobRun) -> dict[str, Any]:
        raise ValueError("a broken file")

    with pytest.raises(ValueError, match="broken"):
        run_here(kind="import_candles", parameters={"path": "x.csv"}, owner="bob", work=work)

    shown = manage("jobs", "show", str(Job.objects.get().pk)[:8])
    for words in ("State:             Failed", '"path": "x.csv"', "ValueError: a broken file", "Traceback"):
        assert words in shown


def test_a_queued_job_is_cancelled_from_the_command_line_once() -> None:
    job = queued()
    assert "Cancelled." in manage("jobs", "cancel", str(job.pk))
    assert Job.objects.get().state == JobState.CANCELLED

    with pytest.raises(CommandError, match="ended already"):
        manage("jobs", "cancel", str(job.pk))


@pytest.mark.parametrize("name", ["zzz", "00000000-0000-4000-8000-000000000000"])
def test_a_job_that_is_not_there_is_said_so(name: str) -> None:
    with pytest.raises(CommandError, match="No job begins"):
        manage("jobs", "show", name)


def test_in_the_background_nothing_is_done_here(
    bitcoin: Instrument, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent = []
    monkeypatch.setattr(backfill_candles, "apply_async", lambda args, **options: sent.append(args))

    with django_capture_on_commit_callbacks(execute=True):
        said = manage("backfill", "BTC/USDT", "--timeframe", "1h", "--from", "2024-01-01", "--background")

    job = Job.objects.get()
    assert said == f"Queued: manage.py jobs show {job.pk}\n"
    assert (job.state, job.queue, job.is_resumable) == (JobState.QUEUED, "market", True)
    assert sent == [(str(job.pk),)]
