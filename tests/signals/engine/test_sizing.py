from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals.engine.sizing import position_size

ORDER = {
    "capital": Decimal(10_000),
    "risk_fraction": Decimal("0.01"),
    "entry_price": Decimal(100),
    "stop_loss": Decimal("97.5"),
}


@pytest.mark.parametrize("stop_loss", ["97.5", "102.5"])
def test_losing_at_the_stop_costs_exactly_the_risk(stop_loss: str) -> None:
    size = position_size(**ORDER | {"stop_loss": Decimal(stop_loss)})
    assert size.quantity == Decimal(40)
    assert size.risk_amount == Decimal(100)
    assert size.quantity * abs(ORDER["entry_price"] - Decimal(stop_loss)) == size.risk_amount


def test_the_formula_shows_every_number() -> None:
    formula = position_size(**ORDER).formula
    assert formula == "10000 × 0.01 / |100 − 97.5| = 100.00 / 2.5 = 40.00000000"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"capital": Decimal(0)}, "capital must be positive"),
        ({"capital": Decimal("NaN")}, "capital must be positive"),
        ({"risk_fraction": Decimal("1.5")}, "risk_fraction must be above 0 and at most 1"),
        ({"risk_fraction": Decimal(0)}, "risk_fraction must be above 0 and at most 1"),
        ({"entry_price": Decimal(-1)}, "entry_price must be positive"),
        ({"stop_loss": Decimal(100)}, "risk per unit is zero"),
        ({"step": Decimal(0)}, "step must be positive"),
        ({"step": Decimal("Infinity")}, "step must be positive"),
        ({"minimum_quantity": Decimal(-1)}, "minimum_quantity must not be negative"),
        ({"minimum_value": Decimal("Infinity")}, "minimum_value must not be negative"),
    ],
)
def test_a_size_that_cannot_be_reckoned_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        position_size(**ORDER | change)


def test_a_size_is_rounded_down_to_the_step_and_the_risk_with_it() -> None:
    size = position_size(**ORDER | {"stop_loss": Decimal("97"), "step": Decimal("0.5")})

    assert size.quantity == Decimal("33.0")
    assert size.risk_amount == Decimal("99.0")
    assert size.formula.endswith("= 33.33333333, in steps of 0.5: 33")
    assert size.refusal == ""


@pytest.mark.parametrize(
    ("limits", "refusal"),
    [
        ({"minimum_quantity": Decimal(41)}, "40 is below the exchange's minimum of 41"),
        (
            {"minimum_value": Decimal("4000.01")},
            "a value of 4000 is below the exchange's minimum of 4000.01",
        ),
        ({"step": Decimal(50)}, "the risk does not buy a single step of the exchange"),
    ],
)
def test_a_size_below_the_minimum_is_refused_rather_than_raised(limits: dict, refusal: str) -> None:
    size = position_size(**ORDER | limits)

    assert (size.quantity, size.risk_amount) == (0, 0)
    assert size.refusal == refusal


def test_all_of_the_capital_may_be_risked() -> None:
    assert position_size(**ORDER | {"risk_fraction": Decimal(1)}).quantity == 4_000


def test_a_refused_size_is_never_shown_as_the_minimum_that_it_misses() -> None:
    """100 / 6 = 16.666666666…, which rounding would show as the minimum itself."""
    size = position_size(**ORDER | {"stop_loss": Decimal(94)}, minimum_quantity=Decimal("16.66666667"))
    assert size.refusal == "16.66666666 is below the exchange's minimum of 16.66666667"


def test_a_size_of_exactly_the_minimum_is_traded() -> None:
    size = position_size(**ORDER | {"minimum_quantity": Decimal(40), "minimum_value": Decimal(4000)})
    assert size.quantity == 40


@settings(deadline=None)
@given(
    st.decimals("0.01", "1e7", places=2),
    st.decimals("0.001", "1", places=3),
    st.decimals("0.0001", "1e5", places=4),
    st.decimals("0.0001", "1e5", places=4),
    st.sampled_from([Decimal(step) for step in ("0.00001", "0.01", "1", "10")]),
)
def test_no_size_ever_risks_more_than_was_asked_for(
    capital: Decimal, risk: Decimal, entry: Decimal, stop: Decimal, step: Decimal
) -> None:
    if entry == stop:
        return
    size = position_size(capital=capital, risk_fraction=risk, entry_price=entry, stop_loss=stop, step=step)

    assert size.quantity * abs(entry - stop) <= capital * risk
    assert size.quantity % step == 0
    assert (size.quantity + step) * abs(entry - stop) > capital * risk
