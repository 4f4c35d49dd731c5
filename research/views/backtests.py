"""The Research page: ask for a backtest, see what was run; leave a run for the archive."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from research.forms import BacktestForm
from research.models import Backtest
from research.views.page import page

PAGE_ROWS = 25


def research(request: HttpRequest) -> HttpResponse:
    """The list, and the form: empty, as an earlier run was asked (`again`), or as it was typed."""
    if request.method == "POST":
        return _asked(request)
    again = request.GET.get("again", "")
    initial: dict[str, Any] = {}
    if again:
        earlier = get_object_or_404(Backtest.objects.summaries(), pk=_uuid(again))
        initial = BacktestForm.initial_of(earlier.parameters, earlier.title)
    return _shown(request, BacktestForm(initial=initial))


def parameters(request: HttpRequest) -> HttpResponse:
    """The fields of the chosen strategy's parameters; HTMX asks for them."""
    form = BacktestForm(initial={"strategy": request.GET.get("strategy", "")})
    return render(request, "research/backtest_parameters.html", {"form": form})


@require_POST
def archive(request: HttpRequest, pk: UUID) -> HttpResponse:
    from research.services.backtests import archive_backtest  # noqa: PLC0415

    backtest = get_object_or_404(Backtest.objects.summaries(), pk=pk)
    archive_backtest(backtest=backtest, by=request.user.get_username(), now=timezone.now())
    messages.success(request, f"{backtest.title} is archived; its trial still counts.")
    return HttpResponseRedirect(reverse("research:backtests"))


def _asked(request: HttpRequest) -> HttpResponse:
    form = BacktestForm(request.POST)
    if not request.user.has_perm("research.add_backtest"):
        return HttpResponse(status=403)
    if not form.is_valid():
        return _shown(request, form, status=422)
    from research.services.backtests import ask_for_backtest  # noqa: PLC0415

    asked = form.cleaned_data["request"]
    title = form.cleaned_data["title"] or f"{asked.strategy} {asked.start[:10]} to {asked.end[:10]}"
    backtest = ask_for_backtest(
        request=asked, title=title, owner=request.user.get_username(), now=timezone.now()
    )
    return HttpResponseRedirect(reverse("research:backtest", args=[backtest.pk]))


def _shown(request: HttpRequest, form: BacktestForm, status: int = 200) -> HttpResponse:
    archived = request.GET.get("show") == "archived"
    rows = Backtest.objects.summaries().filter(archived_at__isnull=not archived)
    context = {
        "form": form,
        "may_add": request.user.has_perm("research.add_backtest"),
        "page": Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page")),
        "tabs": [("Runs", "?", not archived), ("Archived", "?show=archived", archived)],
    }
    answer = page(request, "research/backtests.html", "Research", context)
    answer.status_code = status
    return answer


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
