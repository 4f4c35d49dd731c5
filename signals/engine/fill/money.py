"""Ticks x lots as money: whole 1e-8 of the quote currency, rounded against the trader, never wrapped.

One tick x lot is worth numerator / denominator of such a unit, an exact fraction (`money_scale`). Products
that int64 does not hold are reckoned through a float quotient that whole numbers then correct; what cannot
be reckoned so is TOO_LARGE, a status that compiled code hands on and its callers refuse.
"""

from decimal import Decimal
from fractions import Fraction

import numpy as np
from numba import njit

from signals.engine.costs import MILLION
from signals.engine.fill.grid import Grid

UNITS = 10**8  # of one unit of the quote currency
TOO_LARGE = -(2**63)
HIGHEST_FACTOR = 2**62
HIGHEST_DENOMINATOR = 10**15
HIGHEST_PRODUCT = 1e34  # of two factors, beyond which the float quotient is too far off to be corrected
HIGHEST_QUOTIENT = 9.2e18


def money_scale(grid: Grid) -> tuple[int, int]:
    """What one tick x lot is worth in units, as (numerator, denominator). ValueError where that is no such fraction."""
    worth = Fraction(grid.tick) * Fraction(grid.lot) * UNITS
    if worth.denominator > HIGHEST_DENOMINATOR or worth.numerator > HIGHEST_DENOMINATOR:
        raise ValueError(f"tick {grid.tick} x lot {grid.lot} cannot be told in 1e-8 of the quote currency")
    return worth.numerator, worth.denominator


def in_units(amount: Decimal) -> int:
    """Whole 1e-8 of an amount of money, rounded down; ValueError unless it is finite and fits into int64."""
    if not amount.is_finite():
        raise ValueError(f"an amount of money must be finite, not {amount}")
    units = int((amount * UNITS).to_integral_value("ROUND_FLOOR"))
    if abs(units) > HIGHEST_FACTOR:
        raise ValueError(f"{amount} is more than this account can count in 1e-8 of its currency")
    return units


@njit(cache=True)
def scaled(first: int, second: int, divisor: int) -> int:
    """first x second / divisor, rounded down, for numbers of zero or more; TOO_LARGE where it cannot be told."""
    product = float(first) * float(second)
    if first > HIGHEST_FACTOR or divisor > HIGHEST_FACTOR or product > HIGHEST_PRODUCT:
        return TOO_LARGE
    quotient = product / float(divisor)
    if quotient > HIGHEST_QUOTIENT:
        return TOO_LARGE
    whole = np.int64(quotient)
    # Both products wrap alike, so their difference is the true remainder.
    rest = np.int64(np.uint64(first) * np.uint64(second) - np.uint64(whole) * np.uint64(divisor))
    if 0 <= rest < divisor:  # nearly always, and dividing costs more than all the rest
        return whole  # type: ignore[return-value]  # a whole number either way
    return whole + rest // divisor  # type: ignore[return-value]


@njit(cache=True)
def counted(price: int, numerator: int) -> bool:
    """Whether price x numerator is at most HIGHEST_FACTOR."""
    return float(price) * float(numerator) < HIGHEST_FACTOR * 0.999 or price <= HIGHEST_FACTOR // numerator


@njit(cache=True)
def worth(price: int, lots: int, numerator: int, denominator: int, up: bool) -> int:  # noqa: FBT001  (compiled)
    """Units of `lots` (not negative) at `price` ticks, rounded up (what is paid) or down (what is received)."""
    if not counted(price, numerator):
        return TOO_LARGE
    factor = price * numerator
    floor = scaled(factor, lots, denominator)
    if not up or floor == TOO_LARGE:
        return floor
    exact = np.uint64(floor) * np.uint64(denominator) == np.uint64(factor) * np.uint64(lots)
    return floor if exact else floor + 1


@njit(cache=True)
def share(amount: int, rate_ppm: int) -> int:
    """That share of an amount, rounded up; a negative rate is received and rounded to less."""
    whole, rest = amount // MILLION, amount % MILLION
    charged: int = whole * rate_ppm - (-rest * rate_ppm) // MILLION
    return charged


@njit(cache=True)
def affordable(budget: int, price: int, rate_ppm: int, numerator: int, denominator: int) -> int:
    """The most lots whose worth and a fee of that rate on it cost no more than `budget`; TOO_LARGE as in `scaled`.

    `rate_ppm` may be what a margin leaves: worth x rate / 1e6 is charged beside the worth, -1e6 < rate.
    """
    if budget <= 0:
        return 0
    most = scaled(budget, MILLION, MILLION + rate_ppm)
    if most == TOO_LARGE or not counted(price, numerator):
        return TOO_LARGE
    while most > 0 and most + share(most, rate_ppm) > budget:
        most -= 1
    while most + 1 + share(most + 1, rate_ppm) <= budget:
        most += 1
    return scaled(most, denominator, price * numerator)


@njit(cache=True)
def surely_pays(budget: int, price: int, lots: int, rate_ppm: int, numerator: int, denominator: int) -> bool:
    """True where `affordable` would tell at least so many lots; False where it has to be asked. For what is common."""
    if lots < 1 or rate_ppm < 0 or not 0 < budget <= HIGHEST_FACTOR:
        return False
    value = worth(price, lots, numerator, denominator, True)
    if value == TOO_LARGE or value > budget or share(value, rate_ppm) > budget - value:
        return False
    reach = float(budget) * float(denominator)
    return reach < HIGHEST_PRODUCT / 2 and reach < HIGHEST_QUOTIENT / 2 * float(price) * float(numerator)
