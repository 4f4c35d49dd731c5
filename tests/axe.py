"""axe-core at our pages: a development tool that `make setup-dev` puts beside the packages, where npm is there."""

import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(sys.prefix) / "axe" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = ("serious", "critical")


def axe_source() -> str:
    """Read in the page past the policy of content, never served by us; empty where `make setup-dev` found no npm."""
    return AXE.read_text() if AXE.exists() else ""


def offences_in_both_themes(page: Page) -> list[str]:
    """Of the page as it stands, dark and light; none where axe-core is not there."""
    if not (source := axe_source()):
        return []
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {each}" for each in offences(page, source, only_colours=scheme == "light")]
    return found


def offences(page: Page, source: str, *, only_colours: bool = False) -> list[str]:
    """What is serious, as rule and element. Another theme changes colours and nothing else. A chart is an image to
    axe-core: its drawing is left out, its name and its description are not."""
    page.evaluate(source)
    asked: dict[str, Any] = {"resultTypes": ["violations"]}
    if only_colours:
        asked["runOnly"] = ["color-contrast"]
    found: dict[str, Any] = page.evaluate(
        "async (asked) => await axe.run({exclude: [['.plot svg']]}, asked)", asked
    )
    return [
        f"{each['id']}: {node['target']} {node['failureSummary'][:200]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]
