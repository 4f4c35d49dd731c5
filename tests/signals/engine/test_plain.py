"""Numbers without an exponent, whatever their size."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals.engine.plain import plain


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (1.23e-8, None, "0.0000000123"),
        (5e-7, None, "0.0000005"),
        (67123.45, 6, "67123.5"),
        (67123456.0, 4, "67120000"),
        (1.64e9, None, "1640000000"),
        (0.0, 4, "0"),
        (-1.5e-7, 1, "-0.0000002"),
        (Decimal("1E+3"), None, "1000"),
        (Decimal("0.000000010000000000"), None, "0.00000001"),
        (float("nan"), 4, "NaN"),
    ],
)
def test_a_number_is_written_out(value: float | Decimal, digits: int | None, expected: str) -> None:
    assert plain(value, digits) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_all_digits_read_back_as_the_same_number(value: float) -> None:
    assert float(plain(value)) == value
    assert "e" not in plain(value).lower()
