"""Open times: seconds, milliseconds and finer mixed in one column, ISO, and hours such as `2019-10-17 09-AM`."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from signals.market.providers.candle_file.columns import time_column
from signals.market.providers.candle_file.table import Table

TEXT_FORMATS = ("%Y-%m-%d %I-%p", "%Y.%m.%d %H:%M", "%Y.%m.%d")
UNREADABLE = -1
# Below each bound a number since the epoch can only be of that unit: the bounds are the year 1973 and later.
UNITS = ((1e8, 0), (1e11, 1_000), (1e14, 1), (1e17, 1e-3), (1e20, 1e-6))


def open_times(table: Table, timezone: ZoneInfo) -> tuple[npt.NDArray[np.int64], list[tuple[int, str]]]:
    """UTC ms of each row, UNREADABLE where it has none, and (line, reason) of those and of broken rows."""
    column = time_column(table)
    moments = np.full(len(table.lines), UNREADABLE, dtype=np.int64)
    unreadable = list(table.unreadable)
    for row, cell in enumerate(table.columns[column]):
        try:
            moments[row] = milliseconds(cell, timezone)
        except ValueError as error:
            unreadable.append((int(table.lines[row]), f"{column}: {error}"))
    return moments, unreadable


def milliseconds(cell: Any, timezone: ZoneInfo) -> int:
    """One instant as UTC ms. Raises ValueError for what names none."""
    if isinstance(cell, datetime):
        return _of_datetime(cell, timezone)
    try:
        number = float(cell)
    except (TypeError, ValueError):
        return _of_datetime(_parsed(str(cell).strip()), timezone)
    for bound, factor in UNITS:
        if number < bound and factor:
            return round(number * factor)
        if number < bound:
            break
    raise ValueError(f"{cell!r} is neither seconds nor a finer unit since 1970")


def _parsed(text: str) -> datetime:
    for form in TEXT_FORMATS:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007  (the caller's timezone is added)
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is no time that is known here (ISO 8601, unix, '2019-10-17 09-AM')"
        ) from error


def _of_datetime(moment: datetime, timezone: ZoneInfo) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone)
    since_epoch = round(aware.timestamp() * 1000)
    if since_epoch < 0:
        raise ValueError(f"{moment} is before 1970")
    return since_epoch
