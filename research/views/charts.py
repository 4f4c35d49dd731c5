"""The chart page of one instrument: its candles with what was signalled on them, and why or why not."""

from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from research.charts.candles import candles
from research.charts.figure import figure
from research.charts.signal_trades import as_trades
from research.selectors import instrument as selectors
from research.views.page import page
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.models import Signal

EVALUATIONS_SHOWN = 12
SIGNALS_SHOWN = 50
REFRESH_SECONDS = 60


def charts(request: HttpRequest) -> HttpResponse:
    """To the instrument that the form asks for, else to the first active one."""
    instruments = Instrument.objects.all()
    asked = request.GET.get("instrument", "")
    chosen = (
        instruments.filter(pk=int(asked)) if asked.isdecimal() and len(asked) < 10 else instruments.active()
    )
    first = chosen.first() or instruments.first()
    if first is None:
        return page(request, "research/charts_empty.html", "Charts", {})
    return HttpResponseRedirect(reverse("research:chart", args=[first.pk]))


def chart(request: HttpRequest, pk: int) -> HttpResponse:
    instrument = get_object_or_404(Instrument.objects.select_related("exchange"), pk=pk)
    ranges = selectors.stored_ranges(instrument=instrument)
    timeframe, until, now = chosen(request, "timeframe"), asked_until(request), timezone.now()
    bars = selectors.bars_until(instrument=instrument, timeframe=timeframe, until=until or now)
    context: dict[str, Any] = {
        "now": now,
        "instrument": instrument,
        "instruments": Instrument.objects.select_related("exchange"),
        "ranges": ranges,
        "timeframe": timeframe.value,
        "until": until,
        "until_query": f"&until={until:%Y-%m-%dT%H:%M:%SZ}" if until else "",
        "every_seconds": None if until else REFRESH_SECONDS,
        "tabs": [
            (each.timeframe.value, f"?timeframe={each.timeframe}", each.timeframe == timeframe)
            for each in ranges
        ],
        "has_candles": len(bars) > 0,
    }
    if len(bars):
        start, end = selectors.shown_span(bars, timeframe)
        context |= {"start": start, "end": end, "earlier": selectors.earlier(start, timeframe)}
        if request.user.has_perm("signals.view_signal"):
            context["signals"] = shown_signals(instrument, start, until or now)[:SIGNALS_SHOWN]
    if request.user.has_perm("signals.view_evaluation"):
        context["evaluations"] = selectors.newest_evaluations(instrument=instrument, count=EVALUATIONS_SHOWN)
    return page(request, "research/chart.html", f"{instrument.symbol} chart", context)


def chart_evaluations(request: HttpRequest, pk: int) -> HttpResponse:
    """The newest evaluations without the page around them; HTMX asks for it."""
    instrument = get_object_or_404(Instrument, pk=pk)
    evaluations = selectors.newest_evaluations(instrument=instrument, count=EVALUATIONS_SHOWN)
    context = {"instrument": instrument, "evaluations": evaluations, "now": timezone.now()}
    return render(request, "research/chart_evaluations.html", context)


def chart_figure(request: HttpRequest, pk: int) -> HttpResponse:
    """The candles as Plotly's JSON, with the signals if the person may see them."""
    instrument = get_object_or_404(Instrument, pk=pk)
    timeframe, now = chosen(request, "timeframe"), timezone.now()
    until = asked_until(request) or now
    bars = selectors.bars_until(instrument=instrument, timeframe=timeframe, until=until)
    if len(bars) == 0:
        return JsonResponse(figure([]))
    signals: QuerySet[Signal] | list[Signal] = []
    if request.user.has_perm("signals.view_signal"):
        signals = shown_signals(instrument, selectors.shown_span(bars, timeframe)[0], until)
    return JsonResponse(candles(bars, as_trades(signals, now=min(until, now)), name=instrument.symbol))


def shown_signals(instrument: Instrument, start: datetime, end: datetime) -> QuerySet[Signal]:
    return selectors.signals_between(instrument=instrument, start=start, end=end)


def chosen(request: HttpRequest, name: str) -> Timeframe:
    asked = request.GET.get(name, "")
    return Timeframe(asked) if asked in set(Timeframe) else Timeframe.H1


def asked_until(request: HttpRequest) -> datetime | None:
    """The moment at which the chart ends; None, and for what is no moment: now."""
    try:
        moment = parse_datetime(request.GET.get("until", ""))
    except ValueError:
        return None
    if moment is None:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment if 1970 < moment.year < 9000 else None
