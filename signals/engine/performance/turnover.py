import numpy as np
import numpy.typing as npt

from signals.engine.performance.inputs import check_periods


def turnover(traded: npt.ArrayLike, equity: npt.ArrayLike, periods_per_year: float) -> float:
    """How many times a year the account was bought or sold: traded value / mean equity x periods_per_year / n.

    `traded`: value of all fills of each period, buys and sells alike counted positive; `equity`: worth of the
    account at each period's end, same length and currency, positive. NaN of nothing; ValueError otherwise.
    """
    check_periods(periods_per_year)
    value, worth = np.asarray(traded, dtype=np.float64), np.asarray(equity, dtype=np.float64)
    if value.ndim != 1 or value.shape != worth.shape:
        raise ValueError("traded and equity must be 1-D and of one length")
    if not (np.isfinite(value).all() and np.isfinite(worth).all()):
        raise ValueError("traded and equity must be finite")
    if (value < 0).any() or (worth <= 0).any():
        raise ValueError("traded value is never negative, and equity must be positive")
    return float(value.mean() / worth.mean() * periods_per_year) if len(value) else np.nan
