"""The only module that imports cvxpy, which takes seconds to load: imported when a portfolio is asked for, in workers.

The solver's answer is good to about 1e-8. `refined` makes it exact where the problem is quadratic: the weights that
stand at a bound are known by then, and the others follow from one system of equations.
"""

from math import sqrt

import numpy as np

from research.engine.portfolio.inputs import Question
from signals.engine.candle import FloatArray

NEAR = 1e-6
EXACT = 1e-10
BIT = 1e-13


def least_variance(asked: Question, target_return: float | None = None) -> FloatArray:
    """Weights of the smallest variance that are expected to earn `target_return` at least."""
    return _tidy(asked, _refined(asked, target_return, None, _solved(asked, target_return), 1.0))


def highest_sharpe(asked: Question, risk_free: float, target_return: float | None = None) -> FloatArray:
    """Weights of the highest ratio of return above `risk_free` to deviation.

    Solved for weights / return above `risk_free`, which makes it quadratic. Source: Cornuejols and Tütüncü,
    Optimization Methods in Finance (2007), section 8.2.
    """
    excess = asked.expected_returns - risk_free
    excess = excess / asked.highest(excess)
    found = _solved(asked, target_return, excess=excess)
    scale = 1 / float(excess @ found)
    return _tidy(asked, _refined(asked, target_return, excess, found * scale, scale))


def highest_return(asked: Question, target_risk: float) -> FloatArray:
    """Weights of the highest return at a deviation of `target_risk` at most; of several, one of them."""
    return _tidy(asked, _solved(asked, None, target_risk=target_risk))


def highest_return_at_least_variance(asked: Question, least: FloatArray) -> FloatArray:
    """Of all weights with the variance of `least`, those of the highest return; a singular covariance has several."""
    from scipy.optimize import linprog  # noqa: PLC0415  (as heavy as cvxpy)

    variance, size = _scales(asked)
    values, vectors = np.linalg.eigh(asked.covariance / variance)
    factor = vectors.T[values > BIT]
    if len(factor) == len(least):
        return least
    found = linprog(
        -asked.expected_returns / size,
        A_eq=np.vstack((np.ones(len(least)), factor)),
        b_eq=np.append(1.0, factor @ least),
        bounds=np.column_stack((asked.lower, asked.upper)),
    )
    return _tidy(asked, found.x) if found.success else least


def _solved(
    asked: Question,
    target_return: float | None,
    *,
    excess: FloatArray | None = None,
    target_risk: float | None = None,
) -> FloatArray:
    """Weights of the highest return within `target_risk` where it is given, else of the least variance."""
    import cvxpy  # noqa: PLC0415  (see the module's text)

    variance, size = _scales(asked)
    values, vectors = np.linalg.eigh(asked.covariance / variance)
    factor = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
    weights = cvxpy.Variable(len(asked.expected_returns))
    total = 1 if excess is None else cvxpy.Variable()
    constraints = [
        cvxpy.sum(weights) == total,
        weights >= asked.lower * total,
        weights <= asked.upper * total,
    ]
    if excess is not None:
        constraints.append(excess @ weights == 1)
    if target_return is not None:
        constraints.append((asked.expected_returns / size) @ weights >= target_return / size * total)
    if target_risk is None:
        objective = cvxpy.Minimize(cvxpy.sum_squares(factor @ weights))
    else:
        constraints.append(cvxpy.norm(factor @ weights) <= target_risk / sqrt(variance))
        objective = cvxpy.Minimize((-asked.expected_returns / size) @ weights)
    problem = cvxpy.Problem(objective, constraints)
    problem.solve(solver=cvxpy.CLARABEL)
    if weights.value is None:
        raise ValueError(f"bounds and targets: the solver finds no portfolio within them ({problem.status})")
    found: FloatArray = np.asarray(weights.value) / np.sum(weights.value)
    return found


def _scales(asked: Question) -> tuple[float, float]:
    """Sizes of a variance and of a return, so that the solver sees numbers near 1."""
    variance, size = float(np.diag(asked.covariance).mean()), float(np.abs(asked.expected_returns).max())
    return variance or 1.0, size or 1.0


def _refined(
    asked: Question, target_return: float | None, excess: FloatArray | None, found: FloatArray, total: float
) -> FloatArray:
    """`found` (weights x total) made exact; as it is where the constraints that hold it cannot be told."""
    assets = len(found)
    variance, size = _scales(asked)
    one = np.ones((assets, 1))
    quadratic = np.zeros((assets + 1, assets + 1))
    quadratic[:-1, :-1] = asked.covariance / variance
    equal = [np.append(one, -1.0)]
    equal.append(np.append(np.zeros(assets), 1.0) if excess is None else np.append(excess, 0.0))
    below = [
        np.hstack((np.eye(assets), -asked.upper[:, None])),
        np.hstack((-np.eye(assets), asked.lower[:, None])),
    ]
    if target_return is not None:
        below.append(np.append(-asked.expected_returns, target_return)[None, :] / size)
    exact = _active_set(
        quadratic, np.array(equal), np.array([0.0, 1.0]), np.vstack(below), np.append(found, total)
    )
    return exact[:-1] / exact[-1]


def _active_set(
    quadratic: FloatArray, equal: FloatArray, values: FloatArray, below: FloatArray, start: FloatArray
) -> FloatArray:
    """Minimum of x'Qx where `equal` x = values and `below` x <= 0, from a start near it; else the start itself."""
    size = len(start)
    active = below @ start > -NEAR * np.abs(start).max()
    for _ in range(2 * len(below)):
        held = np.vstack((equal, below[active]))
        system = np.block([[quadratic, held.T], [held, np.zeros((len(held), len(held)))]])
        right = np.concatenate((np.zeros(size), values, np.zeros(int(active.sum()))))
        answer = np.linalg.lstsq(system, right, rcond=None)[0]
        found, pull = answer[:size], answer[size + len(equal) :]
        tolerance = EXACT * np.abs(found).max()
        if np.abs(held @ found - right[size:]).max() > tolerance:
            return start
        broken = below @ found > tolerance
        if not broken.any() and _is_minimum(quadratic @ found, equal, below[active]):
            return found
        active = active | broken
        if not broken.any() and len(pull) and pull.min() < 0:
            active[np.flatnonzero(active)[int(pull.argmin())]] = False
    return start


def _is_minimum(gradient: FloatArray, equal: FloatArray, active: FloatArray) -> bool:
    """Whether the constraints that are reached, pushing inwards only, hold the point against its gradient."""
    from scipy.optimize import nnls  # noqa: PLC0415  (as heavy as cvxpy)

    left = nnls(np.vstack((equal, -equal, active)).T, -gradient)[1]
    return bool(left <= EXACT * max(float(np.abs(gradient).max()), 1.0))


def _tidy(asked: Question, found: FloatArray) -> FloatArray:
    """Within the bounds and of sum 1 to the last bit that arithmetic leaves."""
    weights = np.clip(found, asked.lower, asked.upper)
    for bound in (asked.lower, asked.upper):
        weights = np.where(np.abs(weights - bound) < BIT, bound, weights)
    for _ in range(3):
        missing = 1 - weights.sum()
        room = asked.upper - weights if missing > 0 else weights - asked.lower
        inside = (weights > asked.lower) & (weights < asked.upper)
        room = np.where(inside, room, 0.0) if inside.any() else room
        if missing == 0 or room.sum() == 0:
            break
        weights = np.clip(weights + missing * room / room.sum(), asked.lower, asked.upper)
    return weights
