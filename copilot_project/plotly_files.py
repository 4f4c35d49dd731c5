"""Plotly's own JavaScript out of its wheel, as the static file `plotly/plotly.min.js`: no copy of ours, no CDN."""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder
from django.core.checks import CheckMessage, Error
from django.core.files.storage import FileSystemStorage, Storage

PREFIX, NAME = "plotly", "plotly.min.js"


def package_data() -> Path:
    """Where the wheel keeps it, without importing plotly: that takes a second."""
    spec = find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("plotly is not installed: pip install -r requirements.txt")
    return Path(spec.submodule_search_locations[0], "package_data")


class PlotlyFinder(BaseFinder):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.storage = FileSystemStorage(location=package_data())
        self.storage.prefix = PREFIX  # type: ignore[attr-defined]  # collectstatic reads it

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        if self.storage.exists(NAME):
            return []
        return [Error(f"{NAME} is not in {self.storage.location}: charts cannot be drawn", id="copilot.E001")]

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002
        found = [self.storage.path(NAME)] if path == f"{PREFIX}/{NAME}" else []
        if find_all:
            return found
        return found[0] if found else []

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Storage]]:
        yield NAME, self.storage
