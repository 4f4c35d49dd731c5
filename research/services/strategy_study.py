"""What strategies would have done over a stretch of candles: every signal followed to its end, after costs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from math import isfinite

import numpy as np
import numpy.typing as npt

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.cost_rates import CostRates, rates_of_pair
from signals.engine.hybrid import BASE_TIMEFRAME, TIMEFRAME_WEIGHTS, VALIDITY_BARS, explain, opinions
from signals.engine.moment import instant, milliseconds
from signals.engine.outcome import follow_plans
from signals.engine.pairing import best_partners
from signals.engine.regime import regimes
from signals.engine.session import TradingSession, sessions_at
from signals.engine.strategy import DecisionContext, StrategySeries, StrategySignal
from signals.engine.timeframe import WINDOW_BARS, Timeframe, resample
from signals.engine.volatility import FittedVolatility, fit_volatility, forecast
from signals.services.volatility import FITTED_BARS

FUSED = "fused"
SESSIONS = tuple(TradingSession)
SUB_STEPS = 12
REFIT_DAYS = 7

Markets = Mapping[str, OHLCV]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """One row per signal that ended. regime: place in REGIMES, -1 unknown; open_sessions: (rows, SESSIONS)."""

    confidence: FloatArray
    r_multiple: FloatArray
    regime: npt.NDArray[np.int8]
    open_sessions: BoolArray

    def __len__(self) -> int:
        return len(self.r_multiple)

    def chosen(self, rows: BoolArray) -> "Trades":
        return Trades(*(getattr(self, each.name)[rows] for each in fields(self)))


@dataclass(frozen=True, slots=True)
class Study:
    """Trades by strategy; `missing`: why a strategy could not judge; `decisions`: how many the fused ones are of."""

    trades: Mapping[str, Trades]
    missing: Mapping[str, str]
    decisions: int


def study(
    markets: Markets,
    *,
    start: datetime,
    end: datetime,
    every: int,
    on_market: Callable[[str], None],
    longer: Mapping[str, Mapping[Timeframe, OHLCV]] | None = None,
) -> Study:
    """Signals of base bars that close in [start, end), of each strategy alone and of the fused decision.

    markets: base candles by symbol, from 500 days before `start` on. Each strategy reads all bars at once,
    the first market as partner (the first one the second); every `every`-th close is decided by `explain` on
    windows of 500 bars, as live does, with volatility fit and partner from the 90 days before, made anew every
    REFIT_DAYS days (live does so daily). `on_market` hears of each market that begins. longer: candles of longer
    timeframes by symbol, made of the base's where they are not given.
    """
    found: dict[str, list[Trades]] = {}
    missing: dict[str, str] = {}
    decisions = 0
    symbols = list(markets)
    for symbol, base in markets.items():
        on_market(symbol)
        rates = rates_of_pair(symbol)
        partner = markets[symbols[1] if symbol == symbols[0] else symbols[0]] if len(markets) > 1 else None
        closes = base.open_time + BASE_TIMEFRAME.milliseconds
        first, last = np.searchsorted(closes, (milliseconds(start), milliseconds(end)))
        begin = max(int(first) - WINDOW_BARS, 0)
        window, row = base[begin:], np.arange(begin, len(base))
        context = DecisionContext(as_of=end, partner=partner)
        for name, series in opinions(window, context).items():
            asked = np.flatnonzero((series.direction != 0) & (row >= first) & (row < last))
            found.setdefault(name, []).append(_followed(window, _levels(series, asked), rates))
            if series.missing:
                missing[name] = series.missing
        rows = range(int(first), int(last), every)
        decisions += len(rows)
        found.setdefault(FUSED, []).append(
            _followed(base, dict(_decided(markets, symbol, rows, (longer or {}).get(symbol, {}))), rates)
        )
    return Study({name: _joined(each) for name, each in found.items()}, missing, decisions)


def random_walks(markets: Markets, *, seed: int) -> dict[str, OHLCV]:
    """For each market a Gaussian walk of the same times, first price and deviation of log returns.

    Each bar is made of SUB_STEPS smaller steps, so that highs and lows belong to the walk. Volumes are the
    market's own, shuffled.
    """
    rng = np.random.default_rng(seed)
    walks = {}
    for symbol, real in markets.items():
        deviation = float(np.diff(np.log(real.close)).std()) / np.sqrt(SUB_STEPS)
        steps = np.cumsum(rng.normal(-(deviation**2) / 2, deviation, len(real) * SUB_STEPS))
        path = real.open[0] * np.exp(np.concatenate(([0.0], steps)))
        opened, closed = path[:-1:SUB_STEPS], path[SUB_STEPS::SUB_STEPS]
        inside = path[1:].reshape(len(real), SUB_STEPS)
        walks[symbol] = OHLCV(
            real.open_time,
            opened,
            np.maximum(opened, inside.max(axis=1)),
            np.minimum(opened, inside.min(axis=1)),
            closed,
            rng.permutation(real.volume),
        )
    return walks


def _levels(series: StrategySeries, rows: npt.NDArray[np.intp]) -> dict[int, StrategySignal]:
    signals = {int(row): series.signal(int(row)) for row in rows}
    return {row: signal for row, signal in signals.items() if signal}


def _decided(
    markets: Markets, symbol: str, rows: range, known: Mapping[Timeframe, OHLCV]
) -> Iterator[tuple[int, StrategySignal]]:
    base, stale_at = markets[symbol], 0
    longer = {
        timeframe: known.get(timeframe) or resample(base, timeframe.value, BASE_TIMEFRAME)
        for timeframe in TIMEFRAME_WEIGHTS
        if timeframe is not BASE_TIMEFRAME
    }
    for row in rows:
        closed_at = int(base.open_time[row]) + BASE_TIMEFRAME.milliseconds
        windows = {timeframe: _window(candles, timeframe, closed_at) for timeframe, candles in longer.items()}
        windows[BASE_TIMEFRAME] = base[max(row + 1 - WINDOW_BARS, 0) : row + 1]
        if closed_at >= stale_at:
            knowledge = known_at(markets, symbol, closed_at)
            stale_at = closed_at + REFIT_DAYS * Timeframe.D1.milliseconds
        signal = explain(windows, knowledge.context(windows[BASE_TIMEFRAME], closed_at)).signal
        if signal:
            yield row, signal


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What live would have stored at some moment: a fit, and all bars of the chosen partner."""

    fitted: FittedVolatility
    partner: OHLCV | None

    def context(self, base: OHLCV, closed_at: int) -> DecisionContext:
        expected = forecast(self.fitted, np.diff(np.log(base.close)), VALIDITY_BARS)
        return DecisionContext(
            as_of=instant(closed_at),
            volatility=expected if self.fitted.qlike and isfinite(expected) else None,
            partner=_window(self.partner, BASE_TIMEFRAME, closed_at) if self.partner is not None else None,
        )


