"""The console's first page: how signals do, is every process alive, is the data fresh, did the signals go out."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone

from research.charts.equity import equity
from research.selectors import console as selectors
from research.selectors import performance
from signals.engine.session import TradingSession, next_opening, sessions_at
from signals.selectors import open_alarms, sending_allowed

SIGNALS_SHOWN = 8
OPEN_SHOWN = 12
DELIVERIES_OF = timedelta(hours=24)
PERIODS = {"30d": timedelta(days=30), "90d": timedelta(days=90), "1y": timedelta(days=365)}
PERIOD = "90d"


def console_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold calls this for the admin's index."""
    return context | console_state(request)


def console_fragment(request: HttpRequest) -> HttpResponse:
    """The parts that refresh themselves, without the page around them; HTMX asks for them every five seconds."""
    return render(request, "research/console_state.html", console_state(request))


def console_state(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    opens_at, opens_next = next_opening(now)
    open_now = sessions_at(now)
    seen = signals_state(request, now) if request.user.has_perm("signals.view_signal") else {}
    return (
        banners(now)
        | seen
        | {
            "lives": selectors.process_lives(now=now),
            "candles": selectors.newest_candles(now=now),
            "signals": selectors.last_signals(count=SIGNALS_SHOWN),
            "start": now - DELIVERIES_OF,
            "delivery_rows": selectors.delivery_rows(start=now - DELIVERIES_OF),
            "oldest_due": selectors.oldest_due(now=now),
            "subscribers": selectors.subscriber_counts(now=now),
            "sessions": [(session.label, session in open_now) for session in TradingSession],
            "next_session": opens_next.label,
            "next_session_at": opens_at,
        }
    )


def signals_state(request: HttpRequest, now: datetime) -> dict[str, Any]:
    """How the signals of the chosen period did, and how the open ones stand."""
    period = chosen_period(request)
    ended = performance.ended_between(start=now - PERIODS[period], end=now)
    still_open = performance.open_signals(now=now, count=OPEN_SHOWN)
    return {
        "period": period,
        "periods": [(name, f"?period={name}", name == period) for name in PERIODS],
        "record": performance.record(tuple(each.r for each in ended)),
        "records": performance.by_strategy(ended),
        "fewest": performance.FEWEST_FOR_INTERVAL,
        "open_signals": still_open,
        "open_count": performance.open_rows(now=now).count(),
    }


def equity_figure(request: HttpRequest) -> HttpResponse:
    """Equity in R: the sum of results as they ended, every signal at the same risk."""
    now = timezone.now()
    ended = performance.ended_between(start=now - PERIODS[chosen_period(request)], end=now)
    times = np.array([each.exited_at.timestamp() * 1000 for each in ended])
    return JsonResponse(equity(times, {"All signals": np.cumsum([each.r for each in ended])}, unit="R"))


def chosen_period(request: HttpRequest) -> str:
    asked = request.GET.get("period", PERIOD)
    return asked if asked in PERIODS else PERIOD


def banners(now: datetime) -> dict[str, Any]:
    """What `research/banners.html` shows."""
    return {
        "now": now,
        "sender_state": selectors.sender_state(),
        "sending_allowed": sending_allowed(),
        "alarms": open_alarms(),
        "sandbox_url": settings.SANDBOX_URL if settings.SANDBOX else None,
    }
