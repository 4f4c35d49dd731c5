"""The compiled walk over equity for all measures at once. Imported when it is run, as `drawdown_walk`."""

import numpy as np
from numba import njit

from signals.engine.candle import FloatArray
from signals.engine.performance.inputs import FLAT
from signals.engine.performance.moments_walk import PART, merged, not_returns


@njit(cache=True, nogil=True)
def _returns(equity: FloatArray, found: FloatArray) -> None:
    before, after = equity[:-1], equity[1:]
    for row in range(len(after)):
        found[row] = (after[row] - before[row]) / before[row]


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def _gains_and_losses(returns: FloatArray) -> tuple[float, float, float]:
    """Sums of gains, of losses and of squared losses."""
    gains, losses, squares = 0.0, 0.0, 0.0
    for row in range(len(returns)):
        gain = returns[row] if returns[row] > 0 else 0.0
        loss = returns[row] - gain
        gains += gain
        losses -= loss
        squares += loss * loss
    return gains, losses, squares


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz", "reassoc"})
def _extremes(values: FloatArray) -> tuple[float, float]:
    lowest, highest = values[0], values[0]
    for row in range(len(values)):
        lowest, highest = min(lowest, values[row]), max(highest, values[row])
    return lowest, highest


@njit(cache=True, nogil=True)
def _deepest(equity: FloatArray, high: float, lowest: float) -> float:
    for row in range(len(equity)):
        high = max(high, equity[row])
        lowest = min(lowest, equity[row] / high)
    return lowest


@njit(cache=True, nogil=True)
def _longest(equity: FloatArray, high: float, length: int, most: int) -> tuple[int, int]:
    for row in range(len(equity)):
        high = max(high, equity[row])
        length = length + 1 if equity[row] < high * (1.0 - FLAT) else 0
        most = max(most, length)
    return length, most


@njit(cache=True, nogil=True)
def walk_equity(
    equity: FloatArray,
) -> tuple[float, float, float, float, float, float, int, float]:
    """Of its returns: mean, squared deviations, gains, losses, squared losses; lowest share of the high so far, most
    periods in a row below it; how many are no return. A part is looked at one by one only if it can matter.
    """
    mean, squares, gains, losses, squared_losses, wrong = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    lowest, length, most, high = 1.0, 0, 0, equity[0]
    room = np.empty(PART)
    for first in range(1, len(equity), PART):
        part = equity[first : first + PART]
        returns = room[: len(part)]
        _returns(equity[first - 1 : first + len(part)], returns)
        mean, squares = merged(mean, squares, first - 1, returns)
        gained, lost, lost_squares = _gains_and_losses(returns)
        gains, losses, squared_losses = gains + gained, losses + lost, squared_losses + lost_squares
        wrong += not_returns(returns)
        bottom, top = _extremes(part)
        if bottom < lowest * max(high, top):
            lowest = _deepest(part, high, lowest)
        if top < high * (1.0 - FLAT):
            length += len(part)
            most = max(most, length)
        else:
            length, most = _longest(part, high, length, most)
        high = max(high, top)
    return mean, squares, gains, losses, squared_losses, lowest, most, wrong
