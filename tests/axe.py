"""axe-core at our pages: a development tool that `make setup-dev` puts beside the packages, where npm is there."""

import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

AXE = Path(sys.prefix) / "axe" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = ("serious", "critical")


@pytest.fixture
def axe() -> str:
    """Its source; never served by us, and read in the page past the policy of content."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make setup-dev fetches it where npm is there")
    return AXE.read_text()


def offences(page: Page, source: str) -> list[str]:
    """What is serious, as rule and element."""
    page.evaluate(source)
    found: dict[str, Any] = page.evaluate(
        "async () => await axe.run(document, {resultTypes: ['violations']})"
    )
    return [
        f"{each['id']}: {node['target']} {node['failureSummary'][:200]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]
