"""What they may. A view names its scope; without one nobody may anything."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from users.api.authentication import is_welcome, key_of_request
from users.models import User


class ScopePermission(BasePermission):
    """Views name `required_scope`, a word or one for each method; `required_rights`, Django permissions that the person
    needs besides, for a key may do no more than its owner; and `open_to_tiers`, where an integrator may ask too.
    """

    message = "This API key, or the person behind it, may not do that."

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        if not isinstance(user, User) or not is_welcome(user):
            return False
        if not user.has_perms(by_method(getattr(view, "required_rights", ()), request.method) or ()):
            return False
        scope = by_method(getattr(view, "required_scope", None), request.method)
        if scope is None:
            return False
        key = key_of_request(request)
        if key is None:
            return True
        return scope in key.scopes and (key.tier_id is None or getattr(view, "open_to_tiers", False))


def by_method(value: Any, method: str | None) -> Any:
    """HEAD is asked for as GET is."""
    if not isinstance(value, dict):
        return value
    return value.get("GET" if method == "HEAD" else method)
