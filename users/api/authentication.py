"""Who asks: a program with a key, or staff with the console's session."""

from typing import Any

import pghistory
from django.http import HttpRequest
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.authentication import SessionAuthentication as DjangoSession
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from users.adapters import may_log_in
from users.engine.api_key import key_hash
from users.models import ApiKey, User
from users.services import mark_used

BEARER = "Bearer"
HEADER = "X-API-Key"
LONGEST_KEY = 200


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer KEY`, or `X-API-Key: KEY`; a subclass may name other headers."""

    other_headers: tuple[str, ...] = ()

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        sent = sent_key(request, self.other_headers)
        if sent is None:
            return None
        now = timezone.now()
        key = ApiKey.objects.select_related("user", "tier").filter(key_hash=key_hash(sent)).first()
        # One sentence for all: a stranger learns nothing of keys that were, or of people who left.
        if key is None or not key.is_open(now) or not is_welcome(key.user):
            raise AuthenticationFailed("This API key is unknown, expired or revoked.")
        mark_used(key=key, now=now)
        pghistory.context(actor=key.user.get_username(), api_key=key.prefix)
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return BEARER


class SessionAuthentication(DjangoSession):
    """The console's session, with its CSRF token for whatever changes something; staff only."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        found = super().authenticate(request)
        return found if found and is_welcome(found[0]) else None


def is_welcome(user: User) -> bool:
    return user.is_active and user.is_staff and may_log_in(user)


def sent_key(request: Request | HttpRequest, other_headers: tuple[str, ...] = ()) -> str | None:
    """The key as it was sent; None when there is none. Bytes that no key has are a wrong key."""
    words = get_authorization_header(request).decode("latin-1").split()  # type: ignore[arg-type]
    if len(words) == 2 and words[0].lower() == BEARER.lower():
        return words[1][:LONGEST_KEY]
    header = next((sent for name in (HEADER, *other_headers) if (sent := request.headers.get(name))), None)
    return header.strip()[:LONGEST_KEY] if header else None


def key_of_request(request: Request) -> ApiKey | None:
    return request.auth if isinstance(request.auth, ApiKey) else None


def actor_of(request: Request) -> str:
    """Who did it, in words that are understood after the key is gone."""
    name = str(request.user.get_username())
    key = key_of_request(request)
    return f"{name}, by API key {key.name}"[:150] if key else name


class KeyScheme(OpenApiAuthenticationExtension):
    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A key of `manage.py api_key create`, or of the console's page API keys.",
        }


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = SessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "Whoever is logged in to the console. POST and PUT want the header X-CSRFToken.",
        }
