"""What one vote adds to another: both are followed the same way, and mixed for the highest Sharpe ratio."""

import numpy as np

from signals.engine.candle import FloatArray


def held_for(directions: FloatArray, bars: int) -> FloatArray:
    """Actions of who follows each signal for `bars` bars, or until one the other way."""
    actions, held, left = np.zeros(len(directions), dtype=np.int64), 0, 0
    for row, direction in enumerate(directions):
        if direction != 0:
            held, left = (1 if direction > 0 else 2), bars
        actions[row] = held if left > 0 else 0
        left -= 1
    return actions.astype(np.float64)


def marginal_weight(rules: FloatArray, added: FloatArray) -> float:
    """What a vote adds to the rules, 0 to 1: its share of the mix of both that has the highest Sharpe ratio.

    Both are net returns a bar. 0 where the mix is no better with it, or where it never moved.
    """
    rows = min(len(rules), len(added))
    if rows < 2:
        return 0.0
    both = np.column_stack((rules[-rows:], added[-rows:]))
    mean, covariance = both.mean(axis=0), np.cov(both, rowvar=False)
    if covariance[1, 1] <= 0 or mean[1] <= 0:
        return 0.0
    if covariance[0, 0] <= 0 or mean[0] <= 0:
        return 1.0
    determinant = covariance[0, 0] * covariance[1, 1] - covariance[0, 1] ** 2
    if determinant <= 1e-12 * covariance[0, 0] * covariance[1, 1]:
        return 0.0
    shares = np.maximum(np.linalg.solve(covariance, mean), 0.0)
    return float(shares[1] / shares.sum()) if shares.sum() > 0 else 0.0
