"""Markowitz: the portfolio of the least variance or the highest Sharpe ratio within bounds and targets."""

from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any

import numpy as np

from research.engine.portfolio.inputs import Bounds, Question, question
from research.engine.portfolio.solver import (
    highest_return,
    highest_return_at_least_variance,
    highest_sharpe,
    least_variance,
)
from signals.engine.candle import FloatArray
from signals.engine.performance.inputs import quotient

OBJECTIVES = ("min_variance", "max_sharpe", "target_return", "target_risk")
RISKLESS = 1e-14
SLACK = 1e-9
NEAR = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Portfolio:
    """weights in the order of the input, of sum 1; the rest in the input's units, per its period.

    sharpe_ratio: of the return above the risk-free one; infinite without any volatility, NaN without either.
    """

    weights: FloatArray
    expected_return: float
    volatility: float
    sharpe_ratio: float


def optimize(
    expected_returns: Any,
    covariance: Any,
    objective: str = "max_sharpe",
    risk_free: float = 0.0,
    bounds: Bounds = (0, 1),
    target_return: float | None = None,
    target_risk: float | None = None,
) -> Portfolio:
    """The best portfolio of assets, arrays or pandas, whose weights sum to 1.

    objective: min_variance; max_sharpe; target_return: the least variance of an expected return of `target_return` or
    more; target_risk: the highest return of a volatility of `target_risk` or less. Targets bound the other objectives
    as well where they are given. expected_returns, covariance, risk_free and targets are of one period. bounds: a pair
    for all weights or (n, 2); below 0 allows short positions. A singular covariance is answered.
    ValueError names what is wrong: not finite, of another shape, or a constraint that no portfolio keeps.
    Source: Markowitz and Todd, Mean-Variance Analysis in Portfolio Choice and Capital Markets (2000).
    """
    asked = question(expected_returns, covariance, bounds)
    _check(objective, risk_free, target_return, target_risk)
    least = _within_reach(asked, target_return, target_risk)
    if objective == "max_sharpe":
        return evaluated(asked, _best_ratio(asked, least, risk_free, target_return, target_risk), risk_free)
    if objective == "target_risk" and target_risk is not None:
        return evaluated(asked, _at_risk(asked, least, target_risk), risk_free)
    return evaluated(asked, least, risk_free)


def efficient_frontier(
    expected_returns: Any,
    covariance: Any,
    *,
    points: int = 20,
    risk_free: float = 0.0,
    bounds: Bounds = (0, 1),
) -> tuple[Portfolio, ...]:
    """Portfolios of least variance at evenly spaced returns, from the least variance of all to the highest return."""
    if points < 2:
        raise ValueError(f"points must be at least 2, not {points}")
    asked = question(expected_returns, covariance, bounds)
    first = evaluated(asked, least_variance(asked), risk_free)
    returns = np.linspace(first.expected_return, asked.highest(asked.expected_returns), points)[1:]
    return (
        first,
        *(evaluated(asked, least_variance(asked, float(each)), risk_free) for each in returns),
    )


def evaluated(asked: Question, weights: FloatArray, risk_free: float) -> Portfolio:
    """What weights promise by these expected returns and this covariance."""
    expected = float(weights @ asked.expected_returns)
    variance = float(weights @ asked.covariance @ weights)
    riskless = variance <= RISKLESS * float(np.diag(asked.covariance).max())
    volatility = 0.0 if riskless else sqrt(variance)
    return Portfolio(weights, expected, volatility, quotient(expected - risk_free, volatility))


def _check(objective: str, risk_free: float, target_return: float | None, target_risk: float | None) -> None:
    if objective not in OBJECTIVES:
        raise ValueError(f"objective must be one of {', '.join(OBJECTIVES)}, not {objective!r}")
    if not isfinite(risk_free):
        raise ValueError(f"risk_free must be finite, not {risk_free}")
    for name, value in (("target_return", target_return), ("target_risk", target_risk)):
        if value is None and objective == name:
            raise ValueError(f"{name} must be given for the objective {objective}")
        if value is not None and not isfinite(value):
            raise ValueError(f"{name} must be finite, not {value}")
    if target_risk is not None and target_risk < 0:
        raise ValueError(f"target_risk must not be negative, but is {target_risk}")


