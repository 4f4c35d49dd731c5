"""How each public part of the engine is run, for the gate that scrambles its future."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

import numpy as np

from signals.engine import fill
from signals.engine.costs import SPOT_COSTS
from signals.engine.fill.batch import step_book
from signals.engine.fill.book import end_position, wait
from signals.engine.fill.layout import CASH, COUNT, LOTS, BookOrder, new_row
from signals.engine.fill.terms import terms_row
from signals.engine.hybrid import HybridSettings, decisions, opinions
from signals.engine.indicators.momentum import rsi
from signals.engine.outcome import Outcomes, follow
from signals.engine.patterns.anomaly import anomaly_features
from signals.engine.patterns.divergence import divergence
from signals.engine.patterns.isolation_forest import anomaly_score, fit_isolation_forest
from signals.engine.patterns.multi_timeframe import pattern_scores
from signals.engine.policy_features import NAMES, policy_features, windows_of
from signals.engine.strategy import aligned, beginnings, build_series, crossings, recent_extreme, signs
from signals.engine.timeframe import Timeframe, resample
from signals.engine.trend import FROZEN, breakouts
from signals.engine.volatility import (
    FittedVolatility,
    GarchFit,
    HarFit,
    VolatilityModel,
    ewma_variances,
    forecast,
    garch_variances,
    har_variances,
)
from tests.signals.engine.gate import (
    Case,
    Scene,
    context,
    series_columns,
)

TICK = 0.1

Columns = Mapping[str, np.ndarray]
Trade = Callable[[fill.State, fill.Bar, tuple[int, ...]], tuple[fill.State, fill.BarFills]]
ANY_KIND = (fill.MARKET, fill.LIMIT, fill.STOP)


def next_bar(state: fill.State, bar: fill.Bar, kinds: tuple[int, ...]) -> tuple[fill.State, fill.BarFills]:
    """What the system does: the bar is filled first, and only then is something decided on its close."""
    state, fills = fill.step(state, bar, SPOT_COSTS.in_ppm())
    return decided(state, bar.close, kinds), fills


def same_bar(state: fill.State, bar: fill.Bar, kinds: tuple[int, ...]) -> tuple[fill.State, fill.BarFills]:
    """The mutant: decided on this bar's close, and filled inside this bar."""
    return fill.step(decided(state, bar.close, kinds), bar, SPOT_COSTS.in_ppm())


def same_close(state: fill.State, bar: fill.Bar, kinds: tuple[int, ...]) -> tuple[fill.State, fill.BarFills]:
    """The other mutant: what was ordered before fills at the close instead of the open."""
    late = fill.Bar(bar.open_time, bar.close, bar.close, bar.close, bar.close)
    return next_bar(state, late, kinds)


def decided(state: fill.State, close: int, kinds: tuple[int, ...]) -> fill.State:
    """Some decision that depends on the close."""
    held = state.position
    if held.lots == 0:
        return fill.place(fill.cancel(state), order_after(close, kinds))
    if close % 11 == 0:
        return fill.close_position(state)
    return fill.move_exits(state, held.stop + (close % 3 - 1), held.target)


