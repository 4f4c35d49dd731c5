"""When a published signal is entered: the one rule that outcomes, simulator and paper trading share.

A signal published within PROMPT of its candle's close is entered at the open that follows that close. A later
one is entered at the first bar that opens at or after its publication: nobody could have traded on it before.
"""

from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from signals.engine.candle import TimeArray
from signals.engine.horizon import EPOCH, PROMPT

MILLISECOND = timedelta(milliseconds=1)
PROMPT_MS = PROMPT // MILLISECOND


def publication_ms(published_at: datetime) -> int:
    """`published_at` as UTC ms, rounded up: a bar that opened a microsecond before it came too early."""
    return -((EPOCH - published_at) // MILLISECOND)


def entered_from(closed_at: npt.ArrayLike, published_at: npt.ArrayLike) -> TimeArray:
    """UTC ms from which a bar may open that enters each signal; the arguments, in UTC ms, broadcast.

    closed_at: close of the candle on which it was decided; published_at: see `publication_ms`. A publication
    that clocks put before the close is prompt.
    """
    closed, published = (np.asarray(each, dtype=np.int64) for each in (closed_at, published_at))
    moments: TimeArray = np.where(published - closed <= PROMPT_MS, closed, published)
    return moments


def entry_rows(
    open_times: npt.ArrayLike, closed_at: npt.ArrayLike, published_at: npt.ArrayLike
) -> npt.NDArray[np.int64]:
    """Row of the bar in which each signal is entered at the open; len(open_times) where it has not come yet.

    open_times: UTC ms of bars, oldest first.
    """
    rows = np.searchsorted(np.asarray(open_times, dtype=np.int64), entered_from(closed_at, published_at))
    return rows.astype(np.int64)
