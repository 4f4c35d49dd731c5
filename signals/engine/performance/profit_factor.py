import numpy.typing as npt

from signals.engine.performance.inputs import finished, quotient


def profit_factor(results: npt.ArrayLike) -> float:
    """Sum of gains / sum of losses; infinite without a loss, NaN without either.

    Source: Robert Pardo, The Evaluation and Optimization of Trading Strategies.
    """
    ended = finished(results)
    return quotient(ended[ended > 0].sum(), -ended[ended < 0].sum())
