"""Where compiled functions are kept between processes: a folder for exactly these sources.

Numba's cache looks at the file of a function only. After a change in a file that it compiles in, it would go
on to run what the file held before. So the folder is named by a hash of all engine sources, and a change
of any of them compiles anew, once.
"""

import hashlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENGINES = ("signals/engine", "autopilot/engine")
PREFIX = "numba-"
KEPT_SECONDS = 7 * 86_400


def use_cache_of_these_sources() -> None:
    """Point numba at that folder; nothing is compiled or imported here. NUMBA_CACHE_DIR names its parent."""
    parent = _parent()
    folder = parent / f"{PREFIX}{sources_hash(ROOT)}"
    if parent.name.startswith(PREFIX):  # a child process inherits what its parent has set
        folder = parent.parent / folder.name
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        _forget_old(folder)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(folder)


def sources_hash(root: Path) -> str:
    """Of the names and texts of all engine sources below `root`."""
    digest = hashlib.sha256()
    for engine in ENGINES:
        for source in sorted((root / engine).rglob("*.py")):
            text = source.read_bytes()
            digest.update(f"{source.relative_to(root)} {len(text)}\n".encode() + text)
    return digest.hexdigest()[:16]


def _parent() -> Path:
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(chosen)
    beside = Path(__file__).parent / "__pycache__"
    try:
        beside.mkdir(exist_ok=True)
    except OSError:
        return Path(tempfile.gettempdir()) / f"copilot-{os.getuid()}"
    return beside if os.access(beside, os.W_OK) else Path(tempfile.gettempdir()) / f"copilot-{os.getuid()}"


def _forget_old(current: Path) -> None:
    """Folders of sources that nobody has run for a week."""
    youngest = time.time() - KEPT_SECONDS  # noqa: TID251  (age of a folder, no market's clock)
    for other in current.parent.glob(f"{PREFIX}*"):
        if other != current and other.stat().st_mtime < youngest:
            shutil.rmtree(other, ignore_errors=True)
