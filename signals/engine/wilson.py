"""How sure a share is that was counted."""

from math import sqrt

NINETY_FIVE = 1.96


def wilson(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a share of n (Wilson 1927); of none, anything is possible."""
    if n == 0:
        return 0.0, 1.0
    square = NINETY_FIVE**2
    centre = (share + square / (2 * n)) / (1 + square / n)
    reach = NINETY_FIVE * sqrt(share * (1 - share) / n + square / (4 * n**2)) / (1 + square / n)
    return max(min(centre - reach, share), 0.0), min(max(centre + reach, share), 1.0)
