"""What the best of many trials is worth."""

from math import e, sqrt
from statistics import NormalDist

import numpy as np

from research.engine.overfitting.inputs import check_finite, check_trials
from research.engine.overfitting.sharpe_significance import probabilistic_sharpe_ratio


def expected_maximum_sharpe(trials: float, variance: float) -> float:
    """Sharpe ratio that the best of `trials` independent ones without any skill is expected to show.

    `variance`: of the Sharpe ratios over the trials; the answer has the period of its square root. 0 for one trial.
    Source: Bailey and López de Prado, The Deflated Sharpe Ratio (2014), equation 1.
    """
    check_finite(variance=variance)
    if variance < 0:
        raise ValueError(f"variance must not be negative, but is {variance}")
    return sqrt(variance) * _largest_normal(trials)


def deflated_sharpe_ratio(
    sharpe: float, observations: float, skew: float, kurtosis: float, trials: float, trials_variance: float
) -> float:
    """Probability, 0 to 1, that the true Sharpe ratio is above what the best of `trials` would show by luck.

    sharpe, trials_variance: per period; `trials` counts every one that was run. Source: as above, equation 2.
    """
    luck = expected_maximum_sharpe(trials, trials_variance)
    return probabilistic_sharpe_ratio(sharpe, observations, skew, kurtosis, luck)


def minimum_backtest_length(trials: float, target_sharpe: float = 1.0) -> float:
    """Years that a backtest must have, so that the best of `trials` without skill is not expected to show an
    annual Sharpe ratio of `target_sharpe`. 0 for one trial.

    Source: Bailey, Borwein, López de Prado and Zhu, Pseudo-Mathematics and Financial Charlatanism (2014).
    """
    check_finite(target_sharpe=target_sharpe)
    if target_sharpe <= 0:
        raise ValueError(f"target_sharpe must be positive, not {target_sharpe}")
    return (_largest_normal(trials) / target_sharpe) ** 2


def _largest_normal(trials: float) -> float:
    """Expected largest of `trials` standard normal draws, by the theory of extreme values."""
    check_trials(trials)
    if trials == 1:
        return 0.0
    quantile = NormalDist().inv_cdf
    found = (np.euler_gamma - 1) * quantile(1 / trials) - np.euler_gamma * quantile(1 / (trials * e))
    return max(found, 0.0)
