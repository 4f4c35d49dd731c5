"""Logging in with a passkey alone."""

import json
from collections.abc import Callable
from functools import wraps
from hashlib import sha256

from allauth.mfa.webauthn.internal.auth import STATE_SESSION_KEY
from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

View = Callable[..., HttpResponse]
CHALLENGE_LASTS_SECONDS = 2 * 3600  # longer than the cookie of a visitor


def challenge_once(view: View) -> View:
    """A visitor's session is a cookie, which could be brought again with its challenge: each is answered once."""

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        state = request.session.get(STATE_SESSION_KEY)
        if request.method == "POST" and state:
            digest = sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()
            if not cache.add(f"passkey-challenge:{digest}", 1, timeout=CHALLENGE_LASTS_SECONDS):
                messages.error(request, "That answer was used before: try again.")
                return HttpResponseRedirect(reverse("account_login"))
        return view(request, *args, **kwargs)

    return answer
