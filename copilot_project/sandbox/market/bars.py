"""Bars and the markets that serve them, in the market's own time."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
INTERVALS = {
    "1m": MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "1h": HOUR_MS,
    "4h": 4 * HOUR_MS,
    "1d": DAY_MS,
}


@dataclass(frozen=True)
class Bars:
    """Equal-length columns, oldest first; `open_time` in UTC ms."""

    open_time: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.open_time)

    def between(self, start_ms: int, end_ms: int) -> "Bars":
        """Bars whose open time lies in [start_ms, end_ms)."""
        first, last = np.searchsorted(self.open_time, [start_ms, end_ms])
        return self.take(slice(int(first), int(last)))

    def take(self, rows: slice) -> "Bars":
        times, *prices = self.columns()
        return Bars(times[rows], *(price[rows] for price in prices))

    def shifted(self, ms: int) -> "Bars":
        return Bars(self.open_time + ms, *self.columns()[1:])

    def columns(self) -> tuple[Ints, Floats, Floats, Floats, Floats, Floats]:
        return self.open_time, self.open, self.high, self.low, self.close, self.volume


def no_bars() -> Bars:
    empty = np.empty(0)
    return Bars(np.empty(0, dtype=np.int64), empty, empty, empty, empty, empty)


def join(parts: list[Bars]) -> Bars:
    """One run of bars from consecutive parts."""
    if not parts:
        return no_bars()
    columns = zip(*(part.columns() for part in parts), strict=True)
    return Bars(*(np.concatenate(column) for column in columns))


def resample(bars: Bars, interval_ms: int) -> Bars:
    """Coarser bars aligned to the epoch, as exchanges build them; a part of a bar counts as that bar."""
    if not len(bars):
        return bars
    slots = bars.open_time - bars.open_time % interval_ms
    first = np.flatnonzero(np.r_[True, np.diff(slots) != 0])
    last = np.r_[first[1:], len(bars)] - 1
    return Bars(
        slots[first],
        bars.open[first],
        np.maximum.reduceat(bars.high, first),
        np.minimum.reduceat(bars.low, first),
        bars.close[last],
        np.add.reduceat(bars.volume, first),
    )


class Market(Protocol):
    """Where bars come from. `finest` is the smallest interval this market knows for a symbol."""

    name: str
    symbols: tuple[str, ...]

    def finest(self, symbol: str) -> str: ...

    def bars(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> Bars:
        """Complete bars that open in [start_ms, end_ms); empty where nothing was traded or is known."""
        ...


def unfinished(bar: Bars, fraction: float, tick: float) -> Bars:
    """What a bar has shown after a fraction of its time: open, one extreme, the other, close."""
    opened, high, low, close = (float(column[0]) for column in bar.columns()[1:5])
    legs = [opened, low, high, close] if close >= opened else [opened, high, low, close]
    path = np.interp(fraction, [0.0, 1 / 3, 2 / 3, 1.0], legs)
    seen = [leg for leg, at in zip(legs, (0.0, 1 / 3, 2 / 3, 1.0), strict=True) if at <= fraction]
    last = round(round(float(path) / tick) * tick, 8)
    seen.append(last)
    columns = (opened, max(seen), min(seen), last, round(float(bar.volume[0]) * fraction, 5))
    return Bars(bar.open_time, *(np.array([value]) for value in columns))


def bars_at(
    market: Market, symbol: str, interval: str, span: tuple[int, int], now_ms: int, tick: float
) -> Bars:
    """Bars that open in `span` as seen at `now_ms`: complete ones, then the one still forming."""
    step = INTERVALS[interval]
    current = now_ms - now_ms % step
    start_ms, end_ms = span
    closed = market.bars(symbol, interval, start_ms, min(end_ms, current))
    if not start_ms <= current < end_ms:
        return closed
    return join([closed, _forming(market, symbol, step, now_ms, tick)])


def _forming(market: Market, symbol: str, step: int, now_ms: int, tick: float) -> Bars:
    finest = market.finest(symbol)
    fine = INTERVALS[finest]
    if fine > step:
        return no_bars()
    current = now_ms - now_ms % fine
    parts = [market.bars(symbol, finest, now_ms - now_ms % step, current)]
    running = market.bars(symbol, finest, current, current + 1)
    if len(running):
        parts.append(unfinished(running, (now_ms - current) / fine, tick))
    return resample(join(parts), step)
