"""Numbers as a trader types them: plain decimals, never with an exponent, which exchanges refuse."""

from decimal import Decimal


def plain(value: float | Decimal, digits: int | None = None) -> str:
    """`value` as a plain decimal: all of its digits, or `digits` significant ones; no zeros at the end.

    Of a float the shortest decimal that reads back as it. NaN and infinity are written as Python writes them.
    """
    exact = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    if not exact.is_finite():
        return str(exact)
    if digits is not None and exact:
        exact = round(exact, digits - 1 - exact.adjusted())
    text = f"{exact:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
