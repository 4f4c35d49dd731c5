"""The gate's arithmetic, beside a second library and beside loops."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from signals.engine.candidates import CANDIDATES, TREND_KIND, candidate_of
from signals.engine.evidence import (
    NOTHING,
    PROVEN_ERRORS,
    Measured,
    SignalKind,
    Standing,
    cost_in_r,
    measure,
    running,
    shrink,
    standing,
    verdict,
    week_of,
)

SECOND = replace(TREND_KIND, group="trend_following")


def drawn(seed: int, n: int = 200, weeks: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    week = np.sort(rng.integers(0, weeks, n))
    return rng.standard_normal(weeks)[week] + rng.standard_t(4, n), week


@pytest.mark.parametrize("seed", range(3))
def test_the_error_is_that_of_a_regression_with_clusters(seed: int) -> None:
    r, week = drawn(seed)
    fit = sm.OLS(r, np.ones(len(r))).fit(
        cov_type="cluster", cov_kwds={"groups": week, "use_correction": True, "df_correction": False}
    )
    found = measure(r, week)
    assert found.mean == pytest.approx(fit.params[0])
    # statsmodels also multiplies by (n - 1) / (n - 1 parameter), which is 1 here.
    assert found.standard_error == pytest.approx(fit.bse[0])
    assert (found.n, found.weeks) == (200, len(np.unique(week)))


def test_the_running_figures_are_those_of_each_beginning() -> None:
    r, week = drawn(5, n=60, weeks=12)
    weeks, mean, error = running(r, week)
    for n in range(1, len(r) + 1):
        expected = measure(r[:n], week[:n])
        assert weeks[n - 1] == expected.weeks
        assert mean[n - 1] == pytest.approx(expected.mean)
        assert error[n - 1] == pytest.approx(expected.standard_error, nan_ok=True)


def test_nothing_and_one_week_have_no_error() -> None:
    assert measure([], []) == NOTHING or measure([], []).n == 0
    assert np.isnan(measure([1.0, 2.0], [3, 3]).standard_error)
    assert measure([1.0, np.nan, 3.0], [1, 2, 3]).n == 2
    with pytest.raises(ValueError, match="infinite"):
        measure([np.inf], [1])
    with pytest.raises(ValueError, match="one week a trade"):
        measure([1.0], [1, 2])


def test_weeks_begin_at_multiples_of_seven_days() -> None:
    assert week_of([0, 7 * 86_400_000 - 1, 7 * 86_400_000]).tolist() == [0, 0, 1]


def test_kinds_that_do_not_differ_are_drawn_to_their_common_mean() -> None:
    known = {TREND_KIND: Measured(100, 50, 0.2, 0.1), SECOND: Measured(100, 50, 0.1, 0.1)}
    shrunk = shrink(known)
    assert shrunk[TREND_KIND].mean == pytest.approx(0.15)
    assert shrunk[SECOND].mean == pytest.approx(0.15)
    assert shrunk[TREND_KIND].standard_error == pytest.approx(0.1 / np.sqrt(2))


def test_the_less_is_known_of_a_kind_the_further_it_is_drawn() -> None:
    third = replace(TREND_KIND, group="mean_reversion")
    known = {
        TREND_KIND: Measured(100, 50, 1.0, 0.4),
        SECOND: Measured(900, 50, 0.5, 0.05),
        third: Measured(900, 50, -0.5, 0.05),
    }
    shrunk = shrink(known)
    assert 1.0 - shrunk[TREND_KIND].mean > 0.5 - shrunk[SECOND].mean > 0
    assert shrunk[third].mean > -0.5


def test_a_kind_alone_in_its_group_and_one_without_an_error_stay_as_they_are() -> None:
    forex = replace(TREND_KIND, asset_class="forex")
    known = {TREND_KIND: Measured(100, 50, 0.2, 0.1), forex: Measured(9, 5, 0.9, 0.3), SECOND: NOTHING}
    shrunk = shrink(known)
    assert shrunk[TREND_KIND] == known[TREND_KIND]
    assert shrunk[forex] == known[forex]
    assert shrunk[SECOND].n == 0


@pytest.mark.parametrize(
    ("measured", "registered", "expected"),
    [
        (Measured(29, 25, 9.0, 0.1), True, Standing.TOO_FEW),
        (Measured(90, 19, 9.0, 0.1), True, Standing.TOO_FEW),
        (NOTHING, True, Standing.TOO_FEW),
        (Measured(90, 40, PROVEN_ERRORS * 0.1 + 0.001, 0.1), False, Standing.PROVEN),
        (Measured(90, 40, PROVEN_ERRORS * 0.1 - 0.001, 0.1), False, Standing.UNPROVEN),
        (Measured(90, 40, 0.101, 0.1), True, Standing.PROMISING),
        (Measured(90, 40, 0.101, 0.1), False, Standing.UNPROVEN),
        (Measured(90, 40, 0.099, 0.1), True, Standing.UNPROVEN),
    ],
)
def test_what_a_kind_is_by_its_figures(measured: Measured, registered: bool, expected: Standing) -> None:
    assert standing(measured, registered=registered) is expected


def test_a_verdict_says_which_bound_holds_with_mean_interval_and_n() -> None:
    found = verdict(Standing.PROMISING, Measured(216, 90, 0.45, 0.24), cost_r=0.04)
    assert found.publishes
    assert found.reason == "promising, not proven: mean +0.45 R [-0.02, +0.92], n 216"


@pytest.mark.parametrize(
    ("held", "cost", "why"),
    [
        (Standing.UNPROVEN, 0.04, "abstained: not proven to earn its costs: mean -0.13 R"),
        (Standing.TOO_FEW, 0.04, "abstained: 216 outcomes in 90 weeks, at least 30 in 20 weeks"),
        (Standing.PROVEN, 0.061, "abstained: a round trip costs 0.061 R, 0.06 R is allowed"),
        (Standing.PROVEN, float("nan"), "abstained: a round trip costs nan R"),
    ],
)
def test_a_verdict_says_why_it_abstains(held: Standing, cost: float, why: str) -> None:
    found = verdict(held, Measured(216, 90, -0.13, 0.02), cost_r=cost)
    assert not found.publishes
    assert found.reason.startswith(why)


def test_costs_are_counted_in_the_planned_risk() -> None:
    assert cost_in_r(round_trip_cost=0.0024, entry_price=100, stop_loss=94) == pytest.approx(0.04)
    assert cost_in_r(round_trip_cost=0.0024, entry_price=100, stop_loss=100) == float("inf")


def test_candidates_are_found_by_their_kind_alone() -> None:
    assert candidate_of(TREND_KIND) is CANDIDATES[0]
    assert candidate_of(SignalKind("hybrid", "momentum", "short", TREND_KIND.plan, "crypto")) is None


def test_what_costs_just_the_limit_passes_at_every_price() -> None:
    for price in (0.123, 0.5, 2.5, 100.0, 65_000.0):
        cost = cost_in_r(round_trip_cost=0.0024, entry_price=price, stop_loss=0.96 * price)
        assert verdict(Standing.PROVEN, Measured(30, 20, 0.1, 0.01), cost_r=cost).publishes
