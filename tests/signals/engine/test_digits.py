"""Prices for readers: the instrument's digits, never an exponent."""

from decimal import ROUND_HALF_UP, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals.engine.digits import price_text


@pytest.mark.parametrize(
    ("value", "tick", "text"),
    [
        (67123.4, None, "67,123.40"),
        (1.5, None, "1.50"),
        (2.34567, None, "2.34567"),
        (0.12345, None, "0.12345"),
        (1.23e-8, None, "0.0000000123"),
        (5e-7, None, "0.0000005"),
        (0.0, None, "0.00"),
        (float("nan"), None, "–"),
        (67123.4, Decimal("0.01"), "67,123.40"),
        (67123.4, Decimal("0.5"), "67,123.4"),
        (67123.0, Decimal("1E+1"), "67,123"),
        (1.2345e-5, Decimal("1E-8"), "0.00001234"),
        (1.3e-5, Decimal("0.00000001000"), "0.00001300"),
    ],
)
def test_price_has_the_digits_of_its_step(value: float, tick: Decimal | None, text: str) -> None:
    assert price_text(value, tick) == text


@given(st.floats(1e-12, 1e9))
def test_text_without_a_step_keeps_five_significant_digits_and_no_exponent(value: float) -> None:
    text = price_text(value)

    assert "e" not in text.lower()
    assert float(text.replace(",", "")) == pytest.approx(value, rel=6e-6)


def test_a_library_that_changes_how_this_process_rounds_changes_no_text() -> None:
    """ccxt sets the context of whoever calls it."""
    with localcontext(rounding=ROUND_HALF_UP):
        assert price_text(1.2345e-5, Decimal("1E-8")) == "0.00001234"
