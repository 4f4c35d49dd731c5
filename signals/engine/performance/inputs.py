"""What every measure asks of its input, checked in one place."""

from math import isfinite, sqrt

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray

FLAT = 1e-12


def period_returns(returns: npt.ArrayLike) -> FloatArray:
    """Simple returns of periods as float64; ValueError unless 1-D, finite and at least -1."""
    values = one_dimension(returns)
    refuse_what_is_no_return(values)
    return values


def one_dimension(returns: npt.ArrayLike) -> FloatArray:
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"returns must be 1-D, one value per period, not {values.ndim}-D")
    return values


def refuse_what_is_no_return(values: FloatArray) -> None:
    # NaN passes through both extremes, and is not between any numbers.
    if len(values) and not (values.min() >= -1 and values.max() < np.inf):
        row = int(np.argmax(~(np.isfinite(values) & (values >= -1))))
        raise ValueError(f"row {row}: a return is {values[row]}, not a finite number of at least -1")


def finished(results: npt.ArrayLike) -> FloatArray:
    """Results of the trades that have ended (not NaN); ValueError unless 1-D and without infinity."""
    values = np.asarray(results, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"results must be 1-D, one value per trade, not {values.ndim}-D")
    if np.isinf(values).any():
        raise ValueError("results hold an infinite value: no trade earned that")
    ended: FloatArray = values[~np.isnan(values)]
    return ended


def varies(returns: FloatArray) -> bool:
    """Whether a ratio can be taken: two returns at least, whose deviation is more than rounding leaves."""
    return len(returns) > 1 and bool(returns.std() > FLAT * np.abs(returns).max())


def spreads(returns: FloatArray, mean: float, squares: float) -> bool:
    """`varies` of returns whose mean and sum of squared deviations are known."""
    if len(returns) < 2:
        return False
    deviation = sqrt(squares / len(returns))
    return surely_spreads(len(returns), mean, squares) or deviation > FLAT * float(np.abs(returns).max())


def surely_spreads(count: int, mean: float, squares: float) -> bool:
    """True where `spreads` is, whatever the largest return; False where it has to be asked."""
    deviation = sqrt(squares / count)
    return deviation > FLAT * (abs(mean) + deviation * sqrt(count))  # no return is further away


def quotient(above: float, below: float) -> float:
    """above / below with a denominator of 0 as its limit: infinite, or NaN for 0 / 0."""
    if below != 0:
        return float(above / below)
    return float(np.copysign(np.inf, above)) if above != 0 else np.nan


def check_periods(periods_per_year: float) -> None:
    if not (isfinite(periods_per_year) and periods_per_year > 0):
        raise ValueError(f"periods_per_year must be a positive number, not {periods_per_year}")


def check_number(name: str, value: float) -> None:
    if not isfinite(value):
        raise ValueError(f"{name} must be a finite number, not {value}")


def check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level}")
