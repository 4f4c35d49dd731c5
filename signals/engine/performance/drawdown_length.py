import numpy.typing as npt

from signals.engine.performance.inputs import period_returns


def drawdown_length(returns: npt.ArrayLike) -> int:
    """Most periods in a row that ended below an earlier high of equity; one that has not ended counts.

    Equity starts at 1. What lies below the high by no more than rounding (1e-12 of it) has reached it.
    """
    from signals.engine.performance.drawdown_walk import longest  # noqa: PLC0415

    return int(longest(period_returns(returns)))
