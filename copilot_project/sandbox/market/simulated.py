"""A seeded market that switches regimes; a pure function of (seed, symbol, time)."""

import zlib
from functools import lru_cache

import numpy as np

from copilot_project.sandbox.market.bars import HOUR_MS, INTERVALS, MINUTE_MS, Bars, Floats, join, resample

EPOCH_MS = 1_546_300_800_000  # 2019-01-01T00:00Z, a multiple of a day
BLOCK_HOURS = 720
BLOCK_MS = BLOCK_HOURS * HOUR_MS
# Share of the distance from the usual price that a block wins back: prices stay believable for years.
BLOCK_PULL = 0.35

USUAL_PRICES = {
    "BTCUSDT": 60_000.0,
    "ETHUSDT": 3_000.0,
    "BNBUSDT": 550.0,
    "SOLUSDT": 140.0,
    "XRPUSDT": 0.6,
    "ADAUSDT": 0.5,
    "DOGEUSDT": 0.12,
    "AVAXUSDT": 30.0,
    "LINKUSDT": 15.0,
    "DOTUSDT": 6.0,
}
TICKS = {
    "BTCUSDT": 0.01,
    "ETHUSDT": 0.01,
    "BNBUSDT": 0.1,
    "SOLUSDT": 0.01,
    "AVAXUSDT": 0.01,
    "LINKUSDT": 0.01,
    "DOTUSDT": 0.001,
    "XRPUSDT": 0.0001,
    "ADAUSDT": 0.0001,
    "DOGEUSDT": 0.00001,
}
HOURLY_TURNOVER_USDT = 4_000_000.0

# How long a burst of volatility is felt, per hour.
MEMORY = 0.85 ** np.arange(48)

# (hourly drift, hourly volatility, mean hours) of: trend up, trend down, range, volatile, quiet
REGIMES = np.array(
    [
        (0.0012, 0.006, 60.0),
        (-0.0012, 0.007, 50.0),
        (0.0, 0.005, 90.0),
        (0.0, 0.014, 24.0),
        (0.0, 0.002, 72.0),
    ]
)


def hourly_returns(rng: np.random.Generator, hours: int) -> tuple[Floats, Floats]:
    """Log returns and their volatility per hour: regimes of random length, volatility in clusters."""
    drift, volatility = np.empty(hours), np.empty(hours)
    at = 0
    while at < hours:
        mean, sigma, length = REGIMES[rng.integers(len(REGIMES))]
        until = at + 12 + int(rng.exponential(length))
        drift[at:until], volatility[at:until] = mean, sigma
        at = until
    shocks = rng.normal(0.0, 0.25, hours)
    volatility *= np.exp(np.convolve(shocks, MEMORY)[:hours] - 0.3)
    return drift + volatility * rng.standard_normal(hours), volatility


class SimulatedMarket:
    """Ten made-up symbols; any range at any time, and all intervals agree."""

    name = "simulated"
    symbols = tuple(USUAL_PRICES)

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._levels: dict[str, list[float]] = {symbol: [0.0] for symbol in self.symbols}
        self._minutes = lru_cache(maxsize=24)(self._make_minutes)
        self._hours = lru_cache(maxsize=400)(self._make_hours)
        self._own_returns = lru_cache(maxsize=2000)(self._make_own_returns)
        self._returns = lru_cache(maxsize=2000)(self._make_returns)

    def finest(self, symbol: str) -> str:
        return "1m"

    def bars(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> Bars:
        """Complete bars that open in [start_ms, end_ms), back to 2019."""
        step = INTERVALS[interval]
        start = max(-(-start_ms // step) * step, EPOCH_MS)
        end = -(-end_ms // step) * step
        blocks = range((start - EPOCH_MS) // BLOCK_MS, -(-(end - EPOCH_MS) // BLOCK_MS))
        source = self._hours if step >= HOUR_MS else self._minutes
        fine = join([source(symbol, block) for block in blocks])
        return resample(fine.between(start, end), step)

    def _make_hours(self, symbol: str, block: int) -> Bars:
        return resample(self._make_minutes(symbol, block), HOUR_MS)

    def _make_returns(self, symbol: str, block: int) -> tuple[Floats, Floats]:
        """The symbol's own hours plus a market that all symbols share."""
        common, common_volatility = self._own_returns("market", block)
        own, own_volatility = self._own_returns(symbol, block)
        return 0.6 * common + 0.7 * own, np.hypot(0.6 * common_volatility, 0.7 * own_volatility)

    def _make_own_returns(self, name: str, block: int) -> tuple[Floats, Floats]:
        return hourly_returns(self._rng(name, block), BLOCK_HOURS)

    def _level(self, symbol: str, block: int) -> float:
        """Log distance from the usual price at the block's start: the sum of all earlier blocks."""
        levels = self._levels[symbol]
        while len(levels) <= block:
            change = float(self._returns(symbol, len(levels) - 1)[0].sum())
            levels.append(levels[-1] * (1 - BLOCK_PULL) + change)
        return levels[block]

    def _make_minutes(self, symbol: str, block: int) -> Bars:
        returns, volatility = self._returns(symbol, block)
        rng = self._rng(f"{symbol}/minutes", block)
        start = self._level(symbol, block)
        pulled = returns - BLOCK_PULL * start / BLOCK_HOURS
        ends = start + np.cumsum(pulled)
        path = _bridge(rng, np.r_[start, ends[:-1]], ends, volatility)
        tick = TICKS[symbol]
        close = _to_tick(USUAL_PRICES[symbol] * np.exp(path), tick)
        opened = np.r_[_to_tick(np.array([USUAL_PRICES[symbol] * np.exp(start)]), tick), close[:-1]]
        reach = np.repeat(volatility, 60) / 20
        high = np.maximum(
            _to_tick(close * (1 + reach * rng.random(close.size)), tick), np.maximum(opened, close)
        )
        low = np.minimum(
            _to_tick(close * (1 - reach * rng.random(close.size)), tick), np.minimum(opened, close)
        )
        volume = self._volume(rng, symbol, volatility)
        times = EPOCH_MS + block * BLOCK_MS + np.arange(close.size, dtype=np.int64) * MINUTE_MS
        return Bars(times, opened, high, low, close, volume)

    def _volume(self, rng: np.random.Generator, symbol: str, volatility: Floats) -> Floats:
        usual = HOURLY_TURNOVER_USDT / 60 / USUAL_PRICES[symbol]
        activity = np.repeat(volatility / volatility.mean(), 60)
        return np.round(usual * activity * rng.lognormal(-0.3, 0.8, activity.size), 5)

    def _rng(self, name: str, block: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(name.encode()), block])


def _bridge(rng: np.random.Generator, starts: Floats, ends: Floats, volatility: Floats) -> Floats:
    """Minute log prices that wander inside each hour and meet its end exactly."""
    steps = rng.standard_normal((starts.size, 60)) * (volatility / np.sqrt(60))[:, None]
    walk = np.cumsum(steps, axis=1)
    share = np.arange(1, 61) / 60
    walk -= walk[:, -1:] * share
    return (starts[:, None] + (ends - starts)[:, None] * share + walk).ravel()


def _to_tick(price: Floats, tick: float) -> Floats:
    return np.round(np.round(price / tick) * tick, 8)
