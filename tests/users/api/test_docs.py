"""The schema is complete, its page is served by us, and no route is without a permission."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

from users.api.authentication import ApiKeyAuthentication, SessionAuthentication
from users.api.permissions import ScopePermission
from users.api.throttling import KeyThrottle
from users.models import User

pytestmark = pytest.mark.django_db


def routes(resolver: Any = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry, path)
        else:
            yield path, entry


def api_views() -> Iterator[tuple[str, type[APIView]]]:
    for path, entry in routes():
        if path.startswith("api/"):
            yield path, getattr(entry.callback, "cls", None)  # type: ignore[misc]


def test_every_route_of_the_api_has_a_permission_a_scope_and_a_limit() -> None:
    found = list(api_views())

    assert len(found) >= 2
    for path, view in found:
        assert view is not None, f"{path} is no view of the API"
        assert ScopePermission in view.permission_classes, path
        assert AllowAny not in view.permission_classes, path
        by_key, by_session = view.authentication_classes
        assert issubclass(by_key, ApiKeyAuthentication), path
        assert by_session is SessionAuthentication, path
        assert KeyThrottle in view.throttle_classes, path
        scope = getattr(view, "required_scope", None)
        methods = {name for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)}
        named = methods if isinstance(scope, str) else {str(name).lower() for name in scope or ()}
        assert methods <= named, f"{path}: a method without a scope"


def test_every_route_of_the_api_refuses_a_stranger(client: Client) -> None:
    for path, view in api_views():
        address = "/" + re.sub(r"<(?:int:)?[^>]+>", "1", path).replace("^", "").replace("$", "")
        for method in ("get", "post", "put", "delete"):
            if hasattr(view, method):
                answer = getattr(client, method)(address)
                assert answer.status_code == 401 or answer.headers.get("location", "").startswith(
                    "/accounts/login/"
                ), (method, address, answer.status_code)


def test_schema_is_valid_and_made_without_a_warning() -> None:
    with GENERATOR_STATS.silence():
        schema = SchemaGenerator().get_schema(request=None, public=True)

    validate_schema(schema)
    assert not GENERATOR_STATS._warn_cache, dict(GENERATOR_STATS._warn_cache)
    assert not GENERATOR_STATS._error_cache, dict(GENERATOR_STATS._error_cache)


def test_docs_are_served_by_us_under_the_strict_policy(admin_client: Client) -> None:
    page = admin_client.get("/api/docs/")
    text = page.content.decode()

    assert page.status_code == 200
    assert "unsafe-eval" not in page.headers["Content-Security-Policy"]
    for address in re.findall(r'(?:src|href)="([^"]+)"', text):
        assert address.startswith("/"), address
        if address.startswith("/static/"):
            assert finders.find(address.removeprefix("/static/")), address
    assert "<script>" not in text
    script = admin_client.get(re.findall(r'src="(/api/docs/[^"]*)"', text)[0])
    assert script.headers["Content-Type"].startswith("application/javascript")
    assert "no-store" in script.headers["Cache-Control"]
    assert "csrftoken" in script.cookies


def test_docs_lead_a_stranger_to_the_login_and_back(client: Client) -> None:
    cache.clear()
    answer = client.get("/api/docs/")
    assert (answer.status_code, answer.headers["location"]) == (302, "/accounts/login/?next=/api/docs/")

    User.objects.create_superuser("boss", "boss@example.com", "a-password-1")
    inside = client.post(answer.headers["location"], {"login": "boss", "password": "a-password-1"})
    assert inside.headers["location"] == "/api/docs/"
    assert client.get("/api/docs/").status_code == 200
