"""Measures against worked examples and sums by hand."""

from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals.engine.performance import expectancy, profit_factor, r_multiple, win_rate

RESULTS = st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), min_size=1)


def test_a_bag_of_marbles_has_the_expectancy_that_tharp_reckons() -> None:
    """Van Tharp's marble game: 70 % lose 1R, 10 % lose 5R, 20 % win 10R; expectancy 0.8 R."""
    bag = [-1.0] * 7 + [-5.0] + [10.0] * 2

    assert expectancy(bag) == pytest.approx(0.8)
    assert win_rate(bag) == pytest.approx(0.2)
    assert profit_factor(bag) == pytest.approx(20 / 12)


@settings(deadline=None)
@given(RESULTS)
def test_measures_agree_with_sums_by_hand(results: list[float]) -> None:
    gains, losses = sum(r for r in results if r > 0), -sum(r for r in results if r < 0)

    assert win_rate(results) == pytest.approx(len([r for r in results if r > 0]) / len(results))
    assert expectancy(results) == pytest.approx((gains - losses) / len(results), rel=1e-9, abs=1e-6)
    if losses:
        assert profit_factor(results) == pytest.approx(gains / losses)


@pytest.mark.parametrize("measure", [win_rate, expectancy, profit_factor])
def test_no_finished_trade_is_nan_rather_than_zero(measure: object) -> None:
    assert isnan(measure([]))  # type: ignore[operator]
    assert isnan(measure([nan, nan]))  # type: ignore[operator]


@pytest.mark.parametrize("measure", [win_rate, expectancy, profit_factor])
def test_an_unfinished_trade_is_left_out(measure: object) -> None:
    assert measure([2.0, nan, -1.0, 3.0]) == measure([2.0, -1.0, 3.0])  # type: ignore[operator]


def test_a_trade_that_ends_at_zero_is_no_win_and_no_loss() -> None:
    assert win_rate([0.0, 1.0]) == 0.5
    assert isnan(profit_factor([0.0]))


def test_gains_without_a_loss_have_an_infinite_profit_factor() -> None:
    assert profit_factor([1.0, 2.0]) == inf


@pytest.mark.parametrize(
    ("entry", "leave", "stop", "fees", "expected"),
    [
        (100.0, 110.0, 95.0, 0.0, 2.0),
        (100.0, 95.0, 95.0, 0.0, -1.0),
        (100.0, 90.0, 105.0, 0.0, 2.0),
        (100.0, 105.0, 105.0, 0.5, -1.1),
        (100.0, 110.0, 95.0, 0.5, 1.9),
    ],
)
def test_r_is_the_result_in_units_of_what_the_stop_would_have_lost(
    entry: float, leave: float, stop: float, fees: float, expected: float
) -> None:
    assert r_multiple(entry, leave, stop, fees) == pytest.approx(expected)


def test_r_of_a_trade_without_risk_is_not_a_number() -> None:
    assert np.isnan(r_multiple([100.0], [110.0], [100.0])).all()


@pytest.mark.parametrize(("bad", "message"), [([inf], "infinite"), ([[1.0]], "1-D")])
def test_what_no_record_can_hold_is_refused(bad: list[object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expectancy(bad)  # type: ignore[arg-type]
