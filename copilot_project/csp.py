"""The content security policy: strict everywhere, one word wider in the admin."""

from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase

ADMIN = "/admin/"


class ContentSecurityPolicy(CSPMiddleware):
    """Unfold's menus and tabs are Alpine expressions in attributes, which Alpine compiles at run time."""

    def get_policy_parts(
        self,
        request: HttpRequest,
        response: HttpResponseBase,
        report_only: bool = False,  # noqa: FBT001, FBT002
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if request.path_info.startswith(ADMIN):
            parts.update = {**(parts.update or {}), "script-src": ["'unsafe-eval'"]}
        return parts
