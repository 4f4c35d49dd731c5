"""Prices that arithmetic has moved by a unit in the last place: a high that far below its close is no fault."""

from collections.abc import Mapping

import numpy as np

from signals.engine.candle import FloatArray

NOISE = 1e-9  # relative; the finest tick of any market is a thousand times as large


def without_noise(prices: Mapping[str, FloatArray]) -> tuple[dict[str, FloatArray], int]:
    """The four prices with highs and lows at the body where they miss it by noise only, and how many bars those are."""
    opened, high, low, close = (prices[name] for name in ("open", "high", "low", "close"))
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    below = (high < top) & (high >= top * (1 - NOISE))
    above = (low > bottom) & (low <= bottom * (1 + NOISE))
    mended = {
        "open": opened,
        "high": np.where(below, top, high),
        "low": np.where(above, bottom, low),
        "close": close,
    }
    return mended, int((below | above).sum())
