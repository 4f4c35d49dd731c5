"""Markowitz and Todd's example, skfolio, every small portfolio by brute force, and what cannot be had."""

from itertools import product
from math import inf, isnan, nan, sqrt

import numpy as np
import pandas as pd
import pytest
from skfolio import RiskMeasure
from skfolio.optimization import MeanRisk, ObjectiveFunction

from research.engine.portfolio import Portfolio, efficient_frontier, optimize

# Markowitz and Todd (2000), as printed by Bailey and López de Prado, An Open-Source Implementation of the
# Critical-Line Algorithm for Portfolio Optimization (2013), tables 1 and 2.
MEAN = np.array([1.175, 1.19, 0.396, 1.12, 0.346, 0.679, 0.089, 0.73, 0.481, 1.08])
LOWER = [
    [0.40755159],
    [0.03175842, 0.9063047],
    [0.05183923, 0.03136385, 0.19490901],
    [0.05663904, 0.02687256, 0.04408485, 0.19528471],
    [0.0330226, 0.01917172, 0.03006772, 0.02777345, 0.34059105],
    [0.00827775, 0.00934384, 0.01322738, 0.00526665, 0.00777055, 0.15983874],
    [0.02165938, 0.02495043, 0.03525971, 0.01375808, 0.02067844, 0.02105575, 0.68056711],
    [0.01332419, 0.00761036, 0.0115493, 0.00780878, 0.00736409, 0.00518686, 0.01377882, 0.95526918],
    [0.0343476, 0.02874874, 0.0427563, 0.02914176, 0.02542657, 0.01723737, 0.04627027, 0.0106553, 0.31681584],
    [
        *(0.02249903, 0.01336866, 0.02057303, 0.01640377, 0.01284075),
        *(0.00723779, 0.01926088, 0.00760955, 0.01854318, 0.11079287),
    ],
]
HALF = np.array([row + [0.0] * (10 - len(row)) for row in LOWER])
COVARIANCE = HALF + HALF.T - np.diag(np.diag(HALF))
# Return, risk and weights at the corners of the frontier, as published.
CORNERS = [
    (1.180, 0.546, [0.649, 0.351, 0, 0, 0, 0, 0, 0, 0, 0]),
    (1.160, 0.417, [0.434, 0.231, 0, 0.335, 0, 0, 0, 0, 0, 0]),
    (1.111, 0.267, [0.127, 0.072, 0, 0.281, 0, 0, 0, 0, 0, 0.520]),
    (1.108, 0.265, [0.123, 0.070, 0, 0.279, 0, 0, 0, 0.006, 0, 0.521]),
    (1.022, 0.230, [0.087, 0.050, 0, 0.224, 0, 0.174, 0, 0.030, 0, 0.435]),
    (1.015, 0.228, [0.085, 0.049, 0, 0.220, 0, 0.180, 0, 0.031, 0.006, 0.429]),
    (0.973, 0.220, [0.074, 0.044, 0, 0.199, 0.026, 0.198, 0, 0.033, 0.028, 0.398]),
    (0.950, 0.216, [0.068, 0.041, 0.015, 0.188, 0.034, 0.202, 0, 0.034, 0.034, 0.383]),
    (0.803, 0.205, [0.037, 0.027, 0.095, 0.126, 0.077, 0.219, 0.030, 0.036, 0.061, 0.292]),
]


def test_the_best_sharpe_ratio_of_the_example_is_as_published() -> None:
    found = optimize(MEAN, COVARIANCE)

    assert found.sharpe_ratio == pytest.approx(4.4535, abs=5e-5)
    assert found.volatility == pytest.approx(0.2274, abs=5e-5)
    assert found.weights.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("expected_return", "risk", "weights"), CORNERS)
def test_corners_of_the_example_are_as_published(
    expected_return: float, risk: float, weights: list[float]
) -> None:
    by_return = optimize(MEAN, COVARIANCE, "target_return", target_return=expected_return)
    by_risk = optimize(MEAN, COVARIANCE, "target_risk", target_risk=max(risk, 0.20524))

    assert by_return.volatility == pytest.approx(risk, abs=3e-3)
    assert by_return.weights == pytest.approx(weights, abs=8e-3)
    assert by_risk.expected_return == pytest.approx(expected_return, abs=8e-3)


