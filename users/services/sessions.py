"""Sessions of staff."""

from importlib import import_module

from django.conf import settings


def forget_ended_sessions() -> None:
    """What `manage.py clearsessions` does."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
