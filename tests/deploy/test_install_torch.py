"""Where torch is taken from, in which order, with a stand-in for pip."""

import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = """#!/bin/sh
case "$*" in *importlib*) exit 1 ;; esac
echo "$*" >> "$JOURNAL"
case "$*" in $WORKS) exit 0 ;; esac
exit 1
"""


def installed(folder: Path, *, works: str, index: str = "") -> tuple[list[str], str]:
    """What pip was asked for, and what was said."""
    python = folder / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    journal = folder / "journal"
    told = subprocess.run(
        [str(REPOSITORY / "deploy/install_torch.sh"), str(python)],
        env={"PATH": "/usr/bin:/bin", "JOURNAL": str(journal), "WORKS": works, "TORCH_INDEX_URL": index},
        capture_output=True,
        text=True,
        check=False,
    )
    return journal.read_text().splitlines(), told.stdout + told.stderr


def test_index_that_was_named_wins(tmp_path: Path) -> None:
    asked, _ = installed(tmp_path, works="*", index="https://mirror.test/cpu")
    assert len(asked) == 1
    assert "--index-url https://mirror.test/cpu torch==" in asked[0]


def test_configured_index_is_asked_before_pytorchs_own(tmp_path: Path) -> None:
    asked, _ = installed(tmp_path, works="*")
    assert len(asked) == 1
    assert asked[0].endswith("+cpu")
    assert "--index-url" not in asked[0]


@pytest.mark.parametrize("is_reached", [True, False])
def test_pytorchs_own_index_is_tried_briefly_before_the_large_build(tmp_path: Path, is_reached: bool) -> None:
    asked, said = installed(tmp_path, works="*download.pytorch.org*" if is_reached else "*torch==2.13.0")
    assert "--timeout 5 --retries 0 --index-url https://download.pytorch.org/whl/cpu" in asked[1]
    assert len(asked) == (2 if is_reached else 3)
    assert ("No CPU build found" in said) == (not is_reached)
