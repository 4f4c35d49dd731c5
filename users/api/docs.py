"""The schema, and the page that shows it and tries it out."""

from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.cache import add_never_cache_headers
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from users.engine.api_key import ApiScope


class Schema(SpectacularAPIView):
    """For whoever may ask anything at all."""

    required_scope = ApiScope.READ
    open_to_tiers = True


class Docs(SpectacularSwaggerSplitView):
    """Only with the console's session: what is tried out there is done in its name, with its CSRF token."""

    required_scope = ApiScope.READ
    open_to_tiers = True
    url_name = "api_schema"

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, NotAuthenticated) and self.request.method == "GET":
            return redirect_to_login(self.request.get_full_path(), resolve_url(settings.LOGIN_URL))  # type: ignore[return-value]
        return super().handle_exception(exc)

    def finalize_response(  # type: ignore[override]
        self, request: Request | HttpRequest, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        final = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]
        add_never_cache_headers(final)  # the script holds the session's CSRF token
        return final
