"""Links of the documentation lead somewhere, and the checker sees one that does not."""

from pathlib import Path

import pytest
import yaml

from tests.docs.test_examples import EXAMPLES

DOCS = EXAMPLES.parent


@pytest.fixture
def checker() -> dict[str, object]:
    names: dict[str, object] = {"__file__": str(DOCS.parent / "deploy/check_links.py"), "__name__": "checker"}
    exec(compile((DOCS.parent / "deploy/check_links.py").read_text(), "check_links.py", "exec"), names)
    return names


def test_every_link_leads_somewhere(checker: dict[str, object]) -> None:
    assert checker["main"]() == 0  # type: ignore[operator]


def test_broken_links_and_headings_are_seen(checker: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "# One two\n[x](b.md) [y](#one-two) [z](#three) [w](https://a.test/none)\n"
    )
    checker["ROOT"] = tmp_path
    found = checker["broken"](tmp_path / "a.md")  # type: ignore[operator]
    assert found == ["a.md: b.md is not there", "a.md: #three has no such heading"]


def test_menu_of_the_site_names_pages_that_are_there_once() -> None:
    listed = yaml.safe_load((DOCS.parent / "mkdocs.yml").read_text())["nav"]
    pages = [
        page for part in listed for page in ([part] if isinstance(part, str) else next(iter(part.values())))
    ]
    assert len(pages) == len(set(pages))
    assert set(pages) <= {path.name for path in DOCS.glob("*.md")}
