"""The series of decisions against `explain` on the windows that end at its rows."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from signals.engine.candle import OHLCV
from signals.engine.hybrid import (
    DEFAULTS,
    OUTCOMES,
    STRATEGY_NAMES,
    DecisionSeries,
    HybridSettings,
    Outcome,
    Why,
    decisions,
    explain,
)
from signals.engine.regime import REGIMES, UNKNOWN
from signals.engine.strategy import DecisionContext, StrategyGroup
from signals.engine.timeframe import Timeframe, resample

H1, H4, D1 = Timeframe.H1, Timeframe.H4, Timeframe.D1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Market = Mapping[Timeframe, OHLCV]


def instant(moment: int) -> datetime:
    return EPOCH + timedelta(milliseconds=moment)


def market_of(hourly: OHLCV) -> Market:
    return {H1: hourly, H4: resample(hourly, H4), D1: resample(hourly, D1)}


def context_of(hourly: OHLCV, seed: int) -> DecisionContext:
    """Everything that a context may hold, with holes where a provider was silent and a partner lacks bars."""
    rng = np.random.default_rng(seed)
    rows = len(hourly)
    mood = np.clip(np.cumsum(rng.normal(0, 0.15, rows)) % 2 - 1, -1, 1)
    mood[rng.random(rows) < 0.1] = np.nan
    forecast = rng.uniform(0.005, 0.06, rows)
    forecast[rng.random(rows) < 0.2] = np.nan
    there = rng.random(rows) > 0.004
    partner = OHLCV(
        *(
            column[there] * factor
            for column, factor in zip(
                (hourly.open_time, hourly.open, hourly.high, hourly.low, hourly.close, hourly.volume),
                (1, 2, 2, 2, 2, 1),
                strict=True,
            )
        )
    )
    return DecisionContext(
        as_of=instant(int(hourly.open_time[-1]) + H1.milliseconds),
        votes={"model": rng.uniform(-1, 1, rows)},
        sentiment=mood,
        volatility=forecast,
        partner=partner,
        round_trip_cost=0.0075,
        tick=0.01,
    )


def seen_at(context: DecisionContext, row: int, as_of: datetime) -> DecisionContext:
    """What of the context had been known at the close of a row."""
    return replace(
        context,
        as_of=as_of,
        votes={name: values[: row + 1] for name, values in context.votes.items()},
        sentiment=None if context.sentiment is None else np.asarray(context.sentiment)[: row + 1],
        volatility=None if context.volatility is None else np.asarray(context.volatility)[: row + 1],
    )


def windows_at(market: Market, as_of: datetime, bars: int | None) -> Market:
    now = (as_of - EPOCH) // timedelta(milliseconds=1)
    closed = {each: window.open_time + each.milliseconds <= now for each, window in market.items()}
    return {
        each: window[max(0, int(closed[each].sum()) - (bars or len(window))) : int(closed[each].sum())]
        for each, window in market.items()
    }


def assert_row_is_the_decision(
    series: DecisionSeries,
    row: int,
    market: Market,
    context: DecisionContext,
    settings: HybridSettings,
    bars: int | None,
) -> Why:
    as_of = instant(int(series.open_time[row]) + H1.milliseconds)
    told = explain(windows_at(market, as_of, bars), seen_at(context, row, as_of), settings)
    assert OUTCOMES[series.outcome[row]] is told.outcome, (row, Why(series.why[row]), told.reason)
    close = {"rel": 1e-9, "abs": 1e-12} if bars else {"rel": 0, "abs": 0}
    assert series.score[row] == pytest.approx(told.score, **close)
    if told.scores:
        expected = [told.scores[each] for each in series.timeframes]
        assert series.scores[row] == pytest.approx(expected, **close)
        places = [
            REGIMES.index(told.regimes[each]) if each in told.regimes else UNKNOWN
            for each in series.timeframes
        ]
        assert series.regimes[row].tolist() == places
    signal = told.signal
    assert (series.direction[row] != 0) == (signal is not None)
    if signal:
        assert series.direction[row] == signal.direction.sign
        assert STRATEGY_NAMES[series.strategy[row]] == signal.strategy
        found = [
            each[row]
            for each in (series.confidence, series.entry_price, series.stop_loss, series.take_profit)
        ]
        wanted = [signal.confidence, signal.entry_price, signal.stop_loss, signal.take_profit]
        assert found == pytest.approx(wanted, **close)
    else:
        assert series.confidence[row] == 0
        assert series.strategy[row] == -1
        assert np.isnan((series.stop_loss[row], series.take_profit[row])).all()
    return Why(series.why[row])


@pytest.fixture(scope="module")
def hourly(walk: Callable[..., OHLCV]) -> OHLCV:
    """Two years of a walk with missing hours, halts and a price that cannot be."""
    whole = walk(24 * 730, seed=5)
    rng = np.random.default_rng(6)
    there = rng.random(len(whole)) > 0.003
    there[9_000:9_060] = False
    columns = [
        getattr(whole, name)[there].copy() for name in ("open_time", "open", "high", "low", "close", "volume")
    ]
    for begin in rng.integers(8_000, len(columns[0]) - 100, 12):
        length = int(rng.integers(4, 40))
        for column in columns[1:5]:
            column[begin : begin + length] = columns[4][begin - 1]
    columns[3][12_345] = 0.0
    return OHLCV(*columns)


SETTINGS = HybridSettings(memory_bars=9, half_life_bars=4.0, minimum_score=0.1, stop_atr=1.5, still_limit=4)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [DEFAULTS, SETTINGS])
@pytest.mark.parametrize("bars", [None, 500])
def test_a_row_is_what_explain_says_on_the_window_that_ends_there(
    hourly: OHLCV, settings: HybridSettings, bars: int | None
) -> None:
    market, context = market_of(hourly), context_of(hourly, seed=7)
    series = decisions(market, settings, context)
    rng = np.random.default_rng(8)
    rare = np.concatenate([rng.permutation(np.flatnonzero(series.why == why))[:3] for why in Why])
    rows = np.concatenate((rng.integers(0, len(hourly), 25), rare))

    seen = {assert_row_is_the_decision(series, int(row), market, context, settings, bars) for row in rows}

    assert seen >= {
        Why.TOO_SHORT,
        Why.STILL,
        Why.WEAK,
        Why.NO_NEWS,
        Why.SIGNAL,
        Why.STOP_WITHIN_COSTS,
        Why.BAD_PRICE,
    }


@pytest.mark.parametrize("pair", ["BTCUSDT", "DOTUSDT"])
def test_a_row_of_a_real_market_is_what_explain_says(
    pair: str, recorded: Callable[[str, Timeframe], OHLCV]
) -> None:
    market = {each: recorded(pair, each)[-15_000:] for each in (H1, H4, D1)}
    context = DecisionContext(as_of=datetime(2026, 1, 1, tzinfo=UTC), round_trip_cost=0.0024)
    series = decisions(market, DEFAULTS, context)
    rng = np.random.default_rng(9)
    rows = np.concatenate((rng.integers(500, len(series), 60), rng.permutation(series.signal_rows)[:30]))

    seen = {assert_row_is_the_decision(series, int(row), market, context, DEFAULTS, 500) for row in rows}

    assert seen >= {Why.WEAK, Why.NO_NEWS, Why.SIGNAL}


def test_rows_after_as_of_are_refused_and_the_rest_is_as_without_them(hourly: OHLCV) -> None:
    market = market_of(hourly)
    whole = decisions(market, DEFAULTS, DecisionContext(as_of=datetime(2026, 1, 1, tzinfo=UTC)))
    early = decisions(market, DEFAULTS, DecisionContext(as_of=instant(int(hourly.open_time[9_500]))))

    assert (early.why[9_500:] == Why.NOT_CLOSED).all()
    assert (early.outcome[9_500:] == OUTCOMES.index(Outcome.REFUSED)).all()
    np.testing.assert_array_equal(early.why[:9_500], whole.why[:9_500])
    np.testing.assert_array_equal(early.stop_loss[:9_500], whole.stop_loss[:9_500])


@pytest.mark.slow
def test_the_close_of_a_day_whose_last_hour_is_missing_is_news_for_the_next_hour(
    walk: Callable[..., OHLCV],
) -> None:
    """Without the hour's candle, what happened on the day's was never fresh."""
    whole = walk(24 * 800, seed=11)
    plain = decisions(market_of(whole), DEFAULTS, DecisionContext(as_of=datetime(2026, 1, 1, tzinfo=UTC)))
    at_midnight = (whole.open_time + H1.milliseconds) % D1.milliseconds == 0
    next_signals = 0
    for row in plain.signal_rows:
        if not at_midnight[row] or row + 1 >= len(whole):
            continue
        there = np.arange(len(whole)) != row
        hourly = OHLCV(*(getattr(whole, name)[there] for name in whole.__slots__))
        market = {H1: hourly, H4: resample(whole, H4), D1: resample(whole, D1)}
        windows = windows_at(market, instant(int(hourly.open_time[row]) + H1.milliseconds), 500)
        told = explain(windows, DecisionContext(as_of=instant(int(hourly.open_time[row]) + H1.milliseconds)))
        daily = [vote for vote in told.votes if vote.timeframe is D1 and vote.age == 0]
        assert all(vote.fresh for vote in daily)
        next_signals += len(daily)
    assert next_signals > 3


def test_a_halted_market_is_refused_with_its_reason_and_goes_on_once_it_moves(
    walk: Callable[..., OHLCV],
) -> None:
    whole = walk(24 * 420, seed=12)
    columns = [
        getattr(whole, name).copy() for name in ("open_time", "open", "high", "low", "close", "volume")
    ]
    for column in columns[1:5]:
        column[-100:-60] = columns[4][-101]
    market = market_of(OHLCV(*columns))
    series = decisions(market, DEFAULTS, DecisionContext(as_of=datetime(2026, 1, 1, tzinfo=UTC)))

    assert (series.why[-95:-42] == Why.STILL).all()
    assert not (series.why[-41:] == Why.STILL).any()
    as_of = instant(int(whole.open_time[-70]) + H1.milliseconds)
    told = explain(windows_at(market, as_of, 500), DecisionContext(as_of=as_of))
    assert told.outcome is Outcome.REFUSED
    assert told.reason == "1h: the market stands still: at least 6 of the last 24 bars did not move"


@pytest.mark.parametrize("flat", [30, 100, 500])
@pytest.mark.parametrize("price", [100.0, 1e-8, 3.3e9])
def test_explain_never_raises_on_a_market_that_stood_still(
    walk: Callable[..., OHLCV], flat: int, price: float
) -> None:
    whole = walk(24 * 420, seed=13)
    columns = [
        getattr(whole, name).copy() for name in ("open_time", "open", "high", "low", "close", "volume")
    ]
    columns[1:5] = [column * (price / 100) for column in columns[1:5]]
    for column in columns[1:5]:
        column[-flat:] = columns[4][-flat - 1]
    market = market_of(OHLCV(*columns))
    loose = replace(DEFAULTS, still_bars=500, still_limit=500, minimum_score=0.0)
    for hours in range(0, 26, 5):
        as_of = datetime(2025, 1, 1, tzinfo=UTC) - timedelta(hours=hours)
        for settings in (DEFAULTS, loose):
            explain(windows_at(market, as_of, 500), DecisionContext(as_of=as_of), settings)


def test_a_stop_within_its_costs_or_a_few_ticks_is_refused_with_the_reason(hourly: OHLCV) -> None:
    market = market_of(hourly)
    free = DecisionContext(as_of=datetime(2026, 1, 1, tzinfo=UTC))
    rows = decisions(market, DEFAULTS, free).signal_rows
    dear = decisions(market, DEFAULTS, replace(free, round_trip_cost=0.009))
    coarse = decisions(market, DEFAULTS, replace(free, tick=5.0))

    assert set(dear.why[rows]) == {Why.SIGNAL, Why.STOP_WITHIN_COSTS}
    assert set(coarse.why[rows]) >= {Why.STOP_WITHIN_TICKS}
    distance = np.abs(dear.stop_loss - dear.entry_price)[dear.signal_rows]
    assert (distance >= 3 * 0.009 * dear.entry_price[dear.signal_rows]).all()
    row = next(row for row in rows if dear.why[row] == Why.STOP_WITHIN_COSTS)
    as_of = instant(int(hourly.open_time[row]) + H1.milliseconds)
    told = explain(windows_at(market, as_of, 500), replace(free, as_of=as_of, round_trip_cost=0.009))
    assert told.outcome is Outcome.REFUSED
    assert "nearer than 3 times the costs of 0.90%" in told.reason
    told = explain(windows_at(market, as_of, 500), replace(free, as_of=as_of, tick=500.0))
    assert told.outcome is Outcome.REFUSED
    assert "ticks away, nearer than 5" in told.reason


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"minimum_score": -0.1}, "minimum_score"),
        ({"memory_bars": 0}, "memory_bars"),
        ({"still_limit": 30}, "still_bars"),
        ({"timeframe_weights": {H4: 1.0}}, "timeframe_weights"),
        ({"timeframe_weights": {H1: -1.0}}, "negative"),
        ({"suited": {StrategyGroup.MOMENTUM: frozenset()}}, "every group"),
    ],
)
def test_settings_out_of_bounds_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HybridSettings(**changes)  # type: ignore[arg-type]


def test_a_single_timeframe_can_decide_alone(hourly: OHLCV) -> None:
    alone = HybridSettings(timeframe_weights={H1: 1.0})
    series = decisions({H1: hourly}, alone, DecisionContext(as_of=datetime(2026, 1, 1, tzinfo=UTC)))

    assert series.timeframes == (H1,)
    assert len(series.signal_rows) > 100


def test_a_window_that_is_not_given_is_named(hourly: OHLCV) -> None:
    with pytest.raises(ValueError, match="4h, 1d"):
        decisions({H1: hourly}, DEFAULTS, DecisionContext(as_of=datetime(2026, 1, 1, tzinfo=UTC)))
