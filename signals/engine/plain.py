"""Numbers as a trader types them: plain decimals, never with an exponent, which exchanges refuse."""

from decimal import ROUND_HALF_UP, Context, Decimal

PRICE_DIGITS = 6  # of a price within a sentence
WIDE = Context(prec=400)  # as many digits as a float can have


def plain(value: float | Decimal, digits: int | None = None) -> str:
    """`value` as a plain decimal: all of its digits, or `digits` significant ones; no zeros at the end.

    Of a float the shortest decimal that reads back as it. NaN and infinity are written as Python writes them.
    """
    exact = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    if not exact.is_finite():
        return str(exact)
    if digits is not None and exact:
        exact = exact.quantize(Decimal(1).scaleb(exact.adjusted() + 1 - digits), ROUND_HALF_UP, WIDE)
    text = f"{exact:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def plain_price(price: float) -> str:
    """A price within a sentence."""
    return plain(price, PRICE_DIGITS)
