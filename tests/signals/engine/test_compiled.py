"""A changed engine never runs what was compiled from the old one."""

import os
import subprocess
import sys
from pathlib import Path

from signals.engine.compiled import sources_hash

LEAF = "from numba import njit\n\n\n@njit(cache=True)\ndef leaf():\n    return {}\n"
USER = (
    "from numba import njit\nfrom signals.engine.leaf import leaf\n\n\n"
    "@njit(cache=True)\ndef user():\n    return leaf()\n"
)
COMPILED = (Path(__file__).parents[3] / "signals" / "engine" / "compiled.py").read_text()


def write(root: Path, value: int) -> None:
    engine = root / "signals" / "engine"
    engine.mkdir(parents=True, exist_ok=True)
    (root / "signals" / "__init__.py").touch()
    (engine / "compiled.py").write_text(COMPILED)
    starts = (
        "from signals.engine.compiled import use_cache_of_these_sources\n\nuse_cache_of_these_sources()\n"
    )
    (engine / "__init__.py").write_text(starts)
    (engine / "leaf.py").write_text(LEAF.format(value))
    (engine / "user.py").write_text(USER)


def run(root: Path) -> str:
    asked = "from signals.engine.user import user; print(user(), user.stats.cache_hits)"
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_function_that_is_compiled_in_from_another_file_is_compiled_anew(tmp_path: Path) -> None:
    write(tmp_path, 1)
    assert run(tmp_path).startswith("1 ")
    assert run(tmp_path).split()[1] != "{}", "the cache was not used, so nothing is shown"
    write(tmp_path, 2)
    assert run(tmp_path).startswith("2 ")


def test_the_hash_changes_with_any_engine_source(tmp_path: Path) -> None:
    write(tmp_path, 1)
    before = sources_hash(tmp_path)
    (tmp_path / "autopilot" / "engine").mkdir(parents=True)
    (tmp_path / "autopilot" / "engine" / "simulator.py").write_text("A = 1\n")
    assert sources_hash(tmp_path) != before
