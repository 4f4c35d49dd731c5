"""One number per bar for what the patterns of three timeframes say together: a feature for later models."""

from collections.abc import Mapping

import numpy as np

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.indicators.momentum import rsi
from signals.engine.patterns.candlesticks import PATTERNS, sides
from signals.engine.patterns.divergence import divergence
from signals.engine.registry import row_wise
from signals.engine.timeframe import TIMEFRAME_WEIGHTS, Timeframe, newest_closed

SIDELESS = frozenset(
    ("doji", "high_wave", "long_legged_doji", "long_line", "rickshaw_man", "short_line", "spinning_top")
)
SIDED = tuple(name for name in PATTERNS if name not in SIDELESS)
MEMORY_BARS = 3


@row_wise(warm_up=400)
def pattern_score(ohlcv: OHLCV) -> FloatArray:
    """-1 (bearish) to 1 (bullish): tanh of half the patterns' balance over the last 3 bars, 0 when silent.

    Counted are the candlesticks that have a side, one each, and divergences of the RSI, two each.
    """
    turns = divergence(ohlcv.high, ohlcv.low, rsi(ohlcv.close))
    balance = sides(ohlcv, SIDED).sum(axis=0, dtype=np.int8) + 2 * (turns.regular + turns.hidden)
    recent = np.cumsum(balance)
    recent[MEMORY_BARS:] -= recent[:-MEMORY_BARS].copy()
    return np.tanh(recent / 2)


def pattern_scores(windows: Mapping[Timeframe, OHLCV]) -> dict[str, FloatArray]:
    """Columns "1h", "4h", "1d" and "combined" (weighted .20, .30, .50), one row per 1h bar.

    At each 1h close a longer timeframe gives the score of its newest bar that had closed by then, and 0
    before the first one or when its window is absent. ValueError without 1h.
    """
    if Timeframe.H1 not in windows:
        raise ValueError("pattern scores are given per 1h bar: a 1h window is needed")
    base = windows[Timeframe.H1].open_time
    scores: dict[str, FloatArray] = {}
    for timeframe in TIMEFRAME_WEIGHTS:
        scores[timeframe.value] = np.zeros(len(base))
        window = windows.get(timeframe)
        if window is None or len(window) == 0:
            continue
        row = newest_closed(window.open_time, timeframe, base, Timeframe.H1)
        scores[timeframe.value] = np.where(row >= 0, pattern_score(window)[row], 0.0)
    weighted = [weight * scores[timeframe.value] for timeframe, weight in TIMEFRAME_WEIGHTS.items()]
    return scores | {"combined": np.sum(weighted, axis=0)}
