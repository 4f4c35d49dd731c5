"""A log-in of staff ends after twelve hours, and after half an hour in which nobody asked for anything.

What a page asks for by itself, to stay true, is no sign of a person.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from copilot_project.audit import address_of
from users.models import StaffSession
from users.services import seen

GetResponse = Callable[[HttpRequest], HttpResponse]
BEGAN, SEEN = "began_at", "seen_at"
NOTED_EVERY_SECONDS = 60


def limited(middleware: GetResponse) -> GetResponse:
    def handle(request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and SESSION_KEY in request.session:
            now = timezone.now()
            if is_over(request, now):
                logout(request)
            else:
                note(request, now)
        return middleware(request)

    return handle


def is_over(request: HttpRequest, now: datetime) -> bool:
    began = request.session.get(BEGAN)
    last = request.session.get(SEEN, began)
    if began is None or last is None:
        return False
    at = now.timestamp()
    return bool(at - began >= settings.SESSION_LASTS_SECONDS or at - last >= settings.SESSION_IDLE_SECONDS)


def note(request: HttpRequest, now: datetime) -> None:
    """Once a minute at most; a session without a beginning begins now."""
    last = request.session.get(SEEN)
    if last is not None and (now.timestamp() - last < NOTED_EVERY_SECONDS or asks_by_itself(request)):
        return
    if not request.user.is_authenticated:
        return
    began = request.session.setdefault(BEGAN, now.timestamp())
    request.session[SEEN] = now.timestamp()
    seen(
        user=request.user,
        session_key=str(request.session.session_key),
        address=address_of(request),
        browser=request.headers.get("User-Agent", ""),
        began_at=datetime.fromtimestamp(began, tz=UTC),
        now=now,
    )


def asks_by_itself(request: HttpRequest) -> bool:
    """HTMX and charts fetch what keeps a page true; a person goes to a page or sends a form."""
    return request.method == "GET" and (
        "HX-Request" in request.headers or request.headers.get("Sec-Fetch-Dest") == "empty"
    )


def connect() -> None:
    """Called once the apps are loaded."""
    user_logged_in.connect(begin, dispatch_uid="session_limits.begin")
    user_logged_out.connect(end, dispatch_uid="session_limits.end")


def begin(*, request: HttpRequest | None, **kwargs: Any) -> None:
    if request is not None and hasattr(request, "session"):
        request.session[BEGAN] = timezone.now().timestamp()
        request.session.pop(SEEN, None)


def end(*, request: HttpRequest | None, **kwargs: Any) -> None:
    """Logged out, by hand or by the clock."""
    if request is not None and hasattr(request, "session") and request.session.session_key:
        rows = StaffSession.objects.filter(session_key=request.session.session_key, ended_at=None)
        rows.update(ended_at=timezone.now())
