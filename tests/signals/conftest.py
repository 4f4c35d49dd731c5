"""Instruments, bars in any shape, and the sandbox as the exchange."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from pytest_django import Settings

from signals.market.models import Instrument
from tests.factories import make_instrument

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def bitcoin(db: None) -> Instrument:
    return make_instrument(symbol="BTC/USDT", base="BTC", quote="USDT")


@pytest.fixture
def exchange(sandbox: str, settings: Settings) -> Iterator[httpx.Client]:
    """The sandbox's exchange behind the product's settings; the client speaks to the sandbox's own API."""
    settings.EXCHANGE_API_URL = f"{sandbox}/binance"
    settings.MARKET_PROVIDERS = ("binance",)
    with httpx.Client(base_url=sandbox) as client:
        yield client


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture(scope="session")
def shared_cases() -> Path:
    """The folder of field cases beside the repository."""
    folder = REPOSITORY.parent / "shared" / "cases"
    if not folder.is_dir():
        pytest.skip("no field cases: ../shared/cases is absent")
    return folder
