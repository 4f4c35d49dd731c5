"""Chooses the whole-day shift of a market so that something happens at start.

It asks the very code that will decide later, on the very windows that it will see; the product has no part.
That code is loaded with the first question: a sandbox that was told its shift starts without it.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from copilot_project.sandbox.market.bars import DAY_MS, HOUR_MS, INTERVALS, Bars, Market
from signals.engine.candle import OHLCV
from signals.engine.timeframe import WINDOW_BARS, Timeframe

if TYPE_CHECKING:
    from signals.engine.strategy import DecisionContext

TIMEFRAMES = (Timeframe.H1, Timeframe.H4, Timeframe.D1)
# Candles take a moment to arrive: shortly before the hour, the bar about to close is the one that counts.
ARRIVAL_MS = 120_000
BUDGET_S = 3.5
CONVINCING = 0.75
SEVERAL = 3


@dataclass(frozen=True)
class Choice:
    """A shift and what fires there at start: how many symbols, the surest one and its confidence."""

    days: int
    fired: int = 0
    best: float = 0.0
    symbol: str = ""
    searched: bool = True

    @property
    def rank(self) -> tuple[bool, bool, int, float]:
        """A signal for the most cautious subscriber first; then a few symbols, since a flood hides what happens."""
        return self.fired > 0, self.best >= CONVINCING, -abs(self.fired - SEVERAL), self.best

    def __str__(self) -> str:
        if not self.searched:
            return f"shift {self.days} days, as asked for or as at the last start"
        if not self.fired:
            return f"shift {self.days} days; no signal fires at start"
        return f"shift {self.days} days; {self.fired} symbols fire at start, {self.symbol} at {self.best:.2f}"


def choose_shift(market: Market, now_ms: int, candidates: Iterable[int]) -> Choice:
    """The best of the candidate shifts (days); stops at a convincing one or when the time budget is spent."""
    give_up: float | None = None
    as_of = now_ms + ARRIVAL_MS
    as_of -= as_of % HOUR_MS
    best: Choice | None = None
    for days in candidates:
        tried = try_shift(market, as_of - days * DAY_MS, days)
        # The first decision of a fresh checkout compiles the engine's loops: the search begins after it.
        give_up = give_up or time.monotonic() + BUDGET_S
        if best is None or tried.rank > best.rank:
            best = tried
        convincing = best.best >= CONVINCING and best.fired == SEVERAL
        if convincing or time.monotonic() > give_up:
            break
    return best or Choice(0)


def try_shift(market: Market, as_of_ms: int, days: int) -> Choice:
    """What every symbol would decide at `as_of_ms` in the market's own time."""
    from signals.engine.strategy import DecisionContext  # noqa: PLC0415

    context = DecisionContext(as_of=datetime.fromtimestamp(as_of_ms / 1000, UTC))
    found = {symbol: _confidence(market, symbol, as_of_ms, context) for symbol in market.symbols}
    fired = {symbol: confidence for symbol, confidence in found.items() if confidence > 0}
    if not fired:
        return Choice(days)
    surest = max(fired, key=fired.__getitem__)
    return Choice(days, len(fired), fired[surest], surest)


def _confidence(market: Market, symbol: str, as_of_ms: int, context: "DecisionContext") -> float:
    from signals.engine.hybrid import decide  # noqa: PLC0415

    windows = {timeframe: _window(market, symbol, timeframe, as_of_ms) for timeframe in TIMEFRAMES}
    signal = decide(windows, context)
    return signal.confidence if signal else 0.0


def _window(market: Market, symbol: str, timeframe: Timeframe, as_of_ms: int) -> OHLCV:
    step = INTERVALS[timeframe.value]
    end = as_of_ms - as_of_ms % step
    # A gap must not shorten the window, so look a little further back.
    bars: Bars = market.bars(symbol, timeframe.value, end - (WINDOW_BARS + 24) * step, end)
    return OHLCV(*bars.take(slice(-WINDOW_BARS, None)).columns())
