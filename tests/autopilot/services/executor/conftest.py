from collections.abc import Iterator
from typing import Any

import pytest

from tests.autopilot.services.executor.exchange import PRICE, FarEnd, Hands, exchange_at_work


@pytest.fixture(scope="session")
def far_end(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarEnd]:
    with exchange_at_work(tmp_path_factory.mktemp("exchange")) as running:
        yield running


@pytest.fixture
def far(far_end: FarEnd, settings: Any, request: pytest.FixtureRequest) -> FarEnd:
    """As new: a fresh account, no faults, no lies."""
    settings.EXCHANGE_API_URL = f"{far_end.url}/binance"
    settings.LIVE_TRADING_ALLOWED = True
    settings.EXCHANGE_KEY_SECRETS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
    settings.LIVE_CALL_TIMEOUT_MS = 400
    far_end.forget_faults()
    far_end.lie(
        hidden_probability=0,
        partial_probability=0,
        split_fills=1,
        duplicate_fills=False,
        reorder_fills=False,
        skew_ms=0,
    )
    far_end.price(PRICE)
    return far_end


@pytest.fixture
def hands(far: FarEnd, db: None, request: pytest.FixtureRequest) -> Hands:
    key = f"canary-key-{abs(hash(request.node.nodeid))}"
    far.open_account(key=key, secret="canary-secret")
    return Hands(far, key=key, secret="canary-secret")