def known_at(markets: Markets, symbol: str, closed_at: int) -> Knowledge:
    """Fit and partner of `symbol` from the 90 days of hours that had closed at `closed_at` (UTC ms)."""
    first = closed_at - (FITTED_BARS + 1) * BASE_TIMEFRAME.milliseconds
    closes = np.full((FITTED_BARS + 1, len(markets)), np.nan)
    for column, candles in enumerate(markets.values()):
        begin, end = np.searchsorted(candles.open_time, (first, closed_at))
        place = (candles.open_time[begin:end] - first) // BASE_TIMEFRAME.milliseconds
        closes[place, column] = candles.close[begin:end]
    own = list(markets).index(symbol)
    ours = closes[np.isfinite(closes[:, own]), own]
    partner = int(best_partners(closes)[0][own])
    chosen = list(markets.values())[partner] if partner >= 0 else None
    return Knowledge(fit_volatility(np.diff(np.log(ours))), chosen)


def _window(candles: OHLCV, timeframe: Timeframe, closed_at: int) -> OHLCV:
    end = int(np.searchsorted(candles.open_time, closed_at - timeframe.milliseconds, side="right"))
    return candles[max(end - WINDOW_BARS, 0) : end]


def _followed(candles: OHLCV, signals: Mapping[int, StrategySignal], rates: CostRates) -> Trades:
    """What became of signals by the row of `candles` at whose close they were decided."""
    rows = np.fromiter(signals, dtype=np.int64, count=len(signals))
    each = list(signals.values())
    outcomes = follow_plans(
        candles,
        rows=rows,
        directions=[signal.direction.sign for signal in each],
        entry_prices=[signal.entry_price for signal in each],
        plans=[signal.exit_plan for signal in each],
        rates=rates,
    )
    closes = (instant(int(moment) + BASE_TIMEFRAME.milliseconds) for moment in candles.open_time[rows])
    open_sessions = [[session in open_now for session in SESSIONS] for open_now in map(sessions_at, closes)]
    trades = Trades(
        confidence=np.array([signal.confidence for signal in each], dtype=np.float64),
        r_multiple=outcomes.r_multiple,
        regime=regimes(candles)[rows],
        open_sessions=np.array(open_sessions, dtype=np.bool_).reshape(len(each), len(SESSIONS)),
    )
    return trades.chosen(outcomes.ended)


def _joined(trades: list[Trades]) -> Trades:
    return Trades(
        *(np.concatenate([getattr(each, column.name) for each in trades]) for column in fields(Trades))
    )