def _within_reach(asked: Question, target_return: float | None, target_risk: float | None) -> FloatArray:
    """Weights of the least variance that earn the target; ValueError where no portfolio keeps the targets."""
    highest = asked.highest(asked.expected_returns)
    if target_return is not None and target_return > highest + SLACK * abs(highest):
        raise ValueError(
            f"target_return {target_return:g} is above {highest:g}, the highest within the bounds"
        )
    least = least_variance(asked, None if target_return is None else min(target_return, highest))
    volatility = evaluated(asked, least, 0.0).volatility
    if target_risk is not None and target_risk < volatility * (1 - SLACK):
        why = "" if target_return is None else f" with target_return {target_return:g}"
        raise ValueError(
            f"target_risk {target_risk:g} is below {volatility:g}, the least within the bounds{why}"
        )
    return least


def _best_ratio(
    asked: Question,
    least: FloatArray,
    risk_free: float,
    target_return: float | None,
    target_risk: float | None,
) -> FloatArray:
    """The highest Sharpe ratio. Where it lies beyond the target risk, the ratio grows up to there."""
    if asked.expected_returns.max() <= risk_free:
        raise ValueError(
            f"risk_free {risk_free:g}: no expected return is above it, so no Sharpe ratio is positive"
        )
    highest = asked.highest(asked.expected_returns)
    if highest > risk_free:
        best = highest_sharpe(
            asked, risk_free, None if target_return is None else min(target_return, highest)
        )
        if target_risk is None or evaluated(asked, best, risk_free).volatility <= target_risk:
            return best
        best = _at_risk(asked, least, target_risk)
        highest = float(best @ asked.expected_returns)
        if highest > risk_free:
            return best
    raise ValueError(
        f"risk_free {risk_free:g}: no portfolio within bounds and targets earns more, {highest:g} is the highest"
    )


def _at_risk(asked: Question, least: FloatArray, risk: float) -> FloatArray:
    """The highest return within the target risk, and of several portfolios that earn it the one of least variance."""
    if evaluated(asked, least, 0.0).volatility >= risk * (1 - SLACK):
        return highest_return_at_least_variance(asked, least)
    boldest = least_variance(asked, asked.highest(asked.expected_returns))
    if evaluated(asked, boldest, 0.0).volatility <= risk:
        return boldest
    return _on_frontier(asked, risk, least, float(highest_return(asked, risk) @ asked.expected_returns))


def _on_frontier(asked: Question, risk: float, least: FloatArray, near: float) -> FloatArray:
    """The efficient weights whose volatility is `risk`, from the return that they earn nearly.

    Between two returns whose weights stand at the same bounds the frontier's weights lie on a line.
    """
    highest = asked.highest(asked.expected_returns)
    step = NEAR * (highest - float(least @ asked.expected_returns))
    first = least_variance(asked, near)
    second = least_variance(asked, near + step if near + step <= highest else near - step)
    moved = _at_volatility(asked, risk, first, second - first)
    outside = np.maximum(asked.lower - moved, moved - asked.upper).max()
    if outside < SLACK * NEAR and evaluated(asked, moved, 0.0).volatility <= risk * (1 + SLACK):
        return np.clip(moved, asked.lower, asked.upper)
    if evaluated(asked, first, 0.0).volatility <= risk:
        return first
    return _at_volatility(asked, risk, least, first - least)


def _at_volatility(asked: Question, risk: float, start: FloatArray, step: FloatArray) -> FloatArray:
    """start + share x step with a volatility of `risk`: the nearest share that is possible, at most 1."""
    spread = asked.covariance
    square, cross = float(step @ spread @ step), float(start @ spread @ step)
    constant = float(start @ spread @ start) - risk**2
    root = sqrt(max(cross**2 - square * constant, 0.0))
    below = cross + root if cross >= 0 else cross - root
    share = -constant / below if below else 1.0
    return start + min(share, 1.0) * step
