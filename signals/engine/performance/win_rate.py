import numpy as np
import numpy.typing as npt

from signals.engine.performance.inputs import finished


def win_rate(results: npt.ArrayLike) -> float:
    """Share of trades above 0, in [0, 1]; a trade that ends at exactly 0 is no win."""
    ended = finished(results)
    return float((ended > 0).mean()) if len(ended) else np.nan
