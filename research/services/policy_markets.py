"""Stored candles as markets that a policy can be trained on: features, costs, and what the rules did there."""

from datetime import UTC, datetime, timedelta

import numpy as np

from research.engine.policies import Market
from signals.engine.candle import OHLCV, FloatArray
from signals.engine.horizon import HORIZON_BARS
from signals.engine.hybrid import DEFAULTS, decisions
from signals.engine.marginal_value import held_for
from signals.engine.policy_features import judged, policy_features, windows_of
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import BASE_TIMEFRAME, TIMEFRAME_WEIGHTS, Timeframe
from signals.engine.trading_env import walk
from signals.market.models import Instrument
from signals.market.selectors import load_range
from signals.services.policy_votes import inputs, may_be_short

WARM_UP = timedelta(days=60)  # of the longest timeframe, before the first bar that counts


def stored_market(
    instrument: Instrument, *, start: datetime, end: datetime
) -> tuple[Market, dict[Timeframe, OHLCV]]:
    """ValueError for too few candles."""
    windows = {
        timeframe: load_range(
            instrument_id=instrument.pk,
            timeframe=timeframe,
            start=start if timeframe is BASE_TIMEFRAME else start - WARM_UP,
            end=end,
        )
        for timeframe in TIMEFRAME_WEIGHTS
    }
    base = windows[BASE_TIMEFRAME]
    if len(base) < 2:
        raise ValueError(f"{instrument} has no 1h candles between {start:%Y-%m-%d} and {end:%Y-%m-%d}")
    try:
        bars, features = inputs(instrument, windows, end)
    except ValueError as error:
        raise ValueError(f"{instrument}: {error}") from error
    name = f"{instrument.exchange.code}:{instrument.symbol}"
    return Market(name, bars, features, instrument.cost_rates(), may_be_short(instrument)), windows


def featurise(base: OHLCV) -> tuple[OHLCV, FloatArray]:
    """Of candles that nobody stored, longer ones made of them."""
    return judged(base, policy_features(windows_of(base)))


def returns_of_rules(market: Market, windows: dict[Timeframe, OHLCV]) -> FloatArray:
    """Simple net returns a bar of who follows the fused decision for its horizon, on the market's bars."""
    base = windows[BASE_TIMEFRAME]
    as_of = datetime.fromtimestamp(BASE_TIMEFRAME.close_time(int(base.open_time[-1])) / 1000, UTC)
    series = decisions(windows, DEFAULTS, DecisionContext(as_of=as_of))
    actions = held_for(series.direction.astype(np.float64), HORIZON_BARS)[-len(market.bars) :]
    if not market.shorts:
        actions = np.where(actions == 2, 0.0, actions)
    return np.expm1(walk(market.bars, actions, market.costs)[0])
