"""Is a Sharpe ratio above a benchmark, given how long and how crooked its record is?"""

from math import erfc, inf, sqrt
from statistics import NormalDist

from research.engine.overfitting.inputs import check_finite, check_observations


def probabilistic_sharpe_ratio(
    sharpe: float, observations: float, skew: float, kurtosis: float, benchmark_sharpe: float = 0.0
) -> float:
    """Probability, 0 to 1, that the true Sharpe ratio is above `benchmark_sharpe`; all per period, kurtosis 3 = normal.

    Source: Bailey and López de Prado, The Sharpe Ratio Efficient Frontier (2012), equation 11.
    """
    check_finite(benchmark_sharpe=benchmark_sharpe)
    check_observations(observations)
    spread = sqrt(_spread_squared(sharpe, skew, kurtosis))
    deviations = (sharpe - benchmark_sharpe) * sqrt(observations - 1) / spread
    return erfc(-deviations / sqrt(2)) / 2


def minimum_track_record_length(
    sharpe: float, skew: float, kurtosis: float, benchmark_sharpe: float = 0.0, confidence: float = 0.95
) -> float:
    """Observations from which on `probabilistic_sharpe_ratio` reaches `confidence`; not rounded.

    Infinite where the Sharpe ratio is not above the benchmark: no record is long enough.
    Source: as above, equation 12.
    """
    check_finite(benchmark_sharpe=benchmark_sharpe)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, not {confidence}")
    spread_squared = _spread_squared(sharpe, skew, kurtosis)
    if sharpe <= benchmark_sharpe:
        return inf
    needed = max(
        NormalDist().inv_cdf(confidence), 0.0
    )  # above the benchmark every record is at even odds or better
    return 1 + spread_squared * (needed / (sharpe - benchmark_sharpe)) ** 2


def _spread_squared(sharpe: float, skew: float, kurtosis: float) -> float:
    """Variance of the estimated Sharpe ratio, times observations - 1."""
    check_finite(sharpe=sharpe, skew=skew, kurtosis=kurtosis)
    found = 1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2
    if found <= 0:
        raise ValueError(
            f"no returns have a skew of {skew:g} and a kurtosis of {kurtosis:g} at a Sharpe ratio of {sharpe:g}: "
            "kurtosis is at least 1 + skew², and 3 of a normal distribution (not 0, which is excess kurtosis)"
        )
    return found
