"""The portfolio whose worst periods were least bad."""

from typing import Any

import numpy as np

from research.engine.portfolio.estimation import checked_returns
from research.engine.portfolio.inputs import Bounds, question
from signals.engine.candle import FloatArray


def least_conditional_value_at_risk(
    returns: Any, *, level: float = 0.05, bounds: Bounds = (0, 1), target_return: float | None = None
) -> FloatArray:
    """Weights with the smallest mean loss in the worst `level` of the periods of `returns` (T x n).

    target_return: least mean return per period. A share of T that is not whole counts the last period in part.
    Source: Rockafellar and Uryasev, Optimization of Conditional Value-at-Risk (2000).
    """
    from scipy.optimize import linprog  # noqa: PLC0415  (heavy, in workers only)

    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level}")
    record = checked_returns(returns)
    periods, assets = record.shape
    asked = question(record.mean(axis=0), np.eye(assets), bounds)
    highest = asked.highest(asked.expected_returns)
    if target_return is not None and not target_return <= highest + 1e-9 * abs(highest):
        raise ValueError(
            f"target_return {target_return:g} is above {highest:g}, the highest within the bounds"
        )
    size = float(np.abs(record).max()) or 1.0
    scaled = record / size
    # Unknowns: weights, the value at risk, and by how much each period falls short of it.
    cost = np.concatenate((np.zeros(assets), [1.0], np.full(periods, 1 / (level * periods))))
    short = np.hstack((-scaled, -np.ones((periods, 1)), -np.eye(periods)))
    limits = [
        *zip(asked.lower, asked.upper, strict=True),
        (None, None),
        *([(0, None)] * periods),
    ]
    if target_return is not None:
        short = np.vstack((short, np.concatenate((-scaled.mean(axis=0), np.zeros(1 + periods)))))
    right = np.zeros(len(short))
    if target_return is not None:
        right[-1] = -min(target_return, highest) / size
    whole = np.concatenate((np.ones(assets), np.zeros(1 + periods)))[None, :]
    found = linprog(cost, A_ub=short, b_ub=right, A_eq=whole, b_eq=[1.0], bounds=limits)
    if not found.success:
        raise ValueError(f"bounds and target_return: no portfolio found within them ({found.message})")
    weights = np.clip(found.x[:assets], asked.lower, asked.upper)
    return weights / weights.sum()
