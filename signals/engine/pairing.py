"""Which instruments have moved together: the choice of a partner for pairs trading, made of the past only.

Source: Gatev, Goetzmann, Rouwenhorst, Pairs Trading, Review of Financial Studies 19 (2006): pairs are formed over one
period and traded in the next. The measure here is the correlation of log returns, which the strategy asks for as well.
"""

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray

FEWEST_COMMON = 500
LEAST_CORRELATION = 0.5  # what pairs_trading demands of its recent window


def return_correlations(closes: FloatArray) -> FloatArray:
    """Pearson correlation of log returns, shape (n, n), of `closes`, shape (bars, n), all bars one step apart.

    A close that is missing is NaN; two columns are compared where both have a return, and are NaN with
    fewer than FEWEST_COMMON of those or where one stands still.
    """
    returns = np.diff(np.log(closes), axis=0)
    known = np.isfinite(returns)
    moves, both = np.where(known, returns, 0.0), known.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        count = both.T @ both
        total = moves.T @ both
        spread = (moves * moves).T @ both - total**2 / count
        shared = moves.T @ moves - total * total.T / count
        found = shared / np.sqrt(spread * spread.T)
    return np.where((count >= FEWEST_COMMON) & np.isfinite(found), found, np.nan)


def best_partners(closes: FloatArray) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """For each column of `closes` the one it correlates with most, and how much; -1 and NaN below LEAST_CORRELATION."""
    found = return_correlations(closes)
    np.fill_diagonal(found, np.nan)
    ranked = np.where(found >= LEAST_CORRELATION, found, -np.inf)
    best = ranked.argmax(axis=1)
    strength = ranked[np.arange(len(best)), best]
    return np.where(np.isfinite(strength), best, -1), np.where(np.isfinite(strength), strength, np.nan)
