"""What every endpoint inherits."""

from typing import Any
from uuid import UUID

from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from users.api.idempotency import IdempotentPosts


class ApiView(IdempotentPosts, APIView):
    """Authentication, permission and throttle are the settings' defaults; a subclass names `required_scope`."""

    required_scope: str | dict[str, str] | None = None
    required_rights: tuple[str, ...] | dict[str, tuple[str, ...]] = ()
    open_to_tiers = False


def validated(serializer: BaseSerializer[Any]) -> dict[str, Any]:
    """What was sent, as the serializer reads it. ValidationError names the fields that are wrong."""
    serializer.is_valid(raise_exception=True)
    found: dict[str, Any] = serializer.validated_data
    return found


def as_uuids(text: str) -> list[UUID]:
    """None where the text is no UUID."""
    try:
        return [UUID(text)]
    except ValueError:
        return []
