"""A changed engine never runs what was compiled from the old one, and an unchanged one is not compiled again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from signals.engine.compiled import ROOT, dependencies, sources_hash

pytestmark = pytest.mark.process
ENGINE = ROOT / "signals" / "engine"
CONSTANT = "FACTOR = {}\n"
LEAF = (
    "from numba import njit\nfrom signals.engine.constant import FACTOR\n\n\n"
    "@njit(cache=True)\ndef leaf():\n    return {} * FACTOR\n"
)
USER = (
    "from numba import njit\nfrom signals.engine.leaf import leaf\n\n\n"
    "@njit(cache=True)\ndef user():\n    return leaf()\n"
)


def write(root: Path, *, value: int = 1, factor: int = 1, unrelated: int = 0) -> None:
    engine = root / "signals" / "engine"
    engine.mkdir(parents=True, exist_ok=True)
    (root / "signals" / "__init__.py").touch()
    for name in ("__init__.py", "compiled.py", "numba_cache.py"):
        (engine / name).write_text((ENGINE / name).read_text())
    (engine / "constant.py").write_text(CONSTANT.format(factor))
    (engine / "leaf.py").write_text(LEAF.format(value))
    (engine / "user.py").write_text(USER)
    (engine / "unrelated.py").write_text(f"A = {unrelated}\n")


def run(root: Path) -> tuple[int, bool]:
    """What the function gives, and whether it came from the cache."""
    asked = "from signals.engine.user import user; print(user(), bool(user.stats.cache_hits))"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_CACHE")}
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    told, hit = done.stdout.split()
    return int(told), hit == "True"


@pytest.mark.parametrize(("change", "expected"), [({"value": 2}, 2), ({"factor": 3}, 3)])
def test_what_is_compiled_in_from_another_file_is_compiled_anew(
    tmp_path: Path, change: dict[str, int], expected: int
) -> None:
    write(tmp_path)
    assert run(tmp_path) == (1, False)
    write(tmp_path, unrelated=1)
    assert run(tmp_path) == (1, True)
    write(tmp_path, **change)
    assert run(tmp_path) == (expected, False)


PAIR = "from typing import NamedTuple\n\n\nclass {}(NamedTuple):\n    a: int\n    b: int\n"
TAKES = (
    "from numba import njit\nfrom signals.engine.pair import {0}\n\n\n"
    "@njit(cache=True)\ndef first(pair):\n    return pair.a\n\n\n"
    "def user():\n    return first({0}(1, 2))\n\n\nuser.stats = first.stats\n"
)


def test_what_was_kept_of_a_type_that_is_called_otherwise_now_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path)
    engine = tmp_path / "signals" / "engine"
    for name in ("Pair", "Couple"):
        (engine / "pair.py").write_text(PAIR.format(name))
        (engine / "user.py").write_text(TAKES.format(name))
        assert run(tmp_path)[0] == 1


def test_dependencies_are_followed_through_packages() -> None:
    found = dependencies(ENGINE / "outcome.py")
    assert {ENGINE / "fill" / "rules.py", ENGINE / "costs.py", ENGINE / "candle.py"} <= found
    assert ENGINE / "pairing.py" not in found


def test_the_hash_of_all_sources_changes_with_any_of_them(tmp_path: Path) -> None:
    write(tmp_path)
    before = sources_hash(tmp_path)
    write(tmp_path, unrelated=1)
    assert sources_hash(tmp_path) != before
