"""The trailing rule of managed exits (`exit_plan`) in ticks: a stop that follows the best close. Compiled.

It is asked once a bar has been stepped, so a stop that it moves acts from the next bar on.
"""

import numpy as np
from numba import njit

from signals.engine.fill.layout import (
    COUNT,
    GROUP,
    HEAD,
    KIND,
    LOTS,
    ORDER_WIDTH,
    PRICE,
    REASON,
    IntArray,
)
from signals.engine.fill.orders import ENTRY, STOP


@njit(cache=True)
def followed_stop(stop: int, sign: int, best_close: int, average_range: float, trail_atr: float) -> int:
    """`exit_plan.raised_stop` in ticks."""
    level = best_close - sign * trail_atr * average_range
    if not np.isfinite(level) or level < 1:
        return stop
    ticks = int(np.rint(level))
    return max(stop, ticks) if sign > 0 else min(stop, ticks)


@njit(cache=True)
def trail_stops(row: IntArray, group: int, best_close: int, average_range: float, trail_atr: float) -> None:
    """Move the stops that the entry `group` of a book has brought; nothing where none is held."""
    if row[LOTS] == 0:
        return
    side = 1 if row[LOTS] > 0 else -1
    for slot in range(row[COUNT]):
        at = HEAD + slot * ORDER_WIDTH
        if row[at + GROUP] == group and row[at + KIND] == STOP and row[at + REASON] != ENTRY:
            row[at + PRICE] = followed_stop(row[at + PRICE], side, best_close, average_range, trail_atr)
