"""Expected returns that start from what the market's own weights imply and move as far as the views are sure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from research.engine.portfolio.inputs import checked_covariance
from signals.engine.candle import FloatArray


@dataclass(frozen=True, slots=True)
class View:
    """That `weights` (one per asset) of the assets earn `expected_return` per period, give or take `variance` (> 0)."""

    weights: tuple[float, ...]
    expected_return: float
    variance: float

    def __post_init__(self) -> None:
        if not (isfinite(self.expected_return) and isfinite(self.variance) and self.variance > 0):
            raise ValueError("a view needs a finite expected_return and a positive variance")


def signal_view(
    *,
    asset: int,
    assets: int,
    sign: int,
    probability: float,
    gain: float,
    loss: float,
    periods: float = 1.0,
) -> View:
    """What a signal says: with `probability` its asset moves by `gain` towards the target, else by `loss` to the stop.

    sign: 1 long, -1 short; gain, loss: positive shares of the entry price; periods: how many it is expected to take.
    The view is as sure as one such signal is: its variance is that of this bet.
    """
    if not 0 <= asset < assets or sign not in {1, -1}:
        raise ValueError(f"asset must be one of {assets} and sign 1 or -1, not {asset} and {sign}")
    if not 0 < probability < 1:
        raise ValueError(f"probability must be between 0 and 1, not {probability}")
    for name, value in (("gain", gain), ("loss", loss), ("periods", periods)):
        if not (isfinite(value) and value > 0):
            raise ValueError(f"{name} must be positive, not {value}")
    weights = tuple(1.0 if each == asset else 0.0 for each in range(assets))
    expected = sign * (probability * gain - (1 - probability) * loss)
    variance = probability * (1 - probability) * (gain + loss) ** 2
    return View(weights, expected / periods, variance / periods**2)


def black_litterman(
    covariance: Any,
    market_weights: npt.ArrayLike,
    views: Sequence[View],
    *,
    risk_aversion: float = 2.5,
    tau: float = 0.05,
) -> tuple[FloatArray, FloatArray]:
    """Posterior expected returns (above the risk-free one) and covariance; without views those that the market implies.

    The prior is risk_aversion x covariance x market_weights, with an uncertainty of tau x covariance.
    Source: Black and Litterman, Global Portfolio Optimization (1992); He and Litterman (1999).
    """
    spread = checked_covariance(covariance)
    market = np.asarray(market_weights, dtype=np.float64)
    if market.shape != (len(spread),) or not np.isfinite(market).all():
        raise ValueError(f"market_weights must be {len(spread)} finite numbers")
    for name, value in (("risk_aversion", risk_aversion), ("tau", tau)):
        if not (isfinite(value) and value > 0):
            raise ValueError(f"{name} must be positive, not {value}")
    prior = risk_aversion * spread @ market
    if not views:
        return prior, (1 + tau) * spread
    picks = np.array([view.weights for view in views], dtype=np.float64)
    if picks.shape[1] != len(spread) or not np.isfinite(picks).all():
        raise ValueError(f"views: each has {len(spread)} finite weights, one per asset")
    expected = np.array([view.expected_return for view in views])
    uncertain = tau * spread @ picks.T
    between = picks @ uncertain + np.diag([view.variance for view in views])
    pull = np.linalg.solve(between, np.column_stack((expected - picks @ prior, uncertain.T)))
    return prior + uncertain @ pull[:, 0], (1 + tau) * spread - uncertain @ pull[:, 1:]
