"""The log-in page: by Google, by passkey, and by password where that is allowed."""

from typing import Any

from allauth.account.views import LoginView
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class Login(LoginView):
    """allauth's SOCIALACCOUNT_ONLY would do this too, but allows no second factors beside it."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.PASSWORD_LOGIN and request.method != "GET":
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"by_password": settings.PASSWORD_LOGIN}
