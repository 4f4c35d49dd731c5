import numpy as np
import numpy.typing as npt

from signals.engine.performance.inputs import finished


def expectancy(results: npt.ArrayLike) -> float:
    """Mean result of a trade: win rate x mean win - loss rate x mean loss.

    Source: Van K. Tharp, Trade Your Way to Financial Freedom (of R multiples: R per trade).
    """
    ended = finished(results)
    return float(ended.mean()) if len(ended) else np.nan
