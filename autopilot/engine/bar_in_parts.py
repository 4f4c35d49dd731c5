"""One bar for one book from Python, through its parts where it leaves open what came first: as the simulator does."""

from collections.abc import Callable

import numpy as np

from autopilot.engine.market_path import _open_question as left_open
from signals.engine.fill.advance import advance
from signals.engine.fill.layout import (
    B_CLOSE,
    B_FUNDING,
    B_HIGH,
    B_LOW,
    B_OPEN,
    B_TIME,
    CLOCK,
    FILL_WIDTH,
    MOST_FILLS,
    STATUS,
    IntArray,
)


def step_in_parts(
    row: IntArray, bar: IntArray, terms: IntArray, parts_of: Callable[[], IntArray]
) -> IntArray:
    """Step the book in place; its events, one row of FILL_WIDTH each. ValueError with a status' sentence.

    parts_of: asked only where the bar leaves a question open; the shorter bars that make it up, none where
    they are not known. Afterwards the book's clock stands at the bar, whichever part was the last.
    """
    before = row.copy()
    events = _advanced(row, bar, terms, counts=True)
    if not left_open(before, row, events, len(events)):
        return events
    parts = parts_of()
    if not len(parts):
        return events
    row[:] = before
    found = []
    for number, part in enumerate(parts):
        part[B_FUNDING] = 0 if number else bar[B_FUNDING]
        found.append(_advanced(row, part, terms, counts=number == len(parts) - 1))
    row[CLOCK] = bar[B_TIME]
    return np.concatenate(found)


def make_up(parts: IntArray, bar: IntArray) -> bool:
    """Whether the parts are all of the bar: its open, high, low and close are theirs."""
    return bool(
        len(parts)
        and parts[0, B_OPEN] == bar[B_OPEN]
        and parts[:, B_HIGH].max() == bar[B_HIGH]
        and parts[:, B_LOW].min() == bar[B_LOW]
        and parts[-1, B_CLOSE] == bar[B_CLOSE]
    )


def _advanced(row: IntArray, bar: IntArray, terms: IntArray, *, counts: bool) -> IntArray:
    told = np.zeros((MOST_FILLS, FILL_WIDTH), dtype=np.int64)
    happened = advance(row, bar, terms, told, int(counts))
    if happened < 0:
        raise ValueError(STATUS[happened])
    return told[:happened]
