"""What the trend rule did on candle files, beside entries that know nothing, and as a portfolio."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from signals.engine.candle import OHLCV, FloatArray, TimeArray
from signals.engine.cost_rates import NO_COSTS, SPOT_COSTS, CostRates, rates_of_pair
from signals.engine.evidence import Measured, measure, week_of
from signals.engine.indicators.contract import ta_lib
from signals.engine.moment import instant, milliseconds
from signals.engine.performance import max_drawdown, sharpe_ratio
from signals.engine.timeframe import Timeframe
from signals.engine.trend import FROZEN, TIMEFRAME, TrendSettings, TrendTrades, breakouts, taken

COIN_SEED = 2026
DAYS_A_YEAR = 365
RISKED = 0.01  # of the equity, in each trade of the portfolio
MAJORS = ("BTC", "ETH", "BNB", "SOL", "XRP", "ADA", "DOGE", "AVAX", "LINK", "DOT")

Markets = Mapping[str, OHLCV]
Entries = Callable[[OHLCV, TrendSettings], tuple[npt.NDArray[np.intp], npt.NDArray[np.int8]]]


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """Trades of all markets, one row each. closed_at: of the bar on which it was decided, UTC ms."""

    closed_at: TimeArray
    net: FloatArray
    gross: FloatArray
    hours: FloatArray

    def __len__(self) -> int:
        return len(self.net)

    def chosen(self, rows: npt.NDArray[np.bool_]) -> "Results":
        return Results(*(getattr(self, each.name)[rows] for each in fields(self)))

    def measured(self) -> Measured:
        return measure(self.net, week_of(self.closed_at))


@dataclass(frozen=True, slots=True)
class Curve:
    """A portfolio's daily returns."""

    days: TimeArray
    returns: FloatArray

    def figures(self, chosen: npt.NDArray[np.bool_]) -> tuple[float, float]:
        """Annual Sharpe and the worst drawdown of the chosen days."""
        kept = self.returns[chosen]
        return sharpe_ratio(kept, DAYS_A_YEAR), max_drawdown(kept)


def read_on(candles: OHLCV, since: int) -> int:
    """The first row that closes at `since` (UTC ms) or later."""
    return int(np.searchsorted(candles.open_time + TIMEFRAME.milliseconds, since))


def decides_from(candles: OHLCV, settings: TrendSettings = FROZEN) -> datetime | None:
    """The first close at which the rule has its look-back; None where the candles are too few."""
    if len(candles) < settings.lookback:
        return None
    return instant(int(candles.open_time[settings.lookback - 1]) + TIMEFRAME.milliseconds)


def breaking_out(
    candles: OHLCV, settings: TrendSettings
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int8]]:
    rows = breakouts(candles, settings).rows
    return rows, np.ones(len(rows), dtype=np.int8)


def breaking_down(
    candles: OHLCV, settings: TrendSettings
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int8]]:
    lowest = ta_lib.MIN(candles.close, timeperiod=settings.lookback)
    rows = np.flatnonzero(candles.close <= lowest)
    return rows, -np.ones(len(rows), dtype=np.int8)


def always_long(candles: OHLCV, settings: TrendSettings) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int8]]:
    rows = np.arange(settings.lookback - 1, len(candles))
    return rows, np.ones(len(rows), dtype=np.int8)


def by_coin(candles: OHLCV, settings: TrendSettings) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int8]]:
    rows, _ = always_long(candles, settings)
    rng = np.random.default_rng((COIN_SEED, int(candles.close[0] * 1e6)))
    return rows, rng.choice(np.array([-1, 1], dtype=np.int8), len(rows))


ENTRIES: Mapping[str, Entries] = {
    "the rule": breaking_out,
    "always long, same exits": always_long,
    "coin direction, same exits": by_coin,
    "its short mirror": breaking_down,
}


def results(markets: Markets, entries: Entries, settings: TrendSettings, since: datetime | None) -> Results:
    """Trades decided at `since` or later (None: all); a trade held at `since` still bars the next."""
    found = []
    for name, candles in markets.items():
        if len(candles) < settings.lookback:
            continue
        rows, directions = entries(candles, settings)
        each = decided(candles, rows, settings, directions, rates=rates_of_pair(name))
        found.append(each if since is None else each.chosen(each.closed_at >= milliseconds(since)))
    return joined(found)


