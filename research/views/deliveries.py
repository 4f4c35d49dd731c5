"""The delivery pages: all of them live, one signal over its subscribers, one subscriber's history."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from notifications.models import Delivery, DeliveryKind, DeliveryState
from research.charts.deliveries import delivery_columns
from research.selectors import console, deliveries
from research.views.console import banners
from research.views.page import page
from signals.models import Signal
from users.models import Subscriber

PERIODS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
PERIOD = "24h"
SIGNALS_SHOWN = 12
PAGE_ROWS = 100


def overview(request: HttpRequest) -> HttpResponse:
    return page(request, "research/deliveries.html", "Deliveries", overview_state(request))


def overview_fragment(request: HttpRequest) -> HttpResponse:
    """The same state without the page around it; HTMX asks for it every five seconds."""
    return render(request, "research/deliveries_state.html", overview_state(request))


def overview_state(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    period = request.GET.get("period", PERIOD)
    if period not in PERIODS:
        period = PERIOD
    start = now - PERIODS[period]
    released = deliveries.released_between(start=start, end=now)
    return banners(now) | {
        "start": start,
        "period": period,
        "periods": [(name, f"?period={name}", name == period) for name in PERIODS],
        "delivery_rows": console.delivery_rows(start=start),
        "oldest_due": console.oldest_due(now=now),
        "latencies": deliveries.latencies(released),
        "columns": delivery_columns(deliveries.buckets(start=start, end=now)),
        "troubles": deliveries.troubles(released),
        "signals": console.last_signals(count=SIGNALS_SHOWN),
    }


def signal_timeline(request: HttpRequest, public_id: UUID) -> HttpResponse:
    now = timezone.now()
    signal = get_object_or_404(Signal.objects.with_instrument(), public_id=public_id)
    rows = Delivery.objects.filter(signal=signal, kind=DeliveryKind.SIGNAL).order_by(
        "-tier_rank", "due_at", "id"
    )
    follow_ups = Delivery.objects.filter(signal=signal).exclude(kind=DeliveryKind.SIGNAL)
    shown = page_of(request, rows.select_related("subscriber", "feedback"))
    context = {
        "now": now,
        "signal": signal,
        "page": shown,
        "ways": deliveries.ways(signal=signal, deliveries=list(shown), now=now),
        "latencies": deliveries.latencies(rows),
        "follow_ups": state_totals(follow_ups),
        "excluded": deliveries.excluded(signal=signal),
    }
    return page(request, "research/signal_timeline.html", f"Deliveries of {signal}", context)


def subscriber_history(request: HttpRequest, public_id: UUID) -> HttpResponse:
    subscriber = get_object_or_404(Subscriber.objects.select_related("tier"), public_id=public_id)
    rows = Delivery.objects.filter(subscriber=subscriber).order_by("-due_at", "-id")
    shown = page_of(request, rows.select_related("signal__instrument", "feedback"))
    context = {
        "now": timezone.now(),
        "subscriber": subscriber,
        "page": shown,
        "counts": state_totals(rows),
        "latencies": deliveries.latencies(rows),
        "troubles": deliveries.troubles(rows),
    }
    return page(request, "research/subscriber_history.html", f"Deliveries to {subscriber}", context)


def state_totals(rows: Any) -> list[tuple[DeliveryState, int]]:
    """Every state that occurs, in the order of a delivery's life."""
    counts = console.counts_by_state(rows)
    return [(state, counts[state]) for state in DeliveryState if state in counts]


def page_of(request: HttpRequest, rows: Any) -> Any:
    """A page of PAGE_ROWS; a number that is none shows the first, one beyond the end the last."""
    return Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page"))
