import numpy as np
import numpy.typing as npt

from signals.engine.performance.inputs import finished


def deepest_fall(results: npt.ArrayLike) -> float:
    """Deepest fall of the running sum of trades below its highest point so far, 0 or less, in the unit of `results`.

    The sum starts at 0; trades stand in the order in which they ended. For R, where nothing is compounded; of an
    account it is `max_drawdown`. NaN of nothing.
    """
    ended = finished(results)
    if not len(ended):
        return np.nan
    total = np.concatenate(([0.0], np.cumsum(ended)))
    return float((total - np.maximum.accumulate(total)).min())
