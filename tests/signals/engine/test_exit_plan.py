"""One plan for everybody who follows a signal: what it refuses, and where its stop stands."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals.engine.exit_plan import ExitPlan, PlanKind, fixed, managed, stops_along

PRICES = st.lists(st.floats(50, 200), min_size=2, max_size=40)


def walk(prices: list[float]) -> tuple[np.ndarray, np.ndarray]:
    closes = np.array(prices)
    return closes, np.abs(np.diff(closes, prepend=closes[0])) + 1.0


@given(prices=PRICES, sign=st.sampled_from([1, -1]), k=st.floats(0.5, 6))
def test_a_managed_stop_never_moves_away_from_the_price(prices: list[float], sign: int, k: float) -> None:
    closes, ranges = walk(prices)
    plan = managed(stop=closes[0] - sign * min(k, 40), trail_atr=k, longest_hold_bars=120)
    acting = stops_along(plan, sign=sign, closes=closes, ranges=ranges)
    assert (np.diff(acting) * sign >= 0).all()
    assert acting[0] == plan.stop


@given(prices=PRICES, at=st.integers(1, 39))
def test_the_stop_that_acts_in_a_bar_knows_nothing_of_that_bar(prices: list[float], at: int) -> None:
    closes, ranges = walk(prices)
    plan = managed(stop=closes[0] - 5, trail_atr=3.0, longest_hold_bars=120)
    known = stops_along(plan, sign=1, closes=closes, ranges=ranges)
    # Value i acts in the bar after row i: rows behind `at` may be anything.
    other, wild = closes.copy(), ranges.copy()
    other[at:], wild[at:] = other[at:] * 3, 0.1
    changed = stops_along(plan, sign=1, closes=other, ranges=wild)
    assert (changed[:at] == known[:at]).all()


def test_the_stop_follows_the_best_close_at_the_range_of_its_own_bar() -> None:
    plan = managed(stop=90.0, trail_atr=2.0, longest_hold_bars=5)
    acting = stops_along(plan, sign=1, closes=[100, 110, 105, 120], ranges=[5, 6, 3, np.nan])
    # 110 - 12, then the best close is still 110 at a range of 3, then a range that is not known moves nothing.
    assert acting.tolist() == [90, 98, 104, 104]


def test_a_short_trades_stop_is_mirrored() -> None:
    plan = managed(stop=110.0, trail_atr=2.0, longest_hold_bars=5)
    assert stops_along(plan, sign=-1, closes=[100, 90], ranges=[5, 5]).tolist() == [110, 100]


def test_a_fixed_stop_stands_still() -> None:
    plan = fixed(stop=95.0, target=110.0)
    assert stops_along(plan, sign=1, closes=[100, 108], ranges=[1, 1]).tolist() == [95, 95]


@pytest.mark.parametrize(
    "plan",
    [fixed(stop=95, target=110, longest_hold_bars=24), managed(stop=9, trail_atr=4, longest_hold_bars=120)],
)
def test_json_holds_all_of_a_plan(plan: ExitPlan) -> None:
    assert ExitPlan.from_json(plan.as_json()) == plan


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"kind": "fixed", "stop": 1.0}, "a fixed plan has a target"),
        ({"kind": "fixed", "stop": 1.0, "target": 2.0, "trail_atr": 3.0}, "no trailing stop"),
        ({"kind": "managed", "stop": 1.0, "trail_atr": 3.0}, "longest hold"),
        ({"kind": "managed", "stop": 1.0, "target": 2.0, "trail_atr": 3.0, "longest_hold_bars": 9}, "no target"),
        ({"kind": "managed", "stop": 0.0, "trail_atr": 3.0, "longest_hold_bars": 9}, "stop is 0.0"),
        ({"kind": "managed", "stop": 1.0, "trail_atr": 3.0, "longest_hold_bars": 0}, "at least 1"),
        ({"kind": "hopeful", "stop": 1.0, "target": 2.0}, "hopeful"),
    ],
)  # fmt: skip
def test_what_no_plan_says_is_refused(said: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        ExitPlan(**said)  # type: ignore[arg-type]


def test_levels_must_enclose_the_entry() -> None:
    plan = ExitPlan(PlanKind.FIXED, stop=95.0, target=110.0)
    plan.check(sign=1, entry_price=100.0)
    with pytest.raises(ValueError, match="does not protect"):
        plan.check(sign=-1, entry_price=100.0)
    with pytest.raises(ValueError, match="gains nothing"):
        plan.check(sign=1, entry_price=111.0)
