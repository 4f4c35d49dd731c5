"""The Portfolio page: ask how to spread money, see whether it would have been better than 1/N."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from research.charts.portfolio import (
    correlation_figure,
    frontier_figure,
    frontiers_figure,
    risk_figure,
    weights_figure,
)
from research.forms import PortfolioForm
from research.models import PortfolioStudy
from research.selectors.table_export import csv_pieces
from research.views.jobs import job_context
from research.views.page import page

PAGE_ROWS = 25
MOST_COMPARED = 5


def portfolios(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _asked(request)
    form = PortfolioForm()
    again = request.GET.get("again", "")
    if len(again) == 36:
        earlier = PortfolioStudy.objects.filter(pk__in=_uuids(again)).first()
        if earlier is not None:
            form = PortfolioForm(initial=PortfolioForm.initial_of(earlier.parameters, earlier.title))
    return _shown(request, form)


def portfolio(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = get_object_or_404(PortfolioStudy.objects.select_related("job"), pk=pk)
    context: dict[str, Any] = job_context(request, found.job) | {"study": found, "report": found.report}
    if found.report is not None:
        report = found.report
        context |= {
            "frontier": frontier_figure(report),
            "correlation": correlation_figure(report),
            "risk": risk_figure(report),
            "weights": weights_figure(report),
            "rows": list(zip(report["instruments"], report["weights"], report["risk"], strict=True)),
        }
    return page(request, "research/portfolio.html", found.title, context)


def export(request: HttpRequest, pk: UUID) -> StreamingHttpResponse:
    found = get_object_or_404(PortfolioStudy, pk=pk, report__isnull=False)
    report: dict[str, Any] = found.report or {}
    rows = zip(report["instruments"], report["weights"], report["risk"], strict=True)
    answer = StreamingHttpResponse(
        csv_pieces(["instrument", "weight", "risk_share"], rows), content_type="text/csv"
    )
    answer["Content-Disposition"] = f'attachment; filename="portfolio-{found.pk}.csv"'
    return answer


def compare(request: HttpRequest) -> HttpResponse:
    """The saved portfolios of the address, five at most, in its order."""
    asked = [uuid for text in request.GET.getlist("run")[:MOST_COMPARED] for uuid in _uuids(text)]
    found = PortfolioStudy.objects.filter(report__isnull=False).in_bulk(asked)
    studies = [found[pk] for pk in dict.fromkeys(asked) if pk in found]
    reports: list[dict[str, Any]] = [each.report or {} for each in studies]
    chips = [
        {
            "title": each.title,
            "url": reverse("research:portfolio", args=[each.pk]),
            "without_url": "?" + "&".join(f"run={other.pk}" for other in studies if other is not each),
        }
        for each in studies
    ]
    instruments = list(dict.fromkeys(name for each in reports for name in each["instruments"]))
    weights = [dict(zip(each["instruments"], each["weights"], strict=True)) for each in reports]
    context = {
        "studies": studies,
        "chips": chips,
        "figure": frontiers_figure({each.title: each.report or {} for each in studies}),
        "rows": [(name, [each.get(name) for each in weights]) for name in instruments],
    }
    return page(request, "research/portfolio_compare.html", "Compared portfolios", context)


@require_POST
def archive(request: HttpRequest, pk: UUID) -> HttpResponse:
    from research.services.portfolios import archive_portfolio  # noqa: PLC0415

    found = get_object_or_404(PortfolioStudy, pk=pk)
    archive_portfolio(study=found, by=request.user.get_username(), now=timezone.now())
    messages.success(request, f"{found.title} is archived.")
    return HttpResponseRedirect(reverse("research:portfolios"))


def _asked(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("research.add_portfoliostudy"):
        return HttpResponse(status=403)
    form = PortfolioForm(request.POST)
    if not form.is_valid():
        return _shown(request, form, status=422)
    from research.services.portfolios import ask_for_portfolio  # noqa: PLC0415

    asked = form.cleaned_data["request"]
    title = form.cleaned_data["title"] or f"{asked.objective.replace('_', ' ')} of {len(asked.instruments)}"
    made = ask_for_portfolio(
        request=asked, title=title, owner=request.user.get_username(), now=timezone.now()
    )
    return HttpResponseRedirect(reverse("research:portfolio", args=[made.pk]))


def _shown(request: HttpRequest, form: PortfolioForm, status: int = 200) -> HttpResponse:
    archived = request.GET.get("show") == "archived"
    rows = PortfolioStudy.objects.select_related("job").filter(archived_at__isnull=not archived)
    context = {
        "form": form,
        "may_add": request.user.has_perm("research.add_portfoliostudy"),
        "page": Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page")),
        "tabs": [("Saved", "?", not archived), ("Archived", "?show=archived", archived)],
    }
    answer = page(request, "research/portfolios.html", "Portfolio", context)
    answer.status_code = status
    return answer


def _uuids(text: str) -> list[UUID]:
    try:
        return [UUID(text)]
    except ValueError:
        return []
