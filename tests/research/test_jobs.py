"""The job pages: live progress, cancelling, and who may do what."""

import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from signals.models import Action, Job, JobState
from signals.services import job_run
from signals.services.jobs import JobRun, run_here
from tests.browser import log_in, visiting
from users.models import User

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


def queued(**values: Any) -> Job:
    return Job.objects.create(
        **{"kind": "replay", "owner": "ada", "queue": "research", "created_at": NOW} | values
    )


def ended(work: Any) -> Job:
    with contextlib.suppress(ValueError):
        run_here(kind="report_strategies", parameters={"every": 5}, owner="bob", work=work)
    return Job.objects.latest()


def broken(run: JobRun) -> dict[str, Any]:
    raise ValueError("no <file>")


@pytest.fixture
def boss(db: None, client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss", "boss@example.org", "a-password-1"))
    return client


def reader(*rights: str) -> Client:
    user = User.objects.create_user("eve", "eve@example.org", "a-password-1", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


def text(client: Client, name: str, *args: Any, query: str = "") -> str:
    answer = client.get(reverse(f"research:{name}", args=args) + query)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_the_list_shows_each_job_and_can_be_narrowed(boss: Client) -> None:
    queued()
    ended(broken)

    everything = text(boss, "jobs")
    assert "replay" in everything
    assert "ValueError: no &lt;file&gt;" in everything
    assert "replay" not in text(boss, "jobs_state", query="?show=failed")
    assert "report_strategies" not in text(boss, "jobs_state", query="?show=unfinished")


def test_one_job_shows_what_was_asked_what_came_of_it_and_where_it_failed(boss: Client) -> None:
    failed = text(boss, "job", ended(broken).pk)
    assert "Failed" in failed
    assert "Traceback" in failed
    assert "&quot;every&quot;: 5" in failed

    done = ended(lambda run: {"report": "# Strategies"})
    assert "# Strategies" in text(boss, "job", done.pk)


def test_progress_refreshes_itself_until_the_end_which_renews_the_page(boss: Client) -> None:
    job = queued()
    fragment = text(boss, "job_progress", job.pk)
    assert f'hx-get="{reverse("research:job_progress", args=[job.pk])}"' in fragment
    assert "Cancel" in fragment

    answer = boss.post(reverse("research:job_cancel", args=[job.pk]))
    assert answer["Location"] == reverse("research:job", args=[job.pk])
    job.refresh_from_db()
    assert (job.state, job.cancel_asked_by) == (JobState.CANCELLED, "boss")
    assert Action.objects.get(what="job.cancel_asked").actor == "boss"
    over = boss.get(reverse("research:job_progress", args=[job.pk]))
    assert over["HX-Refresh"] == "true"
    assert "hx-get" not in over.content.decode()

    again = boss.post(reverse("research:job_cancel", args=[job.pk]), follow=True)
    assert "has ended already" in again.content.decode()


def test_looking_and_cancelling_are_rights_of_their_own(db: None) -> None:
    job = queued()
    eve = reader("view_job")
    assert "Cancel" not in text(eve, "job", job.pk)
    assert eve.post(reverse("research:job_cancel", args=[job.pk])).status_code == 403
    assert eve.get(reverse("research:job_cancel", args=[job.pk])).status_code in {403, 405}

    eve.logout()
    assert eve.get(reverse("research:jobs")).status_code == 302
    job.refresh_from_db()
    assert job.state == JobState.QUEUED


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A job at work beside the browser, as a worker's child would be."""
    monkeypatch.setattr(job_run, "BEAT_EVERY_SECONDS", 0.2)
    monkeypatch.setattr(job_run, "PROGRESS_EVERY_SECONDS", 0.2)
    stop = threading.Event()

    def work(run: JobRun) -> dict[str, Any]:
        for step in range(10_000):
            run.progress(step, 10_000, f"at step {step}")
            if stop.wait(0.05):
                break
        return {}

    def begin() -> None:
        try:
            run_here(kind="replay", parameters={}, owner="ada", work=work)
        finally:
            connection.close()

    thread = threading.Thread(target=begin)
    yield thread
    stop.set()
    thread.join()


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_progress_moves_and_the_button_cancels_in_a_browser(
    live_server: LiveServer, chromium: Path, counting: threading.Thread
) -> None:
    User.objects.create_superuser("boss", "boss@example.org", "a-password-1")
    with visiting(chromium) as (page, complaints):
        log_in(page, live_server.url)
        counting.start()
        page.goto(f"{live_server.url}{reverse('research:jobs')}")
        page.click("th a:has-text('replay')")
        first = page.text_content(".job .state")
        page.wait_for_function(
            "first => document.querySelector('.job .state').textContent != first", arg=first
        )
        page.click(".job button:has-text('Cancel')")
        page.wait_for_selector(".job.cancelled")
        assert "Asked to stop" in (page.text_content(".facts") or "")
        assert complaints == []
    job = Job.objects.get()
    assert job.cancel_asked_by == "boss"
    assert job.ended_at is not None
    assert job.ended_at <= timezone.now()
