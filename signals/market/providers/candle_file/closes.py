"""Times that are no open times: of a bar's last moment, or of a day's local midnight."""

import numpy as np
import numpy.typing as npt

from signals.engine.candle import TimeArray
from signals.engine.timeframe import Timeframe

MINUTE_MS = 60_000
LAST_MOMENTS = (1, 1_000)  # before the full minute: 23:59:59.999 and 23:59:59
NEARLY_ALL = 0.99
DAY_MS = Timeframe.D1.milliseconds


def last_moment(times: TimeArray) -> int:
    """How many ms before a full minute these stand, as the last moments of bars do; 0 where they do not."""
    if not len(times):
        return 0
    shares = {before: float(((times + before) % MINUTE_MS == 0).mean()) for before in LAST_MOMENTS}
    return next((before for before, share in shares.items() if share >= NEARLY_ALL), 0)


def are_local_days(utc: TimeArray, wall: TimeArray) -> bool:
    """Whether all are midnights of a local clock, and at least one is none of UTC."""
    return len(wall) > 0 and bool((wall % DAY_MS == 0).all()) and bool((utc % DAY_MS != 0).any())


def rests_at_weekends(wall: TimeArray) -> bool:
    """Whether no bar is of a Saturday or of a Sunday: a market of days, not of 24 hours around the clock."""
    weekday: npt.NDArray[np.int64] = (wall // DAY_MS + 3) % 7  # 1970-01-01 was a Thursday
    return not bool((weekday >= 5).any())
