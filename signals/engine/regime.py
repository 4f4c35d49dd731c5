"""What kind of market it is, for every bar of a window of one timeframe.

A regime is entered at one threshold and left at another (Schmitt's trigger), so that it does not flicker.
The trigger forgets: what was entered more than HOLD_BARS ago and has not been entered again is over. So a
window of MEMORY_BARS decides, and a longer one says the same. In this order, the first that holds:

- breakout: a close beyond the last 20 bars by a bar twice the average range wide; over when a close is back
  at the middle of the last 20 bars, or after 6 bars
- volatile: average true range, relative to its own mean over 100 bars, above 1.3 until it is below 1.15
- trending up, down: ADX above 25 (the seed documents' number), until it is below 20 or the direction turns
- quiet: relative average true range below 0.8 until it is above 0.9
- ranging: nothing of all that

Source of ADX and its thresholds: Wilder, New Concepts in Technical Trading Systems (1978).
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.indicators.contract import columns, shifted
from signals.engine.indicators.trend import adx, minus_di, plus_di, sma
from signals.engine.indicators.volatility import atr, donchian
from signals.engine.registry import row_wise, warm_up
from signals.engine.strategy import DecisionContext

BoolArray = npt.NDArray[np.bool_]

PERIOD = 14
HOLD_BARS = 48
BREAKOUT_BARS = 6
CHANNEL_BARS = 20
NORMAL_BARS = 100
UNKNOWN = -1


class Regime(StrEnum):
    TRENDING_UP = "trending_up"
    TRENDING_DOWN = "trending_down"
    RANGING = "ranging"
    VOLATILE = "volatile"
    QUIET = "quiet"
    BREAKOUT = "breakout"


REGIMES = tuple(Regime)


@row_wise(warm_up=lambda period, normal: warm_up(atr, period=period) + normal)
def relative_volatility(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, period: int = 14, normal: int = NORMAL_BARS
) -> FloatArray:
    """Average true range as a ratio of the close, over its mean of the last `normal` bars; 1 is usual.

    First row period + normal - 1; NaN where the market has not moved at all.
    """
    high, low, close = columns(high=high, low=low, close=close)
    with np.errstate(divide="ignore", invalid="ignore"):
        ranges = atr(high, low, close, period) / close
        return ranges / sma(ranges, normal)


MEMORY_BARS = HOLD_BARS + max(warm_up(adx, period=PERIOD), warm_up(relative_volatility, period=PERIOD))


@row_wise(warm_up=MEMORY_BARS)
def regimes(ohlcv: OHLCV, context: DecisionContext | None = None) -> npt.NDArray[np.int8]:
    """The place in REGIMES of each bar's regime, int8; UNKNOWN while an indicator is not warm.

    Prices must be positive. Rows from MEMORY_BARS - 1 on no longer depend on where the window begins.
    Of `context` only the memo counts: indicators that a strategy has asked for are not computed again.
    """
    once: Callable[..., Any] = context.once if context else _computed
    bars = (ohlcv.high, ohlcv.low, ohlcv.close)
    strength, activity = once(adx, *bars, PERIOD), once(relative_volatility, *bars, PERIOD)
    up = once(plus_di, *bars, PERIOD) > once(minus_di, *bars, PERIOD)
    trending_up = _held(enter=(strength > 25) & up, leave=(strength < 20) | ~up)
    trending_down = _held(enter=(strength > 25) & ~up, leave=(strength < 20) | up)
    volatile = _held(enter=activity > 1.3, leave=activity < 1.15)
    quiet = _held(enter=activity < 0.8, leave=activity > 0.9)
    place = np.full(len(ohlcv), REGIMES.index(Regime.RANGING), dtype=np.int8)
    place[quiet] = REGIMES.index(Regime.QUIET)
    place[trending_down] = REGIMES.index(Regime.TRENDING_DOWN)
    place[trending_up] = REGIMES.index(Regime.TRENDING_UP)
    place[volatile] = REGIMES.index(Regime.VOLATILE)
    place[_breaking_out(ohlcv, once)] = REGIMES.index(Regime.BREAKOUT)
    place[np.isnan(strength + activity)] = UNKNOWN
    return place


def current_regime(ohlcv: OHLCV) -> Regime | None:
    """The regime of the last bar; None when fewer than MEMORY_BARS bars are given, or the market stands still."""
    if len(ohlcv) < MEMORY_BARS:
        return None
    place = int(regimes(ohlcv)[-1])
    return None if place == UNKNOWN else REGIMES[place]


def _computed(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def _breaking_out(ohlcv: OHLCV, once: Callable[..., Any]) -> BoolArray:
    high, low, close = ohlcv.high, ohlcv.low, ohlcv.close
    channel = once(donchian, high, low, CHANNEL_BARS)
    wide = high - low > 2 * shifted(once(atr, high, low, close, PERIOD), 1)
    upwards = _held(
        enter=wide & (close > shifted(channel.upper, 1)), leave=close < channel.middle, bars=BREAKOUT_BARS
    )
    downwards = _held(
        enter=wide & (close < shifted(channel.lower, 1)), leave=close > channel.middle, bars=BREAKOUT_BARS
    )
    return upwards | downwards


@njit(cache=True)
def _held(enter: BoolArray, leave: BoolArray, bars: int = HOLD_BARS) -> BoolArray:
    """True from a row of `enter` on until a row of `leave`, at most for `bars` rows after the last `enter`."""
    held = np.zeros(len(enter), dtype=np.bool_)
    left = 0
    for row in range(len(enter)):
        left = bars if enter[row] else 0 if leave[row] else left - 1
        held[row] = left > 0
    return held
