"""What every strategy must do, whatever its idea."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from signals.engine.candle import OHLCV
from signals.engine.strategies import STRATEGIES
from signals.engine.strategy import DecisionContext, Direction, StrategyGroup, StrategySeries, WindowError
from signals.engine.timeframe import Timeframe
from tests.signals.engine.gate import Scene, context

CONTEXT = DecisionContext(as_of=datetime(2025, 1, 1, tzinfo=UTC))
NAMES = sorted(STRATEGIES)
LONG_ONLY = {"dca"}
WORDS = {
    "bollinger_mean_reversion": "Bollinger band",
    "confirmed": "agree on",
    "consensus": "votes say",
    "dca": "buy another part",
    "divergence": "RSI",
    "grid": "of the grid",
    "macd": "MACD",
    "market_making": "VWAP",
    "momentum": "times average",
    "moving_average": "EMA",
    "pairs_trading": "against its pair",
    "rsi": "RSI",
    "sentiment": "sentiment has become",
    "volatility_breakout": "times average",
}


def with_inputs(bars: OHLCV) -> Scene:
    """What every strategy reads besides candles: votes that are often silent, a mood, and a partner's closes."""
    rng = np.random.default_rng(8)
    votes = {name: rng.uniform(-1, 1, len(bars)) for name in (*NAMES, "model")}
    for name in set(NAMES) - {"sentiment", "pairs_trading"}:
        votes[name] *= rng.random(len(bars)) < 0.4
    return Scene(bars, votes)


def part(whole: Scene, rows: slice) -> Scene:
    return Scene(whole.ohlcv[rows], {name: vote[rows] for name, vote in whole.votes.items()})


def ask(name: str, scene: Scene) -> StrategySeries:
    return STRATEGIES[name].evaluate(scene.ohlcv, context(scene))


def mirrored(scene: Scene) -> Scene:
    """The same market upside down: rises become falls of the same size in log price."""
    bars = scene.ohlcv
    columns = [100 * 100 / column for column in (bars.open, bars.low, bars.high, bars.close)]
    votes = {name: -vote for name, vote in scene.votes.items()}
    return Scene(OHLCV(bars.open_time, *columns, bars.volume), votes)


def test_the_registry_knows_each_strategy_by_its_own_name_and_group() -> None:
    assert {name: (each.name, each.group) for name, each in STRATEGIES.items()} == {
        name: (name, StrategyGroup(group))
        for group, names in {
            "trend_following": ("moving_average", "macd", "confirmed"),
            "mean_reversion": ("rsi", "bollinger_mean_reversion", "grid", "divergence"),
            "momentum": ("momentum", "volatility_breakout"),
            "market_making": ("market_making", "dca"),
            "sentiment_based": ("sentiment", "pairs_trading", "consensus"),
        }.items()
        for name in names
    }


@pytest.mark.parametrize("name", NAMES)
def test_events_have_levels_confidence_and_a_reason(name: str, walk: Callable[..., OHLCV]) -> None:
    bars = walk(20_000, seed=2)
    series = ask(name, with_inputs(bars))
    rows = np.flatnonzero(series.direction)
    silent = series.direction == 0
    assert len(series) == len(bars)
    assert (series.direction > 0).sum() > 50
    assert (series.direction < 0).sum() > 50 or name in LONG_ONLY
    assert (series.confidence[silent] == 0).all()
    assert np.isnan(series.stop_loss[silent]).all()
    assert len(np.unique(series.confidence[rows].round(3))) > 50
    assert 0.3 <= series.confidence[rows].min() < 0.55
    assert 0.65 < series.confidence[rows].max() <= 0.95
    for row in rows:
        signal = series.signal(int(row))  # refuses levels in the wrong order
        assert signal is not None
        assert signal.entry_price == bars.close[row]
        assert WORDS[name] in signal.reasons[0]
        assert re.search(r"\d", signal.reasons[0])


@pytest.mark.parametrize("name", NAMES)
def test_the_last_row_of_a_shorter_window_says_the_same_as_that_row_of_a_longer_one(
    name: str, walk: Callable[..., OHLCV]
) -> None:
    scene = with_inputs(walk(1_500, seed=4))
    whole = ask(name, scene)
    compared = 0
    for row in [*np.flatnonzero(whole.direction[600:]) + 600, *range(600, 1_500, 90)]:
        live = ask(name, part(scene, slice(row - 499, row + 1)))
        assert live.direction[-1] == whole.direction[row]
        np.testing.assert_allclose(live.confidence[-1], whole.confidence[row], rtol=1e-4)
        np.testing.assert_allclose(live.stop_loss[-1], whole.stop_loss[row], rtol=1e-6)
        compared += bool(whole.direction[row])
    assert compared > 5


