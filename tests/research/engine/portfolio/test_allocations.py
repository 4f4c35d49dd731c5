"""Estimates and allocations against scikit-learn, skfolio, NumPy and their definitions."""

import numpy as np
import pytest
from skfolio import RiskMeasure
from skfolio.cluster import HierarchicalClustering, LinkageMethod
from skfolio.distance import PearsonDistance
from skfolio.optimization import HierarchicalRiskParity, MeanRisk, RiskBudgeting
from skfolio.seriation import HierarchicalSeriation
from sklearn.covariance import ledoit_wolf as theirs

from research.engine.portfolio import (
    View,
    black_litterman,
    estimate,
    hierarchical_risk_parity,
    inverse_volatility,
    least_conditional_value_at_risk,
    risk_contributions,
    risk_parity,
    signal_view,
)

RNG = np.random.default_rng(3)
RECORD = RNG.normal(0.0005, 0.01, (250, 7)) @ RNG.normal(0, 1, (7, 7)) + RNG.normal(0, 0.01, (250, 1))
COVARIANCE = np.cov(RECORD, rowvar=False)


@pytest.mark.parametrize("shape", [(250, 7), (3, 10), (12, 12), (2, 4)])
def test_shrinkage_is_that_of_scikit_learn(shape: tuple[int, int]) -> None:
    record = np.random.default_rng(4).normal(0, 0.02, shape) + np.random.default_rng(5).normal(
        0, 0.01, (shape[0], 1)
    )

    mean, covariance = estimate(record)

    assert mean == pytest.approx(record.mean(axis=0))
    assert covariance == pytest.approx(theirs(record)[0], rel=1e-9, abs=1e-15)
    assert shape[0] == 2 or np.linalg.eigvalsh(covariance)[0] > 0  # two periods tell nothing of their noise


def test_without_shrinking_it_is_the_sample_and_needs_more_periods_than_assets() -> None:
    assert estimate(RECORD, shrink=False)[1] == pytest.approx(COVARIANCE)
    for periods in (7, 3):
        with pytest.raises(ValueError, match="unless shrunk"):
            estimate(RECORD[:periods], shrink=False)
    with pytest.raises(ValueError, match="too few"):
        estimate(RECORD[:1])
    with pytest.raises(ValueError, match="finite"):
        estimate(np.full((5, 2), np.nan))


def test_hierarchical_risk_parity_agrees_with_skfolio() -> None:
    single = HierarchicalClustering(linkage_method=LinkageMethod.SINGLE)
    kinship = HierarchicalSeriation(hierarchical_clustering_estimator=single)
    model = HierarchicalRiskParity(
        risk_measure=RiskMeasure.VARIANCE, distance_estimator=PearsonDistance(), seriation_estimator=kinship
    )

    found = hierarchical_risk_parity(COVARIANCE)

    assert found.sum() == pytest.approx(1)
    assert found == pytest.approx(model.fit(RECORD).weights_)


def test_hierarchical_risk_parity_of_two_and_of_pairs_by_hand() -> None:
    assert hierarchical_risk_parity(np.diag([0.01, 0.04])) == pytest.approx([0.8, 0.2])
    pairs = np.array([[4, 3.6, 0, 0], [3.6, 4, 0, 0], [0, 0, 1, 0.9], [0, 0, 0.9, 1]])
    # Within each pair halves; the pairs' variances are 3.8 and 0.95.
    share = 3.8 / 4.75

    assert hierarchical_risk_parity(pairs) == pytest.approx([(1 - share) / 2] * 2 + [share / 2] * 2)
    mixed = pairs[np.ix_([0, 2, 1, 3], [0, 2, 1, 3])]
    assert hierarchical_risk_parity(mixed) == pytest.approx(
        [(1 - share) / 2, share / 2, (1 - share) / 2, share / 2]
    )
    assert hierarchical_risk_parity([[0.3]]).tolist() == [1]


def test_risk_parity_spreads_the_risk_by_its_budgets_and_agrees_with_skfolio() -> None:
    budgets = np.arange(1, 8) / 28

    assert risk_contributions(risk_parity(COVARIANCE), COVARIANCE) == pytest.approx(np.full(7, 1 / 7))
    assert risk_contributions(risk_parity(COVARIANCE, budgets), COVARIANCE) == pytest.approx(budgets)
    assert risk_parity(COVARIANCE) == pytest.approx(RiskBudgeting().fit(RECORD).weights_, abs=1e-4)


