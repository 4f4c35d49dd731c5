"""Sessions of staff: where each is logged in, and how it is ended from elsewhere."""

from datetime import datetime
from importlib import import_module

from django.conf import settings
from django.contrib.sessions.models import Session

from users.models import StaffSession, User


def seen(
    *, user: User, session_key: str, address: str, browser: str, began_at: datetime, now: datetime
) -> None:
    """Its person asked for a page; the first time makes the row."""
    StaffSession.objects.update_or_create(
        session_key=session_key,
        defaults={"seen_at": now, "address": address[:64], "browser": browser[:200]},
        create_defaults={
            "user": user,
            "began_at": began_at,
            "seen_at": now,
            "address": address[:64],
            "browser": browser[:200],
        },
    )


def end_session(*, session: StaffSession, now: datetime) -> None:
    """Whoever holds its cookie is logged out at the next request."""
    import_module(settings.SESSION_ENGINE).SessionStore(session.session_key).delete()
    session.ended_at = now
    session.save(update_fields=["ended_at"])


def forget_ended_sessions() -> None:
    """What `manage.py clearsessions` does, and the rows that say whose they were."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    StaffSession.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()
