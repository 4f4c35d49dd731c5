"""What every endpoint inherits."""

from rest_framework.views import APIView

from users.api.idempotency import IdempotentPosts


class ApiView(IdempotentPosts, APIView):
    """Authentication, permission and throttle are the settings' defaults; a subclass names `required_scope`."""

    required_scope: str | dict[str, str] | None = None
    required_rights: tuple[str, ...] | dict[str, tuple[str, ...]] = ()
    open_to_tiers = False
