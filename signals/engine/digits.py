"""How a price is written for a reader: in the instrument's own step where it is known, never with an exponent."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from math import floor, isfinite, log10

SIGNIFICANT_DIGITS = 6
MOST_DECIMALS = 18


def price_text(price: float | Decimal, tick_size: Decimal | None = None) -> str:
    """67,123.40 with a tick of 0.01, 0.00001234 with one of 1e-8; a dash for what is no price.

    Without a tick six significant digits, two decimals at least from 1 on; trailing zeros beyond those go.
    """
    if not isfinite(price):
        return "–"
    with localcontext(rounding=ROUND_HALF_EVEN):  # whoever has asked ccxt rounds in its way from then on
        return _written(price, tick_size)


def _written(price: float | Decimal, tick_size: Decimal | None) -> str:
    if tick_size:
        return f"{Decimal(str(price)):,.{decimals_of(tick_size)}f}"
    size = floor(log10(abs(float(price)))) if price else 0
    decimals = min(max(2, SIGNIFICANT_DIGITS - 1 - size), MOST_DECIMALS)
    whole, _, part = f"{Decimal(str(price)):,.{decimals}f}".partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"


def decimals_of(tick_size: Decimal) -> int:
    """Decimals that a multiple of the step may have."""
    exponent = tick_size.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
