"""From a local clock to UTC, where an hour may come twice or not at all."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from signals.engine.candle import TimeArray

STEP_MS = 900_000  # every zone's clock has been moved at a multiple of this since 1970
ONE_NIGHT_MS = 3 * 3_600_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)

Mask = npt.NDArray[np.bool_]


def to_utc(wall: TimeArray, zone: ZoneInfo) -> tuple[TimeArray, Mask, Mask]:
    """UTC ms of local ms that stand in the order of time; which local times do not exist, and which are doubtful.

    Where an hour comes twice the first bar of it is the earlier one, and the first that does not go on but
    stands at or before the bar above it begins the second pass. An hour that came twice and is told once is
    taken for the first and called doubtful.
    """
    if str(zone) == "UTC" or not len(wall):
        none = np.zeros(len(wall), dtype=np.bool_)
        return wall.copy(), none, none
    steps, place = np.unique(wall // STEP_MS, return_inverse=True)
    offsets = np.array([_offsets(int(step), zone) for step in steps], dtype=np.int64)[place]
    first, second = offsets[:, 0], offsets[:, 1]
    twice = first > second
    later, doubtful = _second_pass(wall, twice)
    return wall - np.where(later, second, first), first < second, doubtful


def _offsets(step: int, zone: ZoneInfo) -> tuple[int, int]:
    local = (EPOCH + timedelta(milliseconds=step * STEP_MS)).replace(tzinfo=zone)
    both = (local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset())
    first, second = (round(offset.total_seconds() * 1000) if offset else 0 for offset in both)
    return first, second


def _second_pass(wall: TimeArray, twice: Mask) -> tuple[Mask, Mask]:
    later, doubtful = np.zeros(len(wall), dtype=np.bool_), np.zeros(len(wall), dtype=np.bool_)
    rows = np.flatnonzero(twice)
    if not len(rows):
        return later, doubtful
    nights = np.split(rows, np.flatnonzero(np.abs(np.diff(wall[rows])) > ONE_NIGHT_MS) + 1)
    for night in nights:
        back = np.flatnonzero(np.diff(wall[night]) <= 0)
        if len(back):
            later[night[back[0] + 1 :]] = True
        else:
            doubtful[night] = True
    return later, doubtful
