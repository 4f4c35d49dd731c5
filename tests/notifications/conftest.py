from collections.abc import Iterator

import pytest

from tests.notifications.rows import Controls, sandbox_process


@pytest.fixture(scope="session")
def telegram_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One sandbox for all tests of delivery: its start takes longer than most of them."""
    with sandbox_process(tmp_path_factory.mktemp("sandbox")) as url:
        yield url


@pytest.fixture
def telegram(telegram_process: str) -> Iterator[Controls]:
    """Telegram without faults, latency, webhook or waiting updates; its journal begins with the test."""
    with Controls(telegram_process) as controls:
        controls.begin()
        yield controls
