"""Whatever the schema allows, and more, is asked of every endpoint: none breaks, and each answers as it says."""

from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from pytest_django import Settings
from schemathesis.core import NOT_SET

from signals.engine.timeframe import Timeframe
from tests.factories import make_instrument, make_series, store
from tests.notifications.rows import make_outcome, make_signal, make_tier
from users.engine.api_key import ApiScope
from users.models import User
from users.services import create_api_key

pytestmark = pytest.mark.django_db
EXAMPLES = 6
BODIES = frozenset({"POST", "PUT", "PATCH"})


@pytest.fixture
def clients(settings: Settings) -> list[Client]:
    """Staff with every scope, and an integrator of a tier."""
    cache.clear()
    settings.API_REQUESTS_PER_MINUTE = {"read": 1_000_000, "write": 1_000_000}
    boss = User.objects.create_superuser("boss", "boss@example.com", "a-password-1")
    now, read = timezone.now(), [ApiScope.READ]
    _, staff = create_api_key(user=boss, name="staff", scopes=list(ApiScope), now=now)
    _, tier = create_api_key(user=boss, name="tier", scopes=read, tier=make_tier(delay_seconds=60), now=now)
    keys = (staff, tier)
    return [Client(headers={"Authorization": f"Bearer {key}"}, raise_request_exception=False) for key in keys]


@pytest.fixture
def rows() -> None:
    now = timezone.now()
    instrument = make_instrument(symbol="BTC/USDT", aliases=["BTC/USD"])
    store(instrument, Timeframe.H1, make_series(bars=50, start=now - timedelta(hours=50)))
    for hours in range(5):
        make_outcome(signal=make_signal(instrument=instrument, published_at=now - timedelta(hours=hours + 4)))


def ask(client: Client, case: Any, symbol: str | None) -> Any:
    """symbol: put in the place of one that nobody knows, so that more than its refusal is reached."""
    headers = {str(name): str(value) for name, value in (case.headers or {}).items() if name.isascii()}
    headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
    known = {"symbol": symbol} if symbol else {}
    query = dict(case.query or {})
    more: dict[str, Any] = {"query_params": query | (known if "symbol" in query else {}), "headers": headers}
    if case.method.upper() in BODIES:
        body = {} if case.body is NOT_SET else case.body
        if isinstance(body, dict) and "symbol" in body:
            body = body | known
        more |= {"data": body, "content_type": "application/json"}
    return getattr(client, case.method.lower())(case.formatted_path, **more)


def ask_of(operation: Any, clients: list[Client]) -> set[int]:
    """What came back, by status."""
    statuses: set[int] = set()

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=operation.as_strategy())
    def every(case: Any) -> None:
        for client, symbol in zip(clients, ("BTC/USD", None), strict=True):
            answer = ask(client, case, symbol)
            assert answer.status_code < 500, (case.method, case.formatted_path, answer.content[:500])
            if answer.status_code >= 400:
                assert answer.headers["Content-Type"] == "application/problem+json", answer.content[:300]
                assert answer.json()["status"] == answer.status_code
            statuses.add(answer.status_code)

    every()
    return statuses


@pytest.mark.slow
def test_no_endpoint_breaks_whatever_is_asked(clients: list[Client], rows: None) -> None:
    schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(request=None, public=True))
    operations = [result.ok() for result in schema.get_all_operations()]

    asked = {
        f"{operation.method.upper()} {operation.path}": ask_of(operation, clients) for operation in operations
    }

    assert len(asked) >= 17
    assert {path for path, found in asked.items() if found == {400}} == set()
