"""Compiled functions are kept between processes only as long as all that was compiled into them stays as it is.

Numba's cache looks at the file of a function only. After a change in a file that it compiles in, or takes a constant
from, it would go on to run what that held before. `numba_cache` makes it look at all files of the engines that the
function's file imports, directly or through others; here is what it asks, without importing numba.
"""

import functools
import hashlib
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENGINES = ("signals/engine", "autopilot/engine")
IMPORT = re.compile(
    r"^(?:from|import) ((?:signals|autopilot)\.engine[\w.]*)(?: import (?:\(([\w\s,]*)|([\w ,]*)))?",
    re.MULTILINE,
)
LOCATORS = ",".join(
    [
        *(f"signals.engine.numba_cache.{name}" for name in ("Chosen", "BesideSources", "OfUser")),
        "IPythonCacheLocator",
        "ZipCacheLocator",
    ]
)


def watch_all_sources() -> None:
    """Have numba ask `numba_cache` about every function; it is imported by whoever compiles first."""
    os.environ["NUMBA_CACHE_LOCATOR_CLASSES"] = LOCATORS
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_LOCATOR_CLASSES = LOCATORS


def sources_hash(root: Path) -> str:
    """Of the names and texts of all engine sources below `root`: which code made a result."""
    digest = hashlib.sha256()
    for engine in ENGINES:
        for source in sorted((root / engine).rglob("*.py")):
            text = source.read_bytes()
            digest.update(f"{source.relative_to(root)} {len(text)}\n".encode() + text)
    return digest.hexdigest()[:16]


@functools.cache
def stamp(source: str, root: Path = ROOT) -> str:
    """A hash of that file's text and of every engine source that it depends on."""
    digest = hashlib.sha256()
    for each in sorted(dependencies(Path(source), root)):
        digest.update(str(each).encode() + _text_of(each)[0])
    return digest.hexdigest()


@functools.cache
def _text_of(source: Path) -> tuple[bytes, list[tuple[str, ...]]]:
    """Its hash and its imports of engines: each is read once in a process, however many depend on it."""
    text = source.read_text()
    return hashlib.sha256(text.encode()).digest(), IMPORT.findall(text)


def dependencies(source: Path, root: Path = ROOT) -> set[Path]:
    """The file, and the engine sources below `root` that it imports, directly or through others."""
    found, waiting = {source}, [source]
    while waiting:
        for module, *names in _text_of(waiting.pop())[1]:
            parts = [module, *(f"{module}.{name.strip()}" for name in ",".join(names).split(","))]
            for part in parts:
                path = root / part.replace(".", "/")
                for file in (path.with_suffix(".py"), path / "__init__.py"):
                    if file not in found and file.is_file():
                        found.add(file)
                        waiting.append(file)
    return found
