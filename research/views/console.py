"""The console's first page: is every process alive, is the data fresh, did the signals go out."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from research.selectors import console as selectors
from signals.engine.session import TradingSession, next_opening, sessions_at
from signals.selectors import open_alarms, sending_allowed

SIGNALS_SHOWN = 8
DELIVERIES_OF = timedelta(hours=24)


def console_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold calls this for the admin's index."""
    return context | console_state()


def console_fragment(request: HttpRequest) -> HttpResponse:
    """The same state without the page around it; HTMX asks for it every five seconds."""
    return render(request, "research/console_state.html", console_state())


def console_state() -> dict[str, Any]:
    now = timezone.now()
    opens_at, opens_next = next_opening(now)
    open_now = sessions_at(now)
    return banners(now) | {
        "lives": selectors.process_lives(now=now),
        "candles": selectors.newest_candles(now=now),
        "signals": selectors.last_signals(count=SIGNALS_SHOWN),
        "start": now - DELIVERIES_OF,
        "delivery_rows": selectors.delivery_rows(start=now - DELIVERIES_OF),
        "oldest_due": selectors.oldest_due(now=now),
        "subscribers": selectors.subscriber_counts(),
        "sessions": [(label_of(session), session in open_now) for session in TradingSession],
        "next_session": label_of(opens_next),
        "next_session_at": opens_at,
    }


def banners(now: datetime) -> dict[str, Any]:
    """What `research/banners.html` shows."""
    return {
        "now": now,
        "sender_state": selectors.sender_state(),
        "sending_allowed": sending_allowed(),
        "alarms": open_alarms(),
        "sandbox_url": settings.SANDBOX_URL if settings.SANDBOX else None,
    }


def label_of(session: TradingSession) -> str:
    return session.value.replace("_", " ").title()
