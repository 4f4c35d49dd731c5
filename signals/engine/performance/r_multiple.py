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