@pytest.mark.parametrize("name", NAMES)
def test_a_window_short_of_the_minimum_is_refused_with_the_number(
    name: str, walk: Callable[..., OHLCV]
) -> None:
    strategy = STRATEGIES[name]
    strategy.evaluate(walk(strategy.minimum_bars, seed=1), CONTEXT)
    with pytest.raises(WindowError, match=f"{name} needs {strategy.minimum_bars} bars"):
        strategy.evaluate(walk(strategy.minimum_bars - 1, seed=1), CONTEXT)


@pytest.mark.parametrize("name", NAMES)
def test_a_market_that_never_moves_gives_no_event(name: str) -> None:
    rows = 400
    flat = np.full(rows, 50.0)
    bars = OHLCV(np.arange(rows) * Timeframe.H1.milliseconds, flat, flat, flat, flat, np.zeros(rows))
    assert not ask(name, with_inputs(bars)).direction.any()


@pytest.mark.parametrize("name", sorted(set(NAMES) - LONG_ONLY))
def test_a_mirrored_market_mostly_mirrors_the_events(name: str, walk: Callable[..., OHLCV]) -> None:
    # Not exactly: averages of reciprocals are not reciprocals of averages.
    scene = with_inputs(walk(5_000, seed=6))
    ours, theirs = ask(name, scene).direction, ask(name, mirrored(scene)).direction
    both = (ours != 0) & (theirs != 0)
    assert (ours[both] == -theirs[both]).all()
    # A steady market is calm, or not, by a hair.
    assert both.sum() > (0.3 if name == "market_making" else 0.7) * (ours != 0).sum()


def test_rsi_buys_the_recovery_after_a_fall_and_says_how_deep_it_went(walk: Callable[..., OHLCV]) -> None:
    calm = 100 + np.sin(np.arange(300.0))
    close = np.concatenate((calm, calm[-1] - 2.0 * np.arange(1, 9), calm[-1] - 16 + 3.0 * np.arange(1, 6)))
    opens = np.concatenate((close[:1], close[:-1]))
    times = np.arange(len(close)) * Timeframe.H1.milliseconds
    spread = 0.5
    bars = OHLCV(
        times, opens, np.maximum(opens, close) + spread, np.minimum(opens, close) - spread, close, close
    )
    series = STRATEGIES["rsi"].evaluate(bars, CONTEXT)
    rows = np.flatnonzero(series.direction[300:]) + 300
    assert series.direction[rows].tolist() == [1]
    assert rows[0] > 307  # after the fall has ended, not inside it
    assert "back above 30" in series.reason(int(rows[0]))


@pytest.mark.parametrize("name", ["macd", "moving_average"])
def test_trend_followers_buy_when_a_fall_turns_into_a_rise(name: str) -> None:
    close = np.concatenate((200 - 4e-4 * np.arange(350.0) ** 2, 151 + 0.8 * np.arange(1, 100.0)))
    times = np.arange(len(close)) * Timeframe.H1.milliseconds
    bars = OHLCV(times, close, close + 0.3, close - 0.3, close, close)
    series = STRATEGIES[name].evaluate(bars, CONTEXT)
    after = series.direction[350:]
    assert after[np.flatnonzero(after)[0]] == 1


@pytest.mark.parametrize("name", ["sentiment", "pairs_trading", "consensus", "confirmed"])
def test_a_strategy_without_its_input_says_so_and_is_silent(name: str, walk: Callable[..., OHLCV]) -> None:
    series = STRATEGIES[name].evaluate(walk(500, seed=1), CONTEXT)
    assert series.missing.startswith("input missing: ")
    assert not series.direction.any()
    assert series.signal() is None


def test_a_partner_that_lacks_candles_is_no_partner(walk: Callable[..., OHLCV]) -> None:
    bars = walk(500, seed=1)
    assert (
        "no candles" in STRATEGIES["pairs_trading"].evaluate(bars, replace(CONTEXT, partner=bars[:0])).missing
    )
    late = replace(CONTEXT, partner=walk(400, seed=2)[:-1])
    assert "lacks some of the last" in STRATEGIES["pairs_trading"].evaluate(bars, late).missing
    whole = replace(CONTEXT, partner=walk(500, seed=2))
    assert not STRATEGIES["pairs_trading"].evaluate(bars, whole).missing