def decided(
    candles: OHLCV,
    rows: npt.NDArray[np.intp],
    settings: TrendSettings,
    directions: npt.NDArray[np.int8] | None = None,
    *,
    rates: CostRates = SPOT_COSTS,
) -> Results:
    """The trades of entries at `rows`, one at a time. What was decided with costs is what is followed without."""
    series = breakouts(candles, settings)
    net = taken(candles, rows, series, settings, directions=directions, rates=rates)
    gross = taken(candles, rows, series, settings, directions=directions, rates=NO_COSTS)
    return Results(
        closed_at=candles.open_time[net.rows] + TIMEFRAME.milliseconds,
        net=net.outcomes.r_multiple,
        gross=gross.outcomes.r_multiple,
        hours=(net.outcomes.exited_at - net.outcomes.entered_at) / Timeframe.H1.milliseconds,
    )


def joined(found: Sequence[Results]) -> Results:
    if not found:
        return Results(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0), np.empty(0))
    return Results(*(np.concatenate([getattr(each, c.name) for each in found]) for c in fields(Results)))


def portfolio(markets: Markets, settings: TrendSettings = FROZEN) -> Curve:
    """Each trade risks RISKED of the equity, worth at most an equal share of it, after costs; daily returns."""
    share = 1 / max(len(markets), 1)
    columns = {}
    for name, candles in markets.items():
        if len(candles) < settings.lookback:
            continue
        rows, directions = breaking_out(candles, settings)
        rates = rates_of_pair(name)
        done = taken(
            candles, rows, breakouts(candles, settings), settings, directions=directions, rates=rates
        )
        columns[name] = _earned(candles, done, share, rates)
    return _daily({name: markets[name] for name in columns}, columns)


def held(markets: Markets) -> Curve:
    """The same money in each market, spread anew at every bar and free of costs; what had not begun has no share."""
    columns = {
        name: np.concatenate(([np.nan], np.diff(each.close) / each.close[:-1]))
        for name, each in markets.items()
        if len(each)
    }
    return _daily({name: markets[name] for name in columns}, columns, mean=True)


def _earned(candles: OHLCV, done: TrendTrades, share: float, rates: CostRates) -> FloatArray:
    """What each bar added to the equity, as a ratio of it."""
    bars, costs = np.zeros(len(candles)), rates.round_trip / 2
    first = np.searchsorted(candles.open_time, done.outcomes.entered_at)
    last = np.searchsorted(candles.open_time, done.outcomes.exited_at)
    for begin, end, leave, risk in zip(first, last, done.outcomes.exit_price, done.risk_ratio, strict=True):
        marks = np.concatenate(([candles.open[begin]], candles.close[begin:end], [leave]))
        weight = min(RISKED / float(risk), share)
        steps = weight * np.diff(marks) / marks[:-1]
        steps[0] -= weight * costs
        steps[-1] -= weight * costs
        bars[begin : end + 1] += steps
    return bars


def _daily(markets: Markets, columns: Mapping[str, FloatArray], *, mean: bool = False) -> Curve:
    """Bars of all markets as one account's days."""
    times = np.unique(np.concatenate([each.open_time for each in markets.values()]))
    table = np.full((len(times), len(columns)), np.nan)
    for place, (name, column) in enumerate(columns.items()):
        table[np.searchsorted(times, markets[name].open_time), place] = column
    known = np.maximum((~np.isnan(table)).sum(axis=1), 1)
    total = np.nansum(table, axis=1) / (known if mean else 1)
    days, of_day = np.unique(times // Timeframe.D1.milliseconds, return_inverse=True)
    growth = np.zeros(len(days))
    np.add.at(growth, of_day, np.log1p(np.maximum(total, -0.999)))
    return Curve(days * Timeframe.D1.milliseconds, np.expm1(growth))


@dataclass(frozen=True, slots=True)
class TrendStudy:
    """Everything that the page tells: results by settings and way of entering, and portfolios."""

    settings: Sequence[TrendSettings]
    results: Mapping[TrendSettings, Mapping[str, Results]]
    curves: Mapping[str, Curve]
    begins: Mapping[str, datetime | None]


def study_trend(markets: Markets, *, since: datetime | None, on_step: Callable[[str], None]) -> TrendStudy:
    """`markets`: 4h candles by pair. The rule of the first study (k = 3) and the frozen one."""
    asked = (replace(FROZEN, trail_atr=3.0), FROZEN)
    found = {}
    for settings in asked:
        on_step(f"trend rule, L {settings.lookback}, k {settings.trail_atr:g}")
        found[settings] = {
            name: results(markets, entries, settings, since) for name, entries in ENTRIES.items()
        }
    on_step("portfolios")
    curves = {"the frozen rule": portfolio(markets), "equal weight, held": held(markets)}
    bitcoin = next((name for name in markets if name.startswith("BTC")), None)
    if bitcoin:
        curves["BTC, held"] = held({bitcoin: markets[bitcoin]})
    return TrendStudy(asked, found, curves, {name: decides_from(each) for name, each in markets.items()})
