"""Published signals as views of Black and Litterman: those that stood at a moment, by what was known then."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from django.db.models import Q

from research.engine.portfolio import View, black_litterman, equal_weights, estimate, optimize, signal_view
from signals.engine.candle import FloatArray
from signals.engine.direction import Direction
from signals.engine.horizon import HORIZON_BARS
from signals.engine.timeframe import Timeframe
from signals.models import Signal

NEWEST = timedelta(days=30)


def signal_views(*, instruments: Sequence[int], as_of: datetime, period_seconds: int) -> list[View]:
    """Of each instrument the newest signal that was published and had not ended at `as_of`.

    A view needs a calibrated probability and a target; a signal without one says nothing here.
    """
    standing = Signal.objects.filter(
        Q(outcome=None) | Q(outcome__exited_at__gt=as_of),
        instrument__in=instruments,
        published_at__lte=as_of,
        published_at__gt=as_of - NEWEST,
    ).order_by("instrument_id", "-published_at", "-pk")
    found = []
    for signal in standing.distinct("instrument_id"):
        if signal.probability is None or signal.take_profit is None or not 0 < signal.probability < 1:
            continue
        lasts = HORIZON_BARS * Timeframe(signal.timeframe).seconds
        found.append(
            signal_view(
                asset=list(instruments).index(signal.instrument_id),
                assets=len(instruments),
                sign=Direction(signal.direction).sign,
                probability=signal.probability,
                gain=abs(signal.take_profit - signal.entry_price) / signal.entry_price,
                loss=abs(signal.entry_price - signal.stop_loss) / signal.entry_price,
                periods=lasts / period_seconds,
            )
        )
    return found


def weights_by_views(
    returns: FloatArray, views: Sequence[View], *, shrink: bool, bounds: tuple[float, float]
) -> FloatArray:
    """The highest Sharpe ratio by what 1/N implies, moved as far as the views are sure."""
    _, covariance = estimate(returns, shrink)
    mean, spread = black_litterman(covariance, equal_weights(returns.shape[1]), views)
    weights: FloatArray = np.asarray(optimize(mean, spread, "max_sharpe", 0.0, bounds).weights)
    return weights
