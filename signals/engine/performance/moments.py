import numpy as np

from signals.engine.candle import FloatArray
from signals.engine.performance.inputs import refuse_what_is_no_return

COMPILED_FROM = 4_096  # returns; below, numpy is as quick, and a page that shows one ratio needs no compiler


def moments(returns: FloatArray) -> tuple[float, float]:
    """Mean, and the sum of squared deviations from it; ValueError unless all are returns. (0, 0) of nothing."""
    if len(returns) < COMPILED_FROM:
        refuse_what_is_no_return(returns)
        mean = float(returns.mean()) if len(returns) else 0.0
        return mean, float(np.square(returns - mean).sum())
    from signals.engine.performance.moments_walk import walk_moments  # noqa: PLC0415

    mean, squares, wrong = walk_moments(returns)
    if wrong:
        refuse_what_is_no_return(returns)
    return float(mean), float(squares)
