"""SECOND_FACTOR_REQUIRED: staff without an app or passkey see the page where they set one up, and no other."""

from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from copilot_project.dangerous_acts import has_factor

GetResponse = Callable[[HttpRequest], HttpResponse]
OPEN = "/accounts/"  # logging in and out, one's factors, one's sessions


def required(middleware: GetResponse) -> GetResponse:
    def handle(request: HttpRequest) -> HttpResponse:
        if not settings.SECOND_FACTOR_REQUIRED or request.path.startswith(OPEN):
            return middleware(request)
        if (
            SESSION_KEY not in request.session
            or not request.user.is_authenticated
            or has_factor(request.user)
        ):
            return middleware(request)
        if request.method == "GET":
            messages.info(request, "A second factor is required here: set one up first.")
            return HttpResponseRedirect(reverse("mfa_index"))
        return HttpResponse("Set up a second factor first.", status=403)

    return handle
