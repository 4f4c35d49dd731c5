"""The compiled walk for mean and deviation. Imported when it is run: pages load the measures without numba."""

from math import inf

from numba import njit

from signals.engine.candle import FloatArray

PART = 512  # returns that stay in the fastest cache while they are read twice


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def _sum(values: FloatArray) -> tuple[float, int]:
    """Their sum, and how many are no return: NaN, infinite or below -1."""
    total, wrong = 0.0, 0
    for each in values:
        total += each
        wrong += not (-1.0 <= each < inf)
    return total, wrong


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def _squares(values: FloatArray, mean: float) -> float:
    total = 0.0
    for each in values:
        total += (each - mean) * (each - mean)
    return total


@njit(cache=True, nogil=True)
def walk_moments(values: FloatArray) -> tuple[float, float, int]:
    """Mean, sum of squared deviations from it, and how many are no return; one pass over memory.

    Parts are merged by Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm (1979).
    """
    mean, squares, wrong = 0.0, 0.0, 0
    for first in range(0, len(values), PART):
        part = values[first : first + PART]
        total, not_returns = _sum(part)
        own = total / len(part)
        away = own - mean
        squares += _squares(part, own) + away * away * first * len(part) / (first + len(part))
        mean += away * len(part) / (first + len(part))
        wrong += not_returns
    return mean, squares, wrong
