"""What would have become of a managed trade at every bar, long and short: `labels` for the other kind of exit plan.

Each bar is taken for a decision at its close, left by the plan that begins there: a first stop in ATRs, one that
follows the best close, a longest hold, no target. It is `outcome.follow_plans` of all bars.
"""

import numpy as np

from autopilot.engine.labels import NO_REASON, SIDES, Labels
from signals.engine.candle import OHLCV
from signals.engine.costs import SPOT_COSTS, CostRates
from signals.engine.exit_plan import ATR_PERIOD, managed
from signals.engine.indicators.volatility import atr
from signals.engine.outcome import follow_plans

LOWEST_STOP = 1e-8  # of the close: a stop below it is no price any more


def label_managed(
    candles: OHLCV, *, stop_atr: float, trail_atr: float, hold_bars: int, rates: CostRates = SPOT_COSTS
) -> Labels:
    """Labels of every bar; R in units of the first stop's distance from the close, as a share of it.

    ValueError for numbers that no managed plan takes, and for prices at or below zero.
    """
    if not (np.isfinite(stop_atr) and stop_atr > 0):
        raise ValueError(f"stop_atr is {stop_atr}; it must be a positive number")
    managed(stop=1.0, trail_atr=trail_atr, longest_hold_bars=hold_bars)
    shape = (len(SIDES), len(candles))
    labels = Labels(
        r_multiple=np.full(shape, np.nan),
        returns=np.full(shape, np.nan),
        exit_reason=np.full(shape, NO_REASON, dtype=np.int8),
        bars_held=np.full(shape, -1, dtype=np.int32),
    )
    ranges = atr(candles.high, candles.low, candles.close, ATR_PERIOD)
    for number, side in enumerate(SIDES):
        stop = candles.close - side * stop_atr * ranges
        rows = np.flatnonzero((ranges > 0) & (stop > LOWEST_STOP * candles.close))
        plans = [
            managed(stop=float(each), trail_atr=trail_atr, longest_hold_bars=hold_bars) for each in stop[rows]
        ]
        found = follow_plans(
            candles,
            rows=rows,
            directions=np.full(len(rows), side),
            entry_prices=candles.close[rows],
            plans=plans,
            rates=rates,
            ranges=ranges,
        )
        labels.r_multiple[number, rows], labels.returns[number, rows] = found.r_multiple, found.returns
        labels.exit_reason[number, rows] = np.where(found.ended, found.exit_reason, NO_REASON)
        labels.bars_held[number, rows] = found.bars_held
    return labels