def test_risk_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(ValueError, match="asset 1 has no variance"):
        inverse_volatility(np.diag([0.1, 0.0]))
    with pytest.raises(ValueError, match="budgets"):
        risk_parity(COVARIANCE, np.zeros(7))
    with pytest.raises(ValueError, match="no variance to share"):
        risk_contributions([0.5, 0.5], [[1, -1], [-1, 1]])


def test_least_tail_loss_agrees_with_skfolio_and_its_definition() -> None:
    found = least_conditional_value_at_risk(RECORD, level=0.1)
    model = MeanRisk(risk_measure=RiskMeasure.CVAR, cvar_beta=0.9).fit(RECORD)

    def tail(weights: np.ndarray) -> float:
        return float(np.sort(RECORD @ weights)[:25].mean())

    assert tail(found) == pytest.approx(tail(model.weights_), abs=1e-6)
    rivals = np.random.default_rng(6).dirichlet(np.ones(7), 5_000)
    assert tail(found) >= max(tail(each) for each in rivals)
    assert found.sum() == pytest.approx(1)


def test_least_tail_loss_keeps_bounds_and_target() -> None:
    target = float(np.sort(RECORD.mean(axis=0))[-2])

    found = least_conditional_value_at_risk(RECORD, bounds=(0, 0.6), target_return=target * 0.9)

    assert found.max() <= 0.6 + 1e-12
    assert found @ RECORD.mean(axis=0) >= target * 0.9 - 1e-12
    with pytest.raises(ValueError, match="target_return"):
        least_conditional_value_at_risk(RECORD, target_return=1.0)
    with pytest.raises(ValueError, match="bounds"):
        least_conditional_value_at_risk(RECORD, bounds=(0, 0.1))


def test_views_move_expected_returns_by_the_rule_of_bayes() -> None:
    market, tau = np.full(7, 1 / 7), 0.05
    views = [View((1, 0, 0, -1, 0, 0, 0), 0.002, 1e-5), View((0, 0, 1, 0, 0, 0, 0), -0.001, 2e-5)]
    picks, omega = np.array([each.weights for each in views]), np.diag([1e-5, 2e-5])
    prior = 2.5 * COVARIANCE @ market
    precision = np.linalg.inv(tau * COVARIANCE) + picks.T @ np.linalg.inv(omega) @ picks
    expected = np.linalg.solve(
        precision,
        np.linalg.inv(tau * COVARIANCE) @ prior + picks.T @ np.linalg.inv(omega) @ np.array([0.002, -0.001]),
    )

    mean, covariance = black_litterman(COVARIANCE, market, views, tau=tau)

    assert mean == pytest.approx(expected)
    assert covariance == pytest.approx(COVARIANCE + np.linalg.inv(precision), abs=1e-12)
    assert black_litterman(COVARIANCE, market, [])[0] == pytest.approx(prior)


def test_a_surer_signal_moves_its_asset_further_and_a_short_one_down() -> None:
    market = np.full(7, 1 / 7)

    def moved(sign: int, probability: float) -> float:
        view = signal_view(
            asset=2, assets=7, sign=sign, probability=probability, gain=0.04, loss=0.02, periods=4
        )
        mean, _ = black_litterman(COVARIANCE, market, [view])
        return float((mean - black_litterman(COVARIANCE, market, [])[0])[2])

    assert moved(1, 0.7) > moved(1, 0.55) > 0 > moved(-1, 0.55) > moved(-1, 0.7)


def test_a_signal_is_a_bet_with_its_mean_and_variance() -> None:
    view = signal_view(asset=0, assets=2, sign=1, probability=0.6, gain=0.03, loss=0.02, periods=2)
    draws = np.where(np.random.default_rng(8).random(400_000) < 0.6, 0.03, -0.02) / 2

    assert view.expected_return == pytest.approx(draws.mean(), abs=1e-4)
    assert view.variance == pytest.approx(draws.var(), rel=0.01)
    assert view.weights == (1, 0)
    with pytest.raises(ValueError, match="probability"):
        signal_view(asset=0, assets=2, sign=1, probability=1.0, gain=0.03, loss=0.02)
