"""What nobody does with a session alone: a log-in or second factor of the last five minutes is asked for first.

Who has a second factor shows that one; a password alone is not enough for them. Nothing is kept of what was sent, since
some of it is secret: it is sent again afterwards. Stopping is never guarded.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode

from copilot_project.session_limits import BEGAN
from signals.selectors import is_alone

GetResponse = Callable[[HttpRequest], HttpResponse]
FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]


@dataclass(frozen=True)
class Act:
    """A POST to `url_name`; with `chosen`, only one whose field of that name has one of these values.

    `page` is where the person goes back to, where that is not the address itself. `by_factor`: of two or more who hold
    that right, the one who does it has a second factor.
    """

    words: str
    url_name: str
    chosen: dict[str, frozenset[str]] = field(default_factory=dict)
    page: str = ""
    by_factor: str = ""

    def is_meant_by(self, request: HttpRequest) -> bool:
        return all(request.POST.get(name) in values for name, values in self.chosen.items())


def one_of(**chosen: str) -> dict[str, frozenset[str]]:
    return {name: frozenset(values.split()) for name, values in chosen.items()}


ACTS = (
    Act("sending again after a stop", "admin:signals_killswitch_changelist", one_of(action="request")),
    Act(
        "sending again after a stop",
        "admin:signals_killswitch_changelist",
        one_of(action="confirm"),
        by_factor="signals.change_killswitch",
    ),
    Act(
        "live trading and its keys",
        "autopilot:live_act",
        one_of(do="open key ask decide lift"),
        page="autopilot:live",
    ),
    Act(
        "arming for live trading",
        "autopilot:live_act",
        one_of(do="confirm"),
        page="autopilot:live",
        by_factor="autopilot.change_account",
    ),
    Act("a new key of the API", "admin:users_apikey_add"),
    Act("an endpoint of webhooks", "admin:notifications_webhookendpoint_add"),
    Act("an endpoint of webhooks", "admin:notifications_webhookendpoint_change"),
    Act(
        "removing subscribers",
        "admin:users_subscriber_changelist",
        one_of(action="remove", confirmed="yes"),
    ),
    Act("a staff chat", "admin:users_user_staff_chat"),
    Act("a new user", "admin:users_user_add"),
    Act("rights of a user", "admin:users_user_change"),
    Act("a password", "admin:auth_user_password_change"),
    Act("a new group", "admin:auth_group_add"),
    Act("rights of a group", "admin:auth_group_change"),
    Act("deleting a group", "admin:auth_group_delete"),
    Act("deleting a Google account", "admin:socialaccount_socialaccount_delete"),
)


def guarded(middleware: GetResponse) -> GetResponse:
    def handle(request: HttpRequest) -> HttpResponse:
        return middleware(request)

    def process_view(request: HttpRequest, view: object, args: object, kwargs: object) -> HttpResponse | None:
        act = act_of(request)
        if act is None or not request.user.is_authenticated:
            return None
        # Whoever does not hold the right is refused by the page itself.
        holds = bool(act.by_factor) and request.user.has_perm(act.by_factor)
        if holds and not has_factor(request.user) and not is_alone(request.user, act.by_factor):
            return set_up_first(request, act)
        return None if is_fresh(request) else ask_first(request, act)

    handle.process_view = process_view  # type: ignore[attr-defined]  # Django's hook
    return handle


def act_of(request: HttpRequest) -> Act | None:
    match = request.resolver_match
    if request.method != "POST" or match is None:
        return None
    return next((act for act in ACTS if act.url_name == match.view_name and act.is_meant_by(request)), None)


def is_fresh(request: HttpRequest) -> bool:
    """Whether the person showed within five minutes who they are, by the strongest that they have."""
    user: AbstractBaseUser | AnonymousUser = request.user
    records = get_authentication_records(request, user)
    if has_factor(user):
        records = [record for record in records if record.get("method") == "mfa"]
        began = 0.0
    else:
        began = float(request.session.get(BEGAN, 0))
    last = max([began, *(float(record["at"]) for record in records)])
    return time.time() - last < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT


def has_factor(user: AbstractBaseUser | AnonymousUser) -> bool:
    return bool(is_mfa_enabled(user, FACTORS))


def back_from(request: HttpRequest, act: Act) -> str:
    return reverse(act.page) if act.page else request.get_full_path()


def set_up_first(request: HttpRequest, act: Act) -> HttpResponse:
    messages.error(
        request,
        f"Where two could do it, {act.words} takes a second factor: set one up under your name, Second factors.",
    )
    return HttpResponseRedirect(back_from(request, act))


def ask_first(request: HttpRequest, act: Act) -> HttpResponse:
    """To the page that asks for the password or the second factor, and from there back to where this was sent."""
    back = back_from(request, act)
    methods = get_adapter().get_reauthentication_methods(request.user)
    if not methods:
        return render(request, "account/log_in_again.html", {"act": act.words, "back": back}, status=403)
    messages.info(
        request,
        f"This is about {act.words}: show first that it is you. Nothing was done yet; send it again afterwards.",
    )
    return HttpResponseRedirect(f"{methods[0]['url']}?{urlencode({'next': back})}")