def test_least_variance_of_the_example_is_as_published() -> None:
    found = optimize(MEAN, COVARIANCE, "min_variance")

    assert found.weights == pytest.approx(CORNERS[-1][2], abs=5e-4)
    assert found.volatility == pytest.approx(0.205, abs=5e-4)


def test_weights_satisfy_the_conditions_of_an_optimum_exactly() -> None:
    """At the best Sharpe ratio all assets that are held pay the same for their risk, the others less."""
    found = optimize(MEAN, COVARIANCE)
    pay = MEAN - found.expected_return * (COVARIANCE @ found.weights) / found.volatility**2
    held = found.weights > 1e-9

    assert pay[held] == pytest.approx(np.zeros(int(held.sum())), abs=1e-9)
    assert (pay[~held] < 0).all()
    assert (found.weights[~held] == 0).all()


RECORD = np.random.default_rng(1).normal(0.001, 0.02, (300, 6)) @ np.random.default_rng(2).normal(
    0, 1, (6, 6)
)


@pytest.mark.parametrize("bounds", [(0, 1), (-0.5, 1), (0.05, 0.4)])
def test_agrees_with_skfolio(bounds: tuple[float, float]) -> None:
    mean, covariance = RECORD.mean(axis=0), np.cov(RECORD, rowvar=False)

    for objective, theirs in (
        ("min_variance", ObjectiveFunction.MINIMIZE_RISK),
        ("max_sharpe", ObjectiveFunction.MAXIMIZE_RATIO),
    ):
        model = MeanRisk(
            objective_function=theirs,
            risk_measure=RiskMeasure.VARIANCE,
            min_weights=bounds[0],
            max_weights=bounds[1],
        )

        found = optimize(mean, covariance, objective, bounds=bounds)

        assert found.weights == pytest.approx(model.fit(RECORD).weights_, abs=5e-4)


def small_portfolios(lower: float, upper: float, step: float = 0.01) -> np.ndarray:
    grid = np.arange(lower, upper + step / 2, step)
    weights = np.array([(a, b, 1 - a - b) for a, b in product(grid, grid)])
    return weights[(weights[:, 2] >= lower - 1e-9) & (weights[:, 2] <= upper + 1e-9)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-0.3, 0.8)])
def test_no_portfolio_of_a_fine_grid_is_better(seed: int, bounds: tuple[float, float]) -> None:
    rng = np.random.default_rng(seed)
    mean, root = rng.normal(0.05, 0.1, 3), rng.normal(0, 0.2, (3, 3))
    covariance, grid = root @ root.T, small_portfolios(*bounds)
    returns, risks = grid @ mean, np.sqrt(np.einsum("ij,jk,ik->i", grid, covariance, grid))

    least = optimize(mean, covariance, "min_variance", bounds=bounds)
    assert least.volatility <= risks.min() + 1e-12
    assert least.volatility == pytest.approx(risks.min(), rel=0.02)
    target = float(np.quantile(returns, 0.8))
    steady = optimize(mean, covariance, "target_return", bounds=bounds, target_return=target)
    assert steady.volatility <= risks[returns >= target].min() + 1e-12
    assert steady.expected_return >= target - 1e-12
    limit = float(np.quantile(risks, 0.5))
    bold = optimize(mean, covariance, "target_risk", bounds=bounds, target_risk=limit)
    assert bold.expected_return >= returns[risks <= limit].max() - 1e-9
    assert bold.volatility <= limit * (1 + 1e-9)
    if mean.max() > 0:
        best = optimize(mean, covariance, bounds=bounds)
        assert best.sharpe_ratio >= (returns / risks).max() - 1e-9


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e4])
def test_units_do_not_matter(scale: float) -> None:
    found = optimize(MEAN * scale, COVARIANCE * scale**2, risk_free=0.2 * scale)

    assert found.weights == pytest.approx(optimize(MEAN, COVARIANCE, risk_free=0.2).weights, abs=1e-8)
    assert found.expected_return == pytest.approx(scale * float(found.weights @ MEAN))


