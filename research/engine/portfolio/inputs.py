"""Expected returns, covariance and bounds as arrays in the input's order; what they may not be, in words."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray

ROUNDING = 1e-8

Bounds = tuple[float, float] | npt.ArrayLike


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is asked of the assets, checked; `lower` and `upper` bound each weight."""

    expected_returns: FloatArray
    covariance: FloatArray
    lower: FloatArray
    upper: FloatArray

    def highest(self, worth: FloatArray) -> float:
        """The most that weights within the bounds can make of `worth` per unit of each asset."""
        weights, left = self.lower.copy(), 1 - self.lower.sum()
        for asset in np.argsort(-worth, kind="stable"):
            taken = min(left, self.upper[asset] - self.lower[asset])
            weights[asset] += taken
            left -= taken
        return float(weights @ worth)


def question(expected_returns: Any, covariance: Any, bounds: Bounds) -> Question:
    """Arrays or pandas; where both carry labels, the covariance is put in the order of the expected returns."""
    mean = np.asarray(expected_returns, dtype=np.float64)
    if mean.ndim != 1 or not len(mean):
        raise ValueError(f"expected_returns must be 1-D, one per asset, not {mean.ndim}-D of {mean.size}")
    if not np.isfinite(mean).all():
        raise ValueError("expected_returns must be finite")
    spread = checked_covariance(_aligned(expected_returns, covariance))
    if len(spread) != len(mean):
        raise ValueError(f"covariance is of {len(spread)} assets, expected_returns of {len(mean)}")
    return Question(mean, spread, *_limits(bounds, len(mean)))


def checked_covariance(covariance: Any) -> FloatArray:
    """Symmetric to the last bit; ValueError unless square, finite, symmetric and positive semidefinite."""
    spread = np.asarray(covariance, dtype=np.float64)
    if spread.ndim != 2 or spread.shape[0] != spread.shape[1] or not len(spread):
        raise ValueError(f"covariance must be square, assets x assets, not of shape {spread.shape}")
    if not np.isfinite(spread).all():
        raise ValueError("covariance must be finite")
    size = float(np.abs(spread).max())
    if np.abs(spread - spread.T).max() > ROUNDING * size:
        raise ValueError("covariance must be symmetric")
    even: FloatArray = (spread + spread.T) / 2
    smallest = float(np.linalg.eigvalsh(even)[0])
    if smallest < -ROUNDING * size:
        raise ValueError(f"covariance must be positive semidefinite, but has an eigenvalue of {smallest:.3g}")
    return even


def _aligned(expected_returns: Any, covariance: Any) -> Any:
    names, rows, columns = (
        None if callable(each) else each
        for each in (
            getattr(expected_returns, "index", None),
            getattr(covariance, "index", None),
            getattr(covariance, "columns", None),
        )
    )
    if names is None or rows is None or columns is None:
        return covariance
    if len(names) == len(rows) == len(columns) and not (
        set(names) == set(rows) == set(columns) and len(set(names)) == len(names)
    ):
        raise ValueError("covariance and expected_returns name different assets")
    return covariance.loc[names, names] if len(names) == len(rows) else covariance


def _limits(bounds: Any, assets: int) -> tuple[FloatArray, FloatArray]:
    pairs = np.asarray(bounds, dtype=np.float64)
    if pairs.shape not in {(2,), (assets, 2)}:
        raise ValueError(f"bounds must be a pair or of shape ({assets}, 2), not {pairs.shape}")
    if not np.isfinite(pairs).all():
        raise ValueError("bounds must be finite")
    lower, upper = np.broadcast_to(pairs, (assets, 2)).T.copy()
    if (lower > upper).any():
        raise ValueError(
            f"bounds: the lower one of asset {int(np.argmax(lower > upper))} is above its upper one"
        )
    if lower.sum() > 1 + ROUNDING:
        raise ValueError(f"bounds: the lower ones sum to {lower.sum():g}, weights must sum to 1")
    if upper.sum() < 1 - ROUNDING:
        raise ValueError(f"bounds: the upper ones sum to {upper.sum():g}, weights must sum to 1")
    return lower, upper
