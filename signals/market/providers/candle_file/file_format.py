"""What a vendor's files are like beyond their header: a format of its own is a small file in `formats/`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from signals.engine.timeframe import Timeframe

NAMED = re.compile(r"(?:^|[^a-z0-9])(\d+)(m|min|h|hr|hour|d|day)(?:[^a-z0-9]|$)", re.IGNORECASE)
CHART_NAMED = re.compile(r"(?:^|[^A-Za-z0-9])([MHD])(\d{1,2})(?:[^A-Za-z0-9]|$)")


def usual_timeframe(stem: str) -> Timeframe | None:
    """`..._1h`, `...-15min`, `..._H4`, `..._M1`."""
    found = NAMED.search(stem)
    if found and found[2] != "M":  # a month, or a minute: who writes it so does not say
        return known(f"{found[1]}{found[2][0].lower()}")
    if found := CHART_NAMED.search(stem):
        return known(f"{found[2]}{found[1].lower()}")
    return None


def known(name: str) -> Timeframe | None:
    return Timeframe(name) if name in set(Timeframe) else None


def of_minutes(minutes: int) -> Timeframe | None:
    return next((timeframe for timeframe in Timeframe if timeframe.seconds == minutes * 60), None)


def _no_name(stem: str) -> bool:
    return False


@dataclass(frozen=True)
class FileFormat:
    """`layouts` name the columns of files without a header, one for each number of cells.

    Names are those of `columns.py`; `_` is a column of no interest. `marks` are normalised header names that only
    this vendor writes. `timeframe_in` reads a file's name without its suffix. `zone` is of times that name none.
    `is_named` says whether a file's name is enough to know the vendor.
    """

    name: str
    layouts: tuple[tuple[str, ...], ...] = ()
    marks: frozenset[str] = frozenset()
    timeframe_in: Callable[[str], Timeframe | None] = usual_timeframe
    zone: ZoneInfo | None = None
    is_named: Callable[[str], bool] = _no_name

    def layout(self, cells: int) -> tuple[str, ...] | None:
        return next((layout for layout in self.layouts if len(layout) == cells), None)