def test_a_reading_that_stopped_silences_the_last_bar_and_not_the_past(walk: Callable[..., OHLCV]) -> None:
    mood = np.append(np.where(np.arange(499) < 400, 0.0, 0.5), np.nan)
    series = STRATEGIES["sentiment"].evaluate(walk(500, seed=1), replace(CONTEXT, sentiment=mood))
    assert series.missing == "input missing: no sentiment reading for the last bar"
    assert np.flatnonzero(series.direction).tolist() == [400]


def test_an_instrument_that_fell_alone_is_cheap_against_its_pair(walk: Callable[..., OHLCV]) -> None:
    partner = walk(500, seed=3)
    own = np.where(np.arange(500) == 499, 0.97, 1 + 0.001 * np.sin(np.arange(500)))
    columns = (column * own for column in (partner.open, partner.high, partner.low, partner.close))
    bars = OHLCV(partner.open_time, *columns, partner.volume)
    signal = STRATEGIES["pairs_trading"].evaluate(bars, replace(CONTEXT, partner=partner)).signal()
    assert signal is not None
    assert signal.direction is Direction.LONG


@pytest.mark.parametrize(
    ("mood", "said"), [(0.5, 1), (-0.31, -1), (0.29, 0), ([0.5, 0.6], 0), ([0.1, 0.6], 1)]
)
def test_sentiment_speaks_when_the_mood_becomes_clear(
    mood: float | list[float], said: int, walk: Callable[..., OHLCV]
) -> None:
    told = replace(CONTEXT, sentiment=mood if isinstance(mood, float) else np.array(mood))
    assert STRATEGIES["sentiment"].evaluate(walk(500, seed=1), told).direction[-1] == said


def test_a_consensus_needs_three_voices_most_of_which_agree(walk: Callable[..., OHLCV]) -> None:
    def asked(*now: float) -> int:
        votes = {str(place): np.array([0.0, vote]) for place, vote in enumerate(now)}
        return int(
            STRATEGIES["consensus"].evaluate(walk(500, seed=1), replace(CONTEXT, votes=votes)).direction[-1]
        )

    assert asked(0.5, 0.6, 0.7) == 1
    assert asked(-0.5, -0.6, -0.7, 0.2) == -1
    assert asked(0.5, 0.6, -0.7, -0.4) == 0
    assert asked(0.5, 0.6, 0.0) == 0
    assert asked(0.1, 0.1, 0.1) == 0


def test_a_confirmation_needs_a_strong_trend_and_no_dissent() -> None:
    close = 100 * 1.002 ** np.arange(500.0) * (1 + 0.0005 * np.sin(np.arange(500.0)))
    bars = OHLCV(
        np.arange(500) * Timeframe.H1.milliseconds, close, close * 1.001, close * 0.999, close, close
    )

    def asked(**now: float) -> int:
        votes = {name: np.array([0.0, vote]) for name, vote in now.items()}
        return int(STRATEGIES["confirmed"].evaluate(bars, replace(CONTEXT, votes=votes)).direction[-1])

    assert asked(macd=0.6, momentum=0.5) == 1
    assert asked(macd=-0.6, momentum=-0.5) == 0  # against the trend
    assert asked(macd=0.6, momentum=0.5, moving_average=-0.4) == 0
    assert asked(macd=0.6, momentum=0.0) == 0


def test_dca_buys_a_step_below_one_high_once_though_the_high_is_met_again() -> None:
    dip = np.concatenate((100 - 0.3 * np.arange(1, 11), 97 + 0.3 * np.arange(1, 11)))
    close = np.round(np.concatenate((np.full(400, 100.0), dip, dip)), 6)
    bars = OHLCV(np.arange(440) * Timeframe.H1.milliseconds, close, close + 0.4, close - 0.4, close, close)
    series = STRATEGIES["dca"].evaluate(bars, CONTEXT)
    assert series.entry_price[series.direction > 0].tolist() == [pytest.approx(97.3)]


def test_dca_buys_each_deeper_step_of_a_calm_fall_once() -> None:
    fall = np.concatenate((np.full(400, 100.0), 100 - 0.25 * np.arange(1, 41)))
    close = fall + 0.05 * np.sin(np.arange(440.0))
    bars = OHLCV(np.arange(440) * Timeframe.H1.milliseconds, close, close + 0.4, close - 0.4, close, close)
    series = STRATEGIES["dca"].evaluate(bars, CONTEXT)
    prices = series.entry_price[series.direction > 0]
    assert len(prices) >= 2
    assert (np.diff(prices) < 0).all()
    assert np.diff(prices).max() < -1  # about three ranges of .8 to .9 lie between two parts