def order_after(close: int, kinds: tuple[int, ...]) -> fill.EntryOrder:
    """Side, kind and size by the last digits of the close, levels around it."""
    side, kind = 1 if close % 2 else -1, kinds[close // 2 % len(kinds)]
    price = max(close + (side if kind == fill.STOP else -side) * (close // 500), 2)
    stop, target = price - side * max(close // 80, 1), price + side * max(close // 60, 1)
    return fill.EntryOrder(side, kind, price, 3 + close % 5, stop, target, 4, 30)


def booked(trade: Trade) -> Callable[[Scene], Columns]:
    """Money and position after each bar, of orders of every kind."""

    def row(state: fill.State, bar: fill.Bar, fills: fill.BarFills) -> tuple[int, ...]:
        return state.cash, state.position.lots, fill.equity(state, bar.close)

    return traded(trade, ANY_KIND, row)


def entered(trade: Trade) -> Callable[[Scene], Columns]:
    """What market orders were filled at in each bar: known when it opens."""

    def row(state: fill.State, bar: fill.Bar, fills: fill.BarFills) -> tuple[int, ...]:
        return fills.opened.lots, fills.opened.price, fills.opened.fee

    return traded(trade, (fill.MARKET,), row)


def traded(
    trade: Trade,
    kinds: tuple[int, ...],
    row: Callable[[fill.State, fill.Bar, fill.BarFills], tuple[int, ...]],
) -> Callable[[Scene], Columns]:
    def run(given: Scene) -> Columns:
        state, rows = fill.new_state(-1), []
        for each in fill.bars_in_ticks(given.ohlcv, TICK).tolist():
            bar = fill.Bar(*each)
            state, fills = trade(state, bar, kinds)
            rows.append(row(state, bar, fills))
        return {str(place): column for place, column in enumerate(np.array(rows, dtype=np.int64).T)}

    return run


def stepped(given: Scene) -> Columns:
    """Money, position and orders after each bar, of a book whose orders are decided on closes."""
    terms = terms_row(fill.Grid(Decimal("0.1"), Decimal("0.01")), SPOT_COSTS)
    row, rows = new_row(-1, cash=10**12, free=10**12), []
    for each in fill.bars_in_ticks(given.ohlcv, TICK).tolist():
        step_book(row, np.array([*each, fill.UNKNOWN_VOLUME, 0, 0]), terms)
        close = each[-1]
        if row[LOTS] == 0 and row[COUNT] == 0:
            asked = order_after(close, ANY_KIND)
            wait(
                row,
                BookOrder(
                    side=asked.side,
                    kind=asked.kind,
                    price=asked.price,
                    lots=1 + close % 5,
                    good_bars=4,
                    stop=asked.stop,
                    target=asked.target,
                    trail=close // 40 if close % 3 == 0 else 0,
                    hold_bars=30,
                ),
            )
        elif close % 11 == 0:
            end_position(row)
        rows.append(row[[CASH, LOTS, COUNT]].copy())
    return {str(place): column for place, column in enumerate(np.array(rows).T)}


def followed(given: Scene) -> Columns:
    outcomes = outcomes_of(given)
    names = ("exit_reason", "exited_at", "entry_price", "exit_price", "returns", "best_r", "worst_r")
    return {name: getattr(outcomes, name) for name in names}


def exit_row(given: Scene) -> np.ndarray:
    outcomes, times = outcomes_of(given), given.ohlcv.open_time
    return np.where(outcomes.ended, np.searchsorted(times, outcomes.exited_at), len(times))


def outcomes_of(given: Scene) -> Outcomes:
    rows = np.arange(0, len(given.ohlcv), 5)
    entry, sign = given.ohlcv.close[rows], np.where(rows % 2, 1, -1)
    return follow(
        given.ohlcv,
        rows=rows,
        directions=sign,
        entry_prices=entry,
        stop_losses=entry * (1 - 0.02 * sign),
        take_profits=entry * (1 + 0.03 * sign),
    )


def resampled(given: Scene) -> Columns:
    longer = resample(given.ohlcv, Timeframe.H4)
    return {name: getattr(longer, name) for name in ("open_time", "open", "high", "low", "close", "volume")}


def bucket_complete(given: Scene) -> np.ndarray:
    last_slots = resample(given.ohlcv, Timeframe.H4).open_time + 3 * Timeframe.H1.milliseconds
    return np.searchsorted(given.ohlcv.open_time, last_slots)


def diverging(given: Scene) -> Columns:
    bars = given.ohlcv
    return divergence(bars.high, bars.low, rsi(bars.close))._asdict()


def unusual(given: Scene) -> Columns:
    """Fitted on what is past at every moment that is tried."""
    features = anomaly_features(given.ohlcv)
    forest = fit_isolation_forest(features[: len(features) // 3], seed=1, trees=5)
    return {"": anomaly_score(forest, features)}


def scored(given: Scene) -> Columns:
    longer = {timeframe: resample(given.ohlcv, timeframe) for timeframe in (Timeframe.H4, Timeframe.D1)}
    return pattern_scores({Timeframe.H1: given.ohlcv, **longer})


def built(given: Scene) -> Columns:
    bars = given.ohlcv
    return series_columns(
        build_series(
            "any",
            bars,
            events=crossings(bars.close - 200),
            confidence=bars.volume / 1e4,
            atr=bars.high - bars.low,
            stop_atr=1.0,
            target_atr=2.0,
            describe=str,
        )
    )


def rising_or_falling(given: Scene) -> np.ndarray:
    return signs(given.ohlcv.close > given.ohlcv.open, given.ohlcv.close < given.ohlcv.open)


def opinion_columns(given: Scene) -> Columns:
    told = opinions(given.ohlcv, context(given))
    return {f"{name} {column}": each for name in told for column, each in series_columns(told[name]).items()}


def decided_columns(given: Scene) -> Columns:
    """Without days: the usual scene has too few of them."""
    windows = {Timeframe.H1: given.ohlcv, Timeframe.H4: resample(given.ohlcv, Timeframe.H4)}
    chosen = HybridSettings(timeframe_weights={Timeframe.H1: 0.5, Timeframe.H4: 0.5}, still_limit=24)
    series = decisions(windows, chosen, context(given))
    names = ("why", "direction", "confidence", "score", "stop_loss", "take_profit", "strategy")
    return {name: getattr(series, name) for name in names} | {
        f"score {each}": column for each, column in zip(series.timeframes, series.scores.T, strict=True)
    }


def log_returns(given: Scene) -> np.ndarray:
    return np.diff(np.log(given.ohlcv.close))


def forecasts(given: Scene) -> Columns:
    """Of one stored fit, at some closes: what a decision there is told."""
    fitted = FittedVolatility(VolatilityModel.GARCH, GARCH, HAR, {})
    returns, ends = log_returns(given), range(500, len(given.ohlcv), 100)
    return {
        model: np.array([forecast(replace(fitted, chosen=model), returns[:end]) for end in ends])
        for model in VolatilityModel
    }


def broken_out(given: Scene) -> Columns:
    series = breakouts(given.ohlcv, replace(FROZEN, lookback=3))
    return {name: getattr(series, name) for name in ("direction", "ranges", "highest_before")}


def policy_columns(given: Scene) -> Columns:
    """Those that the scene is long enough for: not all of days, and without readings and a journal."""
    table = policy_features(windows_of(given.ohlcv))
    known = np.isfinite(table).mean(axis=0) > 0.9
    known[[NAMES.index("sentiment"), NAMES.index("journal")]] = False  # nothing is said here
    return {name: column for name, column, keep in zip(NAMES, table.T, known, strict=True) if keep}


# What is neither row-wise nor a strategy, by what runs it. A variance's row t is known at close t.
GARCH = GarchFit(0.0, 1e-5, 0.1, 0.8, 0.0, converged=True, fallback=False)
HAR = HarFit(1e-5, 0.4, 0.3, 0.2)
CASES: Mapping[str, Case] = {
    "signals.engine.fill.batch.step_book": Case(stepped, rows=500),
    "signals.engine.fill.single.step": Case(booked(next_bar), rows=500),
    "signals.engine.fill.single.place": Case(entered(next_bar), at_open=True, rows=500),
    "signals.engine.hybrid.hearing.opinions": Case(opinion_columns),
    "signals.engine.hybrid.series.decisions": Case(decided_columns),
    "signals.engine.outcome.follow": Case(followed, known_at=exit_row),
    "signals.engine.patterns.divergence.divergence": Case(diverging),
    "signals.engine.patterns.isolation_forest.anomaly_score": Case(unusual),
    "signals.engine.patterns.multi_timeframe.pattern_scores": Case(scored),
    "signals.engine.strategy.aligned": Case(
        lambda given: {"": aligned(given.votes["model"], len(given.ohlcv))}
    ),
    "signals.engine.strategy.beginnings": Case(lambda given: {"": beginnings(rising_or_falling(given))}),
    "signals.engine.strategy.build_series": Case(built),
    "signals.engine.strategy.crossings": Case(lambda given: {"": crossings(given.ohlcv.close - 200)}),
    "signals.engine.strategy.recent_extreme": Case(
        lambda given: {"": recent_extreme(given.ohlcv.close, 8, np.fmin)}
    ),
    "signals.engine.strategy.signs": Case(lambda given: {"": rising_or_falling(given)}),
    "signals.engine.volatility.ewma_variances": Case(lambda given: {"": ewma_variances(log_returns(given))}),
    "signals.engine.volatility.forecast": Case(
        forecasts, known_at=lambda given: np.arange(500, len(given.ohlcv), 100)
    ),
    "signals.engine.volatility.garch_variances": Case(
        lambda given: {"": garch_variances(log_returns(given), GARCH)}
    ),
    "signals.engine.volatility.har_variances": Case(
        lambda given: {"": har_variances(log_returns(given), HAR)}
    ),
    "signals.engine.timeframe.resample": Case(resampled, known_at=bucket_complete),
    "signals.engine.policy_features.policy_features": Case(policy_columns),
    "signals.engine.trend.breakouts": Case(broken_out),
}
