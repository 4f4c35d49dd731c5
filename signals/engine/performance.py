"""Measures of a record of trades, one formula each, the same wherever a number is shown.

All take 1-D arrays with one value per finished trade, in any unit that the caller keeps to (R, ratio,
money), net of costs. NaN marks a trade that is not finished: it is left out. Infinite values raise
ValueError. A measure of nothing is NaN, never 0.
"""

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray


def r_multiple(
    entry_price: npt.ArrayLike, exit_price: npt.ArrayLike, stop_loss: npt.ArrayLike, fees: npt.ArrayLike = 0.0
) -> FloatArray:
    """Result per unit risked: (exit - entry - fees) / (entry - stop) for a long trade, mirrored for a short.

    Prices and `fees` (per unit traded) broadcast. A stop below the entry makes a trade long, above it
    short; NaN where stop and entry are equal. Source: Van K. Tharp, Trade Your Way to Financial Freedom.
    """
    entry, leave, stop, paid = (
        np.asarray(each, dtype=np.float64) for each in (entry_price, exit_price, stop_loss, fees)
    )
    risk = entry - stop
    result: FloatArray = (np.sign(risk) * (leave - entry) - paid) / np.where(risk == 0, np.nan, np.abs(risk))
    return result


def win_rate(results: npt.ArrayLike) -> float:
    """Share of trades above 0, in [0, 1]; a trade that ends at exactly 0 is no win."""
    finished = _finished(results)
    return float((finished > 0).mean()) if len(finished) else np.nan


def expectancy(results: npt.ArrayLike) -> float:
    """Mean result of a trade: win rate x mean win - loss rate x mean loss.

    Source: Van K. Tharp, Trade Your Way to Financial Freedom (of R multiples: R per trade).
    """
    finished = _finished(results)
    return float(finished.mean()) if len(finished) else np.nan


def profit_factor(results: npt.ArrayLike) -> float:
    """Sum of gains / sum of losses; infinite without a loss, NaN without either.

    Source: Robert Pardo, The Evaluation and Optimization of Trading Strategies.
    """
    finished = _finished(results)
    gains, losses = finished[finished > 0].sum(), -finished[finished < 0].sum()
    if losses == 0:
        return np.inf if gains > 0 else np.nan
    return float(gains / losses)


def _finished(results: npt.ArrayLike) -> FloatArray:
    values = np.asarray(results, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"results must be 1-D, one value per trade, not {values.ndim}-D")
    if np.isinf(values).any():
        raise ValueError("results hold an infinite value: no trade earned that")
    finished: FloatArray = values[~np.isnan(values)]
    return finished
