"""Candles for engine tests: generated ones, and the recorded year."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from signals.engine.candle import OHLCV
from signals.engine.timeframe import Timeframe

COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
Recorded = Callable[[str, Timeframe], OHLCV]


def random_walk(rows: int, seed: int, timeframe: Timeframe = Timeframe.H1, end: int = 0) -> OHLCV:
    """A geometric random walk whose last bar closes at `end` (UTC ms; default the start of 2025)."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, rows)))
    open_ = np.concatenate(([100.0], close[:-1]))[:rows]
    reach = np.abs(rng.normal(0, 0.004, (2, rows)))
    end = end or int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
    open_time = end - timeframe.milliseconds * np.arange(rows, 0, -1)
    high, low = np.maximum(open_, close) * (1 + reach[0]), np.minimum(open_, close) * (1 - reach[1])
    return OHLCV(open_time, open_, high, low, close, rng.uniform(1, 100, rows))


@pytest.fixture(scope="session")
def walk() -> Callable[..., OHLCV]:
    return random_walk


@pytest.fixture(scope="session")
def recorded(shared_data: Path) -> Recorded:
    """Real Binance spot candles of a pair and timeframe."""

    def load(pair: str, timeframe: Timeframe) -> OHLCV:
        table = pq.read_table(shared_data / "ohlcv" / "binance_spot_finom" / f"{pair}_{timeframe}.parquet")
        return OHLCV(*(table[name].to_numpy() for name in COLUMNS))

    return load
