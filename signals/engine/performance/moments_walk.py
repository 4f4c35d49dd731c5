"""The compiled walk for mean and deviation. Imported when it is run: pages load the measures without numba."""

from math import inf

from numba import njit

from signals.engine.candle import FloatArray

PART = 512  # returns that stay in the fastest cache while they are read twice


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def total(values: FloatArray) -> float:
    found = 0.0
    for row in range(len(values)):  # by number: numba's iteration is not made parallel
        found += values[row]
    return found


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def squares_around(values: FloatArray, mean: float) -> float:
    found = 0.0
    for row in range(len(values)):
        found += (values[row] - mean) * (values[row] - mean)
    return found


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def not_returns(values: FloatArray) -> float:
    """How many are NaN, infinite or below -1."""
    found = 0.0
    for row in range(len(values)):
        found += 0.0 if -1.0 <= values[row] < inf else 1.0
    return found


@njit(cache=True, nogil=True)
def merged(mean: float, squares: float, before: int, part: FloatArray) -> tuple[float, float]:
    """Mean and sum of squared deviations of `before` returns and the part after them.

    Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm (1979).
    """
    own = total(part) / len(part)
    away, both = own - mean, before + len(part)
    squares += squares_around(part, own) + away * away * before * len(part) / both
    return mean + away * len(part) / both, squares


@njit(cache=True, nogil=True)
def walk_moments(values: FloatArray) -> tuple[float, float, float]:
    """Mean, sum of squared deviations from it, and how many are no return; one pass over memory."""
    mean, squares, wrong = 0.0, 0.0, 0.0
    for first in range(0, len(values), PART):
        part = values[first : first + PART]
        mean, squares = merged(mean, squares, first, part)
        wrong += not_returns(part)
    return mean, squares, wrong
