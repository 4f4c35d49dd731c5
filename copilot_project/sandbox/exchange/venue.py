"""What the exchange knows: a market seen through the exchange's clock."""

from dataclasses import dataclass

import numpy as np

from copilot_project.sandbox.exchange.timeline import Timeline
from copilot_project.sandbox.market.bars import DAY_MS, INTERVALS, MINUTE_MS, Bars, Market, bars_at

QUOTES = ("USDT", "USDC", "BTC", "EUR", "USD")


def pick_tick(price: float) -> float:
    """A price step of about a hundred-thousandth of the price, as spot venues choose it; at most 0.01."""
    return min(10.0 ** (np.floor(np.log10(price)) - 5), 0.01) if price > 0 else 0.01


@dataclass(frozen=True)
class Venue:
    """One exchange: `label` says in words what its prices are, for pages and status."""

    market: Market
    timeline: Timeline
    label: str
    ticks: dict[str, float]

    @property
    def kind(self) -> str:
        if self.market.name == "simulated":
            return "simulated"
        return "recorded-shifted" if self.timeline.shift_days else "recorded"

    def klines(
        self, symbol: str, interval: str, start_ms: int | None, end_ms: int | None, limit: int
    ) -> Bars:
        """At most `limit` bars: the first from `start_ms` on, else the newest up to `end_ms` inclusive."""
        step = INTERVALS[interval]
        now = self.timeline.now_ms()
        until = now + 1 if end_ms is None else min(end_ms + 1, now + 1)
        if start_ms is not None:
            first = -(-start_ms // step) * step
            return self._between(symbol, interval, (first, until), now).take(slice(0, limit))
        newest = until - 1 - (until - 1) % step
        found = self._between(symbol, interval, (newest - (limit - 1) * step, until), now)
        return found.take(slice(-limit, None))

    def day(self, symbol: str) -> Bars:
        """The last 24 hours in the finest bars known, with the forming one."""
        interval = self.market.finest(symbol)
        now = self.timeline.now_ms()
        return self._between(symbol, interval, (now - DAY_MS, now + 1), now)

    def price(self, symbol: str) -> float:
        """Last price; 0.0 when nothing was traded for a day."""
        bars = self.day(symbol) if self.market.finest(symbol) != "1m" else self._last_minutes(symbol)
        return float(bars.close[-1]) if len(bars) else 0.0

    def _last_minutes(self, symbol: str) -> Bars:
        now = self.timeline.now_ms()
        return self._between(symbol, "1m", (now - 3 * MINUTE_MS, now + 1), now)

    def _between(self, symbol: str, interval: str, span: tuple[int, int], now_ms: int) -> Bars:
        shift = self.timeline.shift_ms
        moved = (span[0] - shift, span[1] - shift)
        if moved[0] >= moved[1]:
            moved = (moved[0], moved[0])
        bars = bars_at(self.market, symbol, interval, moved, now_ms - shift, self.ticks[symbol])
        return bars.shifted(shift)


def split_symbol(symbol: str) -> tuple[str, str]:
    """Base and quote asset, e.g. BTCUSDT -> BTC, USDT."""
    for quote in QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol.removesuffix(quote), quote
    return symbol[:-3], symbol[-3:]
