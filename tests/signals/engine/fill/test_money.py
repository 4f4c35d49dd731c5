"""Money in whole 1e-8 against exact fractions."""

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals.engine.fill.grid import Grid
from signals.engine.fill.money import (
    TOO_LARGE,
    affordable,
    in_units,
    money_scale,
    scaled,
    share,
    surely_pays,
    worth,
)

SCALES = st.sampled_from([(1, 1), (10, 1), (25, 2), (1, 10), (1, 10**11), (1, 10**15), (3, 7), (10**6, 1)])
PRICES = st.integers(1, 10**12)
LOTS = st.integers(0, 10**13)


@given(st.integers(0, 2**62), st.integers(0, 2**62), st.integers(1, 2**62))
def test_a_product_is_divided_exactly_or_refused(first: int, second: int, divisor: int) -> None:
    found, exact = scaled(first, second, divisor), first * second // divisor
    assert found in (exact, TOO_LARGE)
    if first * second < 10**33 and exact < 9 * 10**18:
        assert found == exact


@given(PRICES, LOTS, SCALES)
def test_what_is_paid_is_rounded_up_and_what_is_received_down(
    price: int, lots: int, scale: tuple[int, int]
) -> None:
    exact = Fraction(price * lots * scale[0], scale[1])
    paid, received = worth(price, lots, *scale, True), worth(price, lots, *scale, False)
    assert (paid, received) == (ceil(exact), floor(exact)) or exact > 9 * 10**18


@given(st.integers(0, 10**18), st.integers(-100_000, 100_000))
def test_a_share_is_rounded_against_the_trader(amount: int, rate: int) -> None:
    assert share(amount, rate) == ceil(Fraction(amount * rate, 10**6))


@given(st.integers(0, 10**17), PRICES, st.integers(-999_000, 100_000), SCALES)
def test_all_that_a_budget_buys_is_the_most_that_it_pays_for(
    budget: int, price: int, rate: int, scale: tuple[int, int]
) -> None:
    lots = affordable(budget, price, rate, *scale)

    def cost(some: int) -> int:
        value = ceil(Fraction(price * some * scale[0], scale[1]))
        return value + ceil(Fraction(value * rate, 10**6))

    if lots == TOO_LARGE:
        most = budget * 10**6 // (10**6 + rate)
        assert max(most, most * scale[1] // (price * scale[0])) > 9 * 10**18 or most * scale[1] > 9 * 10**33
        return
    assert cost(lots) <= budget
    assert cost(lots + 1) > budget


@given(st.integers(0, 2**62), PRICES, st.integers(-1, 10**13), st.integers(-1_000, 100_000), SCALES)
def test_what_is_surely_paid_for_is_affordable(
    budget: int, price: int, lots: int, rate: int, scale: tuple[int, int]
) -> None:
    if surely_pays(budget, price, lots, rate, *scale):
        assert 1 <= lots <= affordable(budget, price, rate, *scale)


def test_a_common_entry_is_surely_paid_for_up_to_the_last_lot() -> None:
    most = affordable(10**14, 123_456, 1_000, 10, 1)
    assert surely_pays(10**14, 123_456, most, 1_000, 10, 1)
    assert not surely_pays(10**14, 123_456, most + 1, 1_000, 10, 1)


def test_a_scale_is_the_worth_of_one_tick_and_lot() -> None:
    assert money_scale(Grid(Decimal("0.01"), Decimal("0.00001"))) == (10, 1)
    assert money_scale(Grid(Decimal("0.000001"), Decimal("0.0001"))) == (1, 100)
    with pytest.raises(ValueError, match="cannot be told"):
        money_scale(Grid(Decimal("1e-20"), Decimal("1e-9")))


def test_an_amount_that_cannot_be_counted_is_refused() -> None:
    assert in_units(Decimal("1.234567899")) == 123_456_789
    for amount in (Decimal("NaN"), Decimal("Infinity"), Decimal("1e12")):
        with pytest.raises(ValueError):
            in_units(amount)
