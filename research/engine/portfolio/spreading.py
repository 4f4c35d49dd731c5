"""Weights that need no expected returns: even, by volatility, by risk, by kinship."""

from typing import Any

import numpy as np
import numpy.typing as npt

from research.engine.portfolio.inputs import checked_covariance
from signals.engine.candle import FloatArray

ROUNDS = 10_000
EVEN = 1e-12


def equal_weights(assets: int) -> FloatArray:
    return np.full(assets, 1 / assets)


def inverse_volatility(covariance: Any) -> FloatArray:
    deviations = np.sqrt(_moving(covariance).diagonal())
    return (1 / deviations) / (1 / deviations).sum()


def risk_contributions(weights: npt.ArrayLike, covariance: Any) -> FloatArray:
    """Share of each asset in the portfolio's variance, of sum 1; ValueError without any variance."""
    spread = checked_covariance(covariance)
    each = np.asarray(weights, dtype=np.float64)
    shares = each * (spread @ each)
    if not shares.sum() > 0:
        raise ValueError("covariance: the portfolio has no variance to share out")
    return shares / shares.sum()


def risk_parity(covariance: Any, budgets: npt.ArrayLike | None = None) -> FloatArray:
    """Positive weights whose `risk_contributions` are `budgets` (positive; equal where not given).

    Source: Griveau-Billion, Richard and Roncalli, A Fast Algorithm for Computing High-Dimensional Risk Parity
    Portfolios (2013). ValueError where they cannot be had: assets that cancel each other's risk.
    """
    spread = _moving(covariance)
    assets = len(spread)
    budget = equal_weights(assets) if budgets is None else np.asarray(budgets, dtype=np.float64)
    if budget.shape != (assets,) or not (np.isfinite(budget) & (budget > 0)).all():
        raise ValueError(f"budgets must be {assets} positive numbers")
    budget = budget / budget.sum()
    own = spread.diagonal()
    weights = 1 / np.sqrt(own)
    for _ in range(ROUNDS):
        for asset in range(assets):
            others = spread[asset] @ weights - own[asset] * weights[asset]
            weights[asset] = (np.sqrt(others**2 + 4 * own[asset] * budget[asset]) - others) / (2 * own[asset])
        if np.abs(weights * (spread @ weights) - budget).max() < EVEN:
            return weights / weights.sum()
    raise ValueError(
        f"covariance: no weights with equal risk found in {ROUNDS} rounds; do assets cancel out?"
    )


def hierarchical_risk_parity(covariance: Any) -> FloatArray:
    """Weights split down a tree of kinship, at each branch inversely to the variance of its two halves.

    Single linkage over sqrt((1 - correlation) / 2), the leaves in the order that puts kin side by side. Source: López
    de Prado, Building Diversified Portfolios that Outperform Out of Sample (2016).
    """
    from scipy.cluster.hierarchy import leaves_list, linkage  # noqa: PLC0415  (heavy, in workers only)

    spread = _moving(covariance)
    if len(spread) == 1:
        return np.ones(1)
    deviations = np.sqrt(spread.diagonal())
    correlation = np.clip(spread / np.outer(deviations, deviations), -1, 1)
    distance = np.sqrt((1 - correlation) / 2)
    tree = linkage(distance[np.triu_indices(len(spread), 1)], method="single", optimal_ordering=True)
    weights, waiting = np.ones(len(spread)), [leaves_list(tree)]
    while waiting:
        cluster = waiting.pop()
        if len(cluster) == 1:
            continue
        halves = cluster[: len(cluster) // 2], cluster[len(cluster) // 2 :]
        first, second = (_cluster_variance(spread, half) for half in halves)
        share = second / (first + second)
        weights[halves[0]] *= share
        weights[halves[1]] *= 1 - share
        waiting.extend(halves)
    return weights


def _cluster_variance(spread: FloatArray, members: npt.NDArray[np.intp]) -> float:
    """Of the members, weighted inversely to their own variances."""
    inside = spread[np.ix_(members, members)]
    weights = 1 / inside.diagonal()
    weights = weights / weights.sum()
    return float(weights @ inside @ weights)


def _moving(covariance: Any) -> FloatArray:
    spread = checked_covariance(covariance)
    still = np.flatnonzero(spread.diagonal() <= 0)
    if len(still):
        raise ValueError(f"covariance: asset {int(still[0])} has no variance, so risk cannot be shared out")
    return spread
