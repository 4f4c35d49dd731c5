"""Which trade is told: one of the trend rule whose stop passes its entry and which then ends."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from copilot_project.sandbox.market.bars import Market
from copilot_project.sandbox.market.simulated import EPOCH_MS
from signals.engine.candle import OHLCV
from signals.engine.exit_plan import stops_along
from signals.engine.in_words import trend_sentence
from signals.engine.trend import FROZEN, TIMEFRAME, breakouts, plan_of, trades

BAR_MS = TIMEFRAME.milliseconds
HISTORY_BARS = 1_000
# A simulated market has no beginning and no end: this stretch of it is searched.
SIMULATED_FROM_MS, SIMULATED_BARS = EPOCH_MS + 6 * 365 * 86_400_000, 2_400


class NoPlotError(Exception):
    """No trade of these candles tells the story."""


@dataclass(frozen=True, slots=True)
class Plot:
    """Closes of 4h bars, UTC ms: of the decision, of the bar that raised the stop beyond the entry, of the exit's.

    record: what all trades of the rule on these candles came to, in one sentence: this one was chosen.
    """

    symbol: str
    decided_at: int
    raised_at: int
    exited_at: int
    record: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def find_plot(market: Market) -> Plot:
    """The shortest such trade of the first symbol that has one. Raises NoPlotError."""
    for symbol in market.symbols:
        candles = _candles(market, symbol)
        if len(candles) <= HISTORY_BARS:
            continue
        if found := sorted(_plots(symbol, candles), key=lambda each: each.exited_at - each.decided_at):
            return found[0]
    raise NoPlotError(
        "no trade of the trend rule on these candles has a stop that passed its entry: give a folder with a longer "
        f"history, {HISTORY_BARS} bars of 4h and more"
    )


def _candles(market: Market, symbol: str) -> OHLCV:
    if market.name == "simulated":
        end = SIMULATED_FROM_MS + SIMULATED_BARS * BAR_MS
        return OHLCV(*market.bars(symbol, TIMEFRAME.value, SIMULATED_FROM_MS, end).columns())
    return OHLCV(*market.bars(symbol, TIMEFRAME.value, 0, 1 << 62).columns())


def _plots(symbol: str, candles: OHLCV) -> Iterator[Plot]:
    done = trades(candles)
    ranges = breakouts(candles).ranges
    record = trend_sentence(done.outcomes.r_multiple) if len(done) else ""
    for row, exited_at in zip(done.rows, done.outcomes.exited_at, strict=True):
        last = int(np.searchsorted(candles.open_time, exited_at))
        if (
            row < HISTORY_BARS or last - row != (exited_at - candles.open_time[row]) // BAR_MS
        ):  # a gap between
            continue
        stop = float(candles.close[row] - FROZEN.trail_atr * ranges[row])
        acting = stops_along(plan_of(stop), sign=1, closes=candles.close[row:last], ranges=ranges[row:last])
        passed = np.flatnonzero(acting > candles.close[row])
        if len(passed):
            yield Plot(
                symbol=symbol,
                decided_at=int(candles.open_time[row]) + BAR_MS,
                raised_at=int(candles.open_time[row + int(passed[0])]) + BAR_MS,
                exited_at=int(exited_at) + BAR_MS,
                record=record,
            )
