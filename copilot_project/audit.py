"""What staff do becomes an Action, and a change of a tracked row knows who made it and from where.

Targets are kinds and keys, never names: a person who is removed must not live on in a record that nobody can change.
"""

import json
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pghistory
from allauth.mfa import signals as second_factors
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import ADDITION, DELETION, LogEntry
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_save
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from signals.services.actions import record_action
from users.events import login_refused, session_ended
from users.models import StaffSession, Subscriber, User

GetResponse = Callable[[HttpRequest], HttpResponse]
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Telegram's updates are many, and change what is tracked only through the worker.
UNATTRIBUTED = "/telegram/webhook"
NOBODY = "a visitor"
# Of the request under way: the admin's log knows none.
ADDRESS: ContextVar[str] = ContextVar("address", default="")
VERBS = {ADDITION: "added", DELETION: "deleted"}


def attributed(middleware: GetResponse) -> GetResponse:
    """History rows of this request name its actor and address."""

    def handle(request: HttpRequest) -> HttpResponse:
        if request.method in SAFE_METHODS or request.path_info == UNATTRIBUTED:
            return middleware(request)
        actor = request.user.get_username() if request.user.is_authenticated else NOBODY
        address = address_of(request)
        token = ADDRESS.set(address)
        try:
            with pghistory.context(actor=actor, address=address, url=request.path_info):
                return middleware(request)
        finally:
            ADDRESS.reset(token)

    return handle


def address_of(request: HttpRequest | None) -> str:
    return request.META.get("REMOTE_ADDR", "")[:64] if request else ""


def connect() -> None:
    """Called once the apps are loaded."""
    user_logged_in.connect(record_login, dispatch_uid="audit.login")
    user_logged_out.connect(record_logout, dispatch_uid="audit.logout")
    user_login_failed.connect(record_failed_login, dispatch_uid="audit.failed_login")
    login_refused.connect(record_refused_login, dispatch_uid="audit.refused_login")
    session_ended.connect(record_ended_session, dispatch_uid="audit.ended_session")
    second_factors.authenticator_added.connect(record_factor_added, dispatch_uid="audit.factor_added")
    second_factors.authenticator_removed.connect(record_factor_removed, dispatch_uid="audit.factor_removed")
    second_factors.authenticator_reset.connect(record_factor_reset, dispatch_uid="audit.factor_reset")
    second_factors.authentication_failed.connect(record_factor_failed, dispatch_uid="audit.factor_failed")
    second_factors.authenticator_used.connect(record_factor_used, dispatch_uid="audit.factor_used")
    post_save.connect(record_admin_log, sender=LogEntry, dispatch_uid="audit.admin_log")


def record_login(*, request: HttpRequest | None, user: User, **kwargs: Any) -> None:
    record(request, actor=user.get_username(), what="login.succeeded", target=name_of(user))


def record_logout(*, request: HttpRequest | None, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        record(request, actor=user.get_username(), what="logout", target=name_of(user))


def record_failed_login(
    *, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
) -> None:
    """Only a name that exists is written down: what else is typed there may be a password."""
    typed = str(credentials.get("email") or credentials.get("username") or "")
    known = (
        User.objects.filter(username__iexact=typed).first()
        or User.objects.filter(email__iexact=typed).first()
    )
    record(request, actor=NOBODY, what="login.failed", target=name_of(known) if known else "an unknown name")


def record_refused_login(*, request: HttpRequest, provider: str, reason: str, **kwargs: Any) -> None:
    record(request, actor=NOBODY, what="login.refused", target=provider, after={"reason": reason})


def record_ended_session(*, request: HttpRequest, session: StaffSession, **kwargs: Any) -> None:
    record(request, actor=request.user.get_username(), what="session.ended", target=name_of(session.user))


def record_factor_added(**sent: Any) -> None:
    record_factor("added", **sent)


def record_factor_removed(**sent: Any) -> None:
    record_factor("removed", **sent)


def record_factor_reset(**sent: Any) -> None:
    record_factor("reset", **sent)


def record_factor_used(**sent: Any) -> None:
    record_factor("used", **sent)


def record_factor_failed(**sent: Any) -> None:
    record_factor("failed", **sent)


def record_factor(
    done: str, *, request: HttpRequest | None, user: User, authenticator: Authenticator, **kwargs: Any
) -> None:
    record(
        request,
        actor=user.get_username() if request else "manage.py second_factors",
        what=f"second_factor.{done}",
        target=name_of(user),
        after={"kind": authenticator.get_type_display()},
    )


def record_admin_log(*, instance: LogEntry, created: bool, **kwargs: Any) -> None:
    """Everything that the admin logs, when it is logged."""
    if not created or instance.content_type is None:
        return
    kind = instance.content_type.model
    verb = VERBS.get(instance.action_flag, "changed")
    record_action(
        actor=instance.user.get_username(),
        what=f"{kind}.{done_to(instance) or verb}"[:64],
        target=target_of(instance),
        after=changes_of(instance) or None,
        address=ADDRESS.get(),
        now=timezone.now(),
    )


def done_to(entry: LogEntry) -> str:
    """An action's own sentence as a word: "Link token issued." is `link_token_issued`."""
    message = entry.change_message
    return "" if message[:1] in {"[", "{"} else message.strip(" .").lower().replace(" ", "_")


def target_of(entry: LogEntry) -> str:
    """Subscribers by the id that outlives their names."""
    if entry.content_type and entry.content_type.model_class() is Subscriber:
        public_id = (
            Subscriber.objects.filter(pk=entry.object_id or 0).values_list("public_id", flat=True).first()
        )
        return f"subscriber {public_id or entry.object_id}"
    kind = entry.content_type.model if entry.content_type else "row"
    named = (
        entry.object_repr if kind in {"tier", "instrument", "exchange", "group", "user"} else entry.object_id
    )
    return f"{kind} {named}"[:200]


def changes_of(entry: LogEntry) -> dict[str, list[str]]:
    """Which fields a form changed; their values are in the history of the row."""
    if entry.change_message[:1] != "[":
        return {}
    changes = [change for part in json.loads(entry.change_message) for change in part.values()]
    fields = sorted({field for change in changes for field in change.get("fields", [])})
    return {"fields": fields} if fields else {}


def record(
    request: HttpRequest | None, *, actor: str, what: str, target: str, after: dict[str, Any] | None = None
) -> None:
    address = address_of(request)
    record_action(actor=actor, what=what, target=target, after=after, address=address, now=timezone.now())


def name_of(user: User) -> str:
    return f"user {user.get_username()}"[:200]
