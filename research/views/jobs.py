"""The job pages: all of them, and one with its progress, its end, and the button that cancels it."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from research.views.page import page
from signals.models import ENDED, Job
from signals.services.jobs import JobStateError, cancel_job

PAGE_ROWS = 50
# A short job's result is on the page soon after it is there; one that goes on is asked for less often.
YOUNG = timedelta(seconds=30)
SHOWN = {"all": "All", "unfinished": "Under way", "failed": "Failed"}


def jobs(request: HttpRequest) -> HttpResponse:
    return page(request, "research/jobs.html", "Jobs", jobs_state(request))


def jobs_fragment(request: HttpRequest) -> HttpResponse:
    """The same list without the page around it; HTMX asks for it."""
    return render(request, "research/jobs_state.html", jobs_state(request))


def jobs_state(request: HttpRequest) -> dict[str, Any]:
    shown = request.GET.get("show", "all")
    if shown not in SHOWN:
        shown = "all"
    rows = Job.objects.defer("result", "trace", "checkpoint", "parameters")
    if shown == "unfinished":
        rows = rows.exclude(state__in=ENDED)
    elif shown == "failed":
        rows = rows.filter(state="failed")
    return {
        "now": timezone.now(),
        "shown": shown,
        "tabs": [(title, f"?show={name}", name == shown) for name, title in SHOWN.items()],
        "page": Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page")),
    }


def job(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = get_object_or_404(Job, pk=pk)
    context = job_context(request, found) | {
        "now": timezone.now(),
        "parameters": written(found.parameters),
        "result": written(found.result) if found.result is not None else "",
    }
    return page(request, "research/job.html", f"{found.kind} job", context)


def job_progress(request: HttpRequest, pk: UUID) -> HttpResponse:
    """How far it is; the answer that ends it has the whole page asked for, which shows what came of it."""
    found = get_object_or_404(Job, pk=pk)
    answer = render(request, "console/partials/job_progress.html", job_context(request, found))
    if found.has_ended:
        answer["HX-Refresh"] = "true"
    return answer


@require_POST
def job_cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    get_object_or_404(Job, pk=pk)
    try:
        cancel_job(job_id=pk, by=request.user.get_username(), now=timezone.now())
    except JobStateError as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(reverse("research:job", args=[pk]))


def job_context(request: HttpRequest, found: Job) -> dict[str, Any]:
    may_cancel = request.user.has_perm("signals.change_job")
    return {
        "job": found,
        "progress_url": reverse("research:job_progress", args=[found.pk]),
        "ask_again": "400ms" if timezone.now() - found.created_at < YOUNG else "2s",
        "cancel_url": reverse("research:job_cancel", args=[found.pk]) if may_cancel else "",
    }


def written(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
