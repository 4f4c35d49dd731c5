"""The Sweeps page: search over parameters, watch it, and see on what the best one stands."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from research.charts.sweep import sensitivity_figure, walk_forward_figure
from research.forms import SweepForm
from research.models import Sweep
from research.selectors import sweeps as selectors
from research.selectors.table_export import csv_pieces
from research.views.jobs import job_context
from research.views.page import page

PAGE_ROWS = 25
TRIALS_SHOWN = 100


def sweeps(request: HttpRequest) -> HttpResponse:
    """The list, and the form: empty, as an earlier search was asked (`again`), or as it was typed."""
    if request.method == "POST":
        return _asked(request)
    initial: dict[str, Any] = {}
    again = request.GET.get("again", "")
    if again:
        try:
            earlier = get_object_or_404(Sweep.objects.summaries(), pk=UUID(again))
        except ValueError:
            return _shown(request, SweepForm())
        initial = SweepForm.initial_of_sweep(earlier.parameters, earlier.title)
    return _shown(request, SweepForm(initial=initial))


def parameters(request: HttpRequest) -> HttpResponse:
    """The rows of the chosen strategy's parameters; HTMX asks for them."""
    form = SweepForm(initial={"strategy": request.GET.get("strategy", "")})
    return render(request, "research/sweep_parameters.html", {"form": form})


def sweep(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = get_object_or_404(Sweep.objects.select_related("job"), pk=pk)
    context: dict[str, Any] = job_context(request, found.job) | {"sweep": found, "report": found.report}
    if found.report is not None:
        context |= _results(request, found)
    return page(request, "research/sweep.html", found.title, context)


def export(_request: HttpRequest, pk: UUID) -> StreamingHttpResponse:
    found = get_object_or_404(Sweep.objects.filter(report__isnull=False), pk=pk)
    rows = [
        [*row["cells"], row["score"], row["total"], row["trades"], row["error"]]
        for row in selectors.ranked(found)
    ]
    header = [*selectors.searched(found), "sharpe_ratio", "total_return", "trades", "error"]
    answer = StreamingHttpResponse(csv_pieces(header, rows), content_type="text/csv")
    answer["Content-Disposition"] = f'attachment; filename="trials-{found.pk}.csv"'
    return answer


@require_POST
def archive(request: HttpRequest, pk: UUID) -> HttpResponse:
    from research.services.sweeps import archive_sweep  # noqa: PLC0415  (compiled code)

    found = get_object_or_404(Sweep.objects.summaries(), pk=pk)
    archive_sweep(sweep=found, by=request.user.get_username(), now=timezone.now())
    messages.success(request, f"{found.title} is archived; its trials still count.")
    return HttpResponseRedirect(reverse("research:sweeps"))


def _results(request: HttpRequest, found: Sweep) -> dict[str, Any]:
    names = selectors.searched(found)
    x = request.GET.get("x", "") if request.GET.get("x") in names else names[0]
    others = [name for name in names if name != x]
    y = request.GET.get("y", "") if request.GET.get("y") in others else (others or [x])[0]
    laid_out = selectors.map_of(found, x, y)
    ranked = selectors.ranked(found)
    return {
        "names": names,
        "x": x,
        "y": y,
        "map": laid_out,
        "map_figure": sensitivity_figure(laid_out, x, y) if laid_out else None,
        "walk_figure": walk_forward_figure(selectors.sweep_arrays(found)),
        "rows": ranked[:TRIALS_SHOWN],
        "trial_count": len(ranked),
    }


def _asked(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("research.add_sweep"):
        return HttpResponse(status=403)
    form = SweepForm(request.POST)
    if not form.is_valid():
        return _shown(request, form, status=422)
    from research.services.sweeps import ask_for_sweep  # noqa: PLC0415  (compiled code)

    asked = form.cleaned_data["sweep"]
    title = form.cleaned_data["title"] or f"{asked.base.strategy}, {asked.method}, {', '.join(asked.space)}"
    made = ask_for_sweep(
        request=asked, title=title[:120], owner=request.user.get_username(), now=timezone.now()
    )
    return HttpResponseRedirect(reverse("research:sweep", args=[made.pk]))


def _shown(request: HttpRequest, form: SweepForm, status: int = 200) -> HttpResponse:
    archived = request.GET.get("show") == "archived"
    rows = Sweep.objects.summaries().filter(archived_at__isnull=not archived)
    context = {
        "form": form,
        "may_add": request.user.has_perm("research.add_sweep"),
        "page": Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page")),
        "tabs": [("Searches", "?", not archived), ("Archived", "?show=archived", archived)],
    }
    answer = page(request, "research/sweeps.html", "Sweeps", context)
    answer.status_code = status
    return answer
