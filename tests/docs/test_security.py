"""`docs/security.md` names tests that exist, for points that ASVS may have."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PAGE = (TESTS.parent / "docs" / "security.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if re.match(r"\| \d", line)
]
NAMED = sorted(set(re.findall(r"`([\w/]+\.py(?:::\w+)?)`", " ".join(row[2] for row in ROWS))))


def test_every_promise_has_a_point_and_a_test() -> None:
    assert len(ROWS) >= 40
    for points, promise, tests in ROWS:
        assert re.fullmatch(r"(1[0-7]|[1-9])(\.\d+){1,2}(, (1[0-7]|[1-9])(\.\d+){1,2})*", points), points
        assert promise
        assert re.search(r"`[\w/]+\.py(::\w+)?`", tests), promise


@pytest.mark.parametrize("named", NAMED)
def test_named_test_exists(named: str) -> None:
    file, _, name = named.partition("::")
    source = (TESTS / file).read_text()
    wanted = rf"^def {re.escape(name)}\(" if name else r"^(async )?def test_"
    assert re.search(wanted, source, re.MULTILINE), named
