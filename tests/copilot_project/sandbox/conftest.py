from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.copilot_project.sandbox.served import Served, configured, serving


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """A sandbox with a simulated market and Telegram's limits on."""
    async with serving(configured(tmp_path)) as running:
        yield running
