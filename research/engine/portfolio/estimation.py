"""Expected returns and covariance from a record of returns."""

from typing import Any

import numpy as np

from signals.engine.candle import FloatArray


def estimate(returns: Any, shrink: bool = True) -> tuple[FloatArray, FloatArray]:  # noqa: FBT001, FBT002  (the contract)
    """Means and covariance of T periods x n assets, in the order of the columns.

    With `shrink` the covariance is that of `ledoit_wolf`, which even three periods of ten assets make usable. Without,
    it is the sample's (ddof 1): ValueError for no more periods than assets, whose covariance would be singular.
    """
    record = checked_returns(returns)
    periods, assets = record.shape
    if shrink:
        return record.mean(axis=0), ledoit_wolf(record)
    if periods <= assets:
        raise ValueError(
            f"returns: {periods} periods are too few for {assets} assets unless shrunk: the covariance is singular"
        )
    return record.mean(axis=0), np.atleast_2d(np.cov(record, rowvar=False))


def ledoit_wolf(returns: Any) -> FloatArray:
    """Covariance (ddof 0) drawn towards a multiple of the identity as far as loses least in the mean.

    Source: Ledoit and Wolf, A Well-Conditioned Estimator for Large-Dimensional Covariance Matrices (2004).
    """
    record = checked_returns(returns)
    periods, assets = record.shape
    apart = record - record.mean(axis=0)
    sample = apart.T @ apart / periods
    level = float(np.trace(sample)) / assets
    distance = float(((sample - level * np.eye(assets)) ** 2).sum())
    noise = float((((apart**2).T @ (apart**2)) / periods - sample**2).sum()) / periods
    share = min(noise / distance, 1.0) if distance > 0 else 0.0
    shrunk: FloatArray = (1 - share) * sample + share * level * np.eye(assets)
    return shrunk


def checked_returns(returns: Any) -> FloatArray:
    record = np.asarray(returns, dtype=np.float64)
    if record.ndim != 2 or not record.shape[1]:
        raise ValueError(f"returns must be periods x assets, not {record.ndim}-D")
    if not np.isfinite(record).all():
        raise ValueError("returns must be finite: every asset has a return in every period")
    if len(record) < 2:
        raise ValueError(f"returns: {len(record)} periods are too few for a covariance")
    return record
