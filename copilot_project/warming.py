"""A short walk through the compiled engines, as live decisions and a backtest take it."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from autopilot.engine.market import FractionOfEquity, Market, signals_of
from autopilot.engine.simulator import default_grid, simulate, simulate_signals
from signals.engine.candle import OHLCV
from signals.engine.cost_rates import AssetClass, MarketType, rates_for
from signals.engine.hybrid import HybridSettings, decisions, explain
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import TIMEFRAME_WEIGHTS, Timeframe, resample

CASH = Decimal(10_000)
BEGIN = 1_735_689_600_000  # 2025-01-01


def warm(*, bars: int) -> int:
    """Compile by use; the number of trades, so that nobody can leave the work out."""
    candles = invented(bars)
    windows = {
        longer: candles if longer is Timeframe.H1 else resample(candles, longer.value, Timeframe.H1.value)
        for longer in TIMEFRAME_WEIGHTS
    }
    end = datetime.fromtimestamp(Timeframe.H1.close_time(int(candles.open_time[-1])) / 1000, UTC)
    context = DecisionContext(as_of=end)
    explain(windows, context)
    series = signals_of(decisions(windows, HybridSettings(), context))
    rates = rates_for(AssetClass.CRYPTO, MarketType.MARGIN)
    market = Market(
        name="INVENTED/USDT",
        candles=candles,
        quote="USDT",
        grid=default_grid(candles, CASH),
        rates=rates,
        shortable=True,
    )
    found = simulate([market], [series], cash=CASH, sizing=FractionOfEquity(Decimal(1)))
    entries = np.zeros(bars, dtype=np.int8)
    entries[::50] = 1
    leave = np.roll(entries.astype(np.bool_), 25)
    held = simulate_signals(candles, entries, leave, cash=CASH, rates=rates, grid=market.grid)
    return len(found.trades) + len(held.trades)


def invented(bars: int) -> OHLCV:
    """A random walk, the same each time."""
    rng = np.random.default_rng(1)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.01, bars))), 2)
    opened = np.concatenate(([100.0], close[:-1]))
    reach = rng.uniform(0, 0.005, (2, bars))
    return OHLCV(
        open_time=BEGIN + np.arange(bars, dtype=np.int64) * Timeframe.H1.milliseconds,
        open=opened,
        high=np.round(np.maximum(opened, close) * (1 + reach[0]), 2),
        low=np.round(np.minimum(opened, close) * (1 - reach[1]), 2),
        close=close,
        volume=rng.uniform(1, 100, bars),
    )
