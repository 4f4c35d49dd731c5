"""One backtest: its progress, then what came of it; its tables as files; up to five runs side by side."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from research.charts.backtest import (
    compared_figure,
    drawdown_figure,
    equity_figure,
    months_figure,
    timeline_figure,
    trades_figure,
)
from research.models import Backtest
from research.selectors import backtests as selectors
from research.selectors.table_export import csv_pieces, parquet, rows_of
from research.views.jobs import job_context
from research.views.page import page
from signals.engine.timeframe import Timeframe

MOST_COMPARED = 5
TRADES_SHOWN = 200


def backtest(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = get_object_or_404(Backtest.objects.select_related("job", "trial__study"), pk=pk)
    context: dict[str, Any] = job_context(request, found.job) | {"backtest": found}
    if found.report is not None:
        names = found.report["instruments"]
        context |= {
            "report": found.report,
            "months": months_figure(found.report["years"], found.report["months"]),
            "trades": selectors.trade_rows(found)[:TRADES_SHOWN],
            "trade_count": selectors.trade_count(found),
            "timeline": timeline_figure(
                selectors.arrays_of(found)["trades"],
                names,
                bar_ms=Timeframe(found.parameters["timeframe"]).milliseconds,
            ),
            "link": request.build_absolute_uri(),
            "instruments": list(enumerate(names)),
            "asked": selectors.asked_words(found),
            "columns": selectors.side_by_side(found.report),
        }
    return page(request, "research/backtest.html", found.title, context)


def figure(request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
    found = _finished(pk)
    arrays = selectors.arrays_of(found)
    if name == "equity":
        return JsonResponse(equity_figure(arrays, float(found.parameters["cash"])))
    if name == "drawdown":
        return JsonResponse(drawdown_figure(arrays))
    asked = request.GET.get("instrument", "0")
    number = int(asked) if asked.isdecimal() and len(asked) < 4 else 0
    if number >= len(found.report["instruments"]):  # type: ignore[index]
        raise Http404
    candles, first = selectors.candles_of(found, number)
    trades = arrays["trades"][arrays["trades"]["instrument"] == number]
    return JsonResponse(trades_figure(candles, trades, name=found.report["instruments"][number], first=first))  # type: ignore[index]


def export(request: HttpRequest, pk: UUID, table: str, form: str) -> HttpResponse | StreamingHttpResponse:
    """trades or equity, as csv or parquet."""
    found = _finished(pk)
    columns = selectors.trade_columns(found) if table == "trades" else selectors.equity_columns(found)
    name = f"{table}-{found.pk}.{form}"
    answer: HttpResponse | StreamingHttpResponse
    if form == "parquet":
        answer = HttpResponse(parquet(columns), content_type="application/vnd.apache.parquet")
    else:
        answer = StreamingHttpResponse(csv_pieces(list(columns), rows_of(columns)), content_type="text/csv")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def compare(request: HttpRequest) -> HttpResponse:
    """The runs of the address, five at most, in its order."""
    runs = _runs(request)
    chips = []
    for each in runs:
        rest = "&".join(f"run={other.pk}" for other in runs if other is not each)
        chips.append(
            {
                "title": each.title,
                "url": reverse("research:backtest", args=[each.pk]),
                "without_url": f"?{rest}",
            }
        )
    rows = []
    if runs:
        for place, measure in enumerate(runs[0].report["measures"]):  # type: ignore[index]
            rows.append((measure, [each.report["measures"][place] for each in runs]))  # type: ignore[index]
    context = {
        "runs": runs,
        "chips": chips,
        "rows": rows,
        "most": MOST_COMPARED,
        "figure": compared_figure({each.title: selectors.arrays_of(each) for each in runs}) if runs else None,
    }
    return page(request, "research/compare.html", "Compared backtests", context)


def _runs(request: HttpRequest) -> list[Backtest]:
    asked = []
    for text in request.GET.getlist("run")[:MOST_COMPARED]:
        try:
            asked.append(UUID(text))
        except ValueError:
            continue
    found = Backtest.objects.filter(report__isnull=False).in_bulk(asked)
    return [found[pk] for pk in dict.fromkeys(asked) if pk in found]


def _finished(pk: UUID) -> Backtest:
    found = get_object_or_404(Backtest, pk=pk)
    if found.report is None or not found.arrays:
        raise Http404
    return found
