"""Many books at once: one bar for each, in one call; and the same for one book, from Python.

Signatures are fixed to int64, so that another width of integer is refused with TypeError and never compiled
in the middle of a run.
"""

import numpy as np
from numba import njit

from signals.engine.fill.advance import advance
from signals.engine.fill.layout import (
    BAR_WIDTH,
    BOOK_WIDTH,
    FILL_WIDTH,
    MOST_FILLS,
    STATUS,
    IntArray,
)
from signals.engine.fill.terms import TERMS_WIDTH


@njit(
    "void(int64[:, ::1], int64[:, ::1], int64[:, ::1], int64[:, :, ::1], int64[::1])", cache=True, nogil=True
)
def _step_all(
    states: IntArray, bars: IntArray, costs: IntArray, fills_out: IntArray, found: IntArray
) -> None:
    for number in range(len(states)):
        terms = costs[number if len(costs) > 1 else 0]
        found[number] = advance(states[number], bars[number], terms, fills_out[number], 1)


@njit("int64(int64[::1], int64[::1], int64[::1], int64[:, ::1])", cache=True, nogil=True)
def _step_one(state: IntArray, bar: IntArray, costs: IntArray, fills_out: IntArray) -> int:
    return advance(state, bar, costs, fills_out, 1)


def step_many(states: IntArray, bars: IntArray, costs: IntArray, fills_out: IntArray) -> IntArray:
    """Step each book by its bar, in place; how many events each had, or a negative status (`layout.STATUS`).

    states (n, BOOK_WIDTH); bars (n, BAR_WIDTH); costs (n or 1, TERMS_WIDTH) of `terms_row`; fills_out
    (n, MOST_FILLS, FILL_WIDTH), of which the first so many rows of each book are written. All int64 and
    contiguous. A book with a negative status is of no use any more. ValueError for other shapes.
    """
    books = len(states)
    expected = ((books, BOOK_WIDTH), (books, BAR_WIDTH), (books, MOST_FILLS, FILL_WIDTH))
    if (states.shape, bars.shape, fills_out.shape) != expected:
        raise ValueError(f"shapes must be {expected}, not {states.shape}, {bars.shape}, {fills_out.shape}")
    if costs.shape not in {(books, TERMS_WIDTH), (1, TERMS_WIDTH)}:
        raise ValueError(f"costs must be ({books} or 1, {TERMS_WIDTH}), not {costs.shape}")
    found = np.empty(books, dtype=np.int64)
    _step_all(states, bars, costs, fills_out, found)
    return found


def step_book(state: IntArray, bar: IntArray, costs: IntArray) -> IntArray:
    """Step one book in place; its events, one row of FILL_WIDTH each. ValueError with a status' sentence."""
    fills = np.empty((MOST_FILLS, FILL_WIDTH), dtype=np.int64)
    events = _step_one(state, bar, costs, fills)
    if events < 0:
        raise ValueError(STATUS[events])
    return fills[:events]