def test_targets_bound_the_other_objectives_as_well() -> None:
    free = optimize(MEAN, COVARIANCE)

    bound = optimize(MEAN, COVARIANCE, target_risk=0.21)
    pushed = optimize(MEAN, COVARIANCE, target_return=1.1)

    assert bound.volatility == pytest.approx(0.21, abs=1e-7)
    assert pushed.expected_return == pytest.approx(1.1, abs=1e-9)
    assert max(bound.sharpe_ratio, pushed.sharpe_ratio) < free.sharpe_ratio
    assert optimize(MEAN, COVARIANCE, target_risk=1.0).weights == pytest.approx(free.weights, abs=1e-5)


def test_pandas_are_read_by_name_and_answered_in_the_order_of_the_returns() -> None:
    names = [f"asset {number}" for number in range(10)]
    mean, spread = pd.Series(MEAN, names), pd.DataFrame(COVARIANCE, names, names)

    found = optimize(mean, spread.loc[names[::-1], names[::-1]])

    assert isinstance(found.weights, np.ndarray)
    assert found.weights == pytest.approx(optimize(MEAN, COVARIANCE).weights)
    with pytest.raises(ValueError, match="name different assets"):
        optimize(mean.rename({"asset 0": "other"}), spread)


def test_two_assets_with_bounds_of_their_own() -> None:
    found = optimize([0.1, 0.2], [[1.0, 0.3], [0.3, 1.0]], "min_variance", bounds=[(0.6, 1), (0, 1)])

    assert found.weights == pytest.approx([0.6, 0.4], abs=1e-12)


def test_one_asset_is_the_portfolio() -> None:
    found = optimize([0.1], [[0.04]])

    assert found.weights.tolist() == [1]
    assert found.sharpe_ratio == pytest.approx(0.5)


@pytest.mark.parametrize("objective", ["min_variance", "max_sharpe", "target_return", "target_risk"])
def test_a_singular_covariance_is_answered(objective: str) -> None:
    twins = np.array([[0.04, 0.04, 0.01], [0.04, 0.04, 0.01], [0.01, 0.01, 0.09]])

    found = optimize([0.1, 0.1, 0.2], twins, objective, target_return=0.15, target_risk=0.25)

    assert found.weights.sum() == pytest.approx(1, abs=1e-12)
    assert found.weights[0] == pytest.approx(found.weights[1], abs=1e-6)
    assert found.expected_return >= 0.15 - 1e-9
    assert found.volatility <= 0.25 + 1e-9


def test_three_periods_of_ten_assets_are_answered() -> None:
    record = np.random.default_rng(5).normal(0.01, 0.1, (3, 10))

    found = optimize(record.mean(axis=0), np.cov(record, rowvar=False), "min_variance")

    assert found.volatility == pytest.approx(0, abs=1e-8)
    assert found.weights.sum() == pytest.approx(1, abs=1e-12)


def test_a_riskless_gain_has_an_infinite_sharpe_ratio_and_nothing_at_all_none() -> None:
    hedge = [[0.04, -0.04], [-0.04, 0.04]]

    assert optimize([0.1, 0.1], hedge).sharpe_ratio == inf
    assert optimize([0.1, 0.1], hedge).weights == pytest.approx([0.5, 0.5])
    assert isnan(optimize([0.1, 0.1], hedge, "min_variance", risk_free=0.1).sharpe_ratio)
    assert optimize([0.1, 0.2], np.zeros((2, 2)), "target_risk", target_risk=0.0).weights.tolist() == [0, 1]


def test_of_assets_that_earn_the_same_the_calmest_mix_reaches_the_return() -> None:
    found = optimize([0.1, 0.1, 0.05], np.diag([0.04, 0.01, 0.0025]), "target_return", target_return=0.1)

    assert found.weights == pytest.approx([0.2, 0.8, 0])


def test_the_frontier_runs_from_the_least_variance_to_the_highest_return() -> None:
    found = efficient_frontier(MEAN, COVARIANCE, points=12)

    assert found[0].weights == pytest.approx(optimize(MEAN, COVARIANCE, "min_variance").weights)
    assert found[-1].expected_return == pytest.approx(1.19)
    assert np.diff([each.expected_return for each in found]) == pytest.approx(
        (1.19 - 0.8032153598765337) / 11
    )
    risks = np.array([each.volatility for each in found])
    assert (np.diff(risks) > 0).all()
    assert (np.diff(risks, 2) > 0).all()


def test_numbers_of_a_portfolio_are_those_of_its_weights() -> None:
    found: Portfolio = optimize(MEAN, COVARIANCE, "min_variance", risk_free=0.1)

    assert found.expected_return == pytest.approx(float(found.weights @ MEAN))
    assert found.volatility == pytest.approx(sqrt(found.weights @ COVARIANCE @ found.weights))
    assert found.sharpe_ratio == pytest.approx((found.expected_return - 0.1) / found.volatility)


TWO = [[0.04, 0.0], [0.0, 0.09]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([-0.1, -0.2], TWO), "risk_free 0: no expected return is above it"),
        (([0.1, 0.2], TWO, "max_sharpe", 0.2), "risk_free 0.2: no expected return"),
        (
            ([0.1, -0.2], TWO, "max_sharpe", 0.0, [(0, 0.3), (0, 1)]),
            "risk_free 0: no portfolio within bounds",
        ),
        (([0.1, 0.2], TWO, "min_variance", 0.0, (0, 0.4)), "bounds: the upper ones sum to 0.8"),
        (([0.1, 0.2], TWO, "min_variance", 0.0, (0.6, 1)), "bounds: the lower ones sum to 1.2"),
        (([0.1, 0.2], TWO, "min_variance", 0.0, [(0, 1), (0.5, 0.4)]), "bounds: the lower one of asset 1"),
        (([0.1, 0.2], TWO, "min_variance", 0.0, [(0, 1)] * 3), "bounds must be a pair or of shape"),
        (([0.1, 0.2], TWO, "min_variance", 0.0, (0, nan)), "bounds must be finite"),
        (([0.1, nan], TWO), "expected_returns must be finite"),
        (([0.1, 0.2], [[0.04, inf], [inf, 0.09]]), "covariance must be finite"),
        (([0.1, 0.2], [[0.04, 0.01], [0.0, 0.09]]), "covariance must be symmetric"),
        (([0.1, 0.2], [[0.04, 0.1], [0.1, 0.09]]), "covariance must be positive semidefinite"),
        (([0.1, 0.2, 0.3], TWO), "covariance is of 2 assets"),
        (([0.1, 0.2], [0.04, 0.09]), "covariance must be square"),
        (([[0.1, 0.2]], TWO), "expected_returns must be 1-D"),
        (([], np.zeros((0, 0))), "expected_returns must be 1-D"),
        (([0.1, 0.2], TWO, "target_return"), "target_return must be given"),
        (([0.1, 0.2], TWO, "target_risk"), "target_risk must be given"),
        (([0.1, 0.2], TWO, "target_return", 0.0, (0, 1), 0.21), "target_return 0.21 is above 0.2"),
        (([0.1, 0.2], TWO, "target_return", 0.0, (0, 1), nan), "target_return must be finite"),
        (([0.1, 0.2], TWO, "target_risk", 0.0, (0, 1), None, 0.1), "target_risk 0.1 is below 0.16"),
        (
            ([0.1, 0.2], TWO, "target_risk", 0.0, (0, 1), 0.2, 0.2),
            "target_risk 0.2 is below 0.3, .* with target_return",
        ),
        (([0.1, 0.2], TWO, "target_risk", 0.0, (0, 1), None, -0.1), "target_risk must not be negative"),
        (([0.1, 0.2], TWO, "min_variance", inf), "risk_free must be finite"),
        (([0.1, 0.2], TWO, "best"), "objective must be one of"),
    ],
)
def test_what_no_portfolio_keeps_is_named(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        optimize(*arguments)  # type: ignore[arg-type]
