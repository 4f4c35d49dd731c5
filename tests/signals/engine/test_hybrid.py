from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from math import exp

import numpy as np
import pytest

from signals.engine.candle import OHLCV
from signals.engine.hybrid import (
    STOP_ATR,
    STOP_DEVIATIONS,
    SUITED,
    VALIDITY_BARS,
    Decision,
    Outcome,
    decide,
    explain,
    opinions,
)
from signals.engine.hybrid.hearing import hear
from signals.engine.hybrid.settings import DEFAULTS
from signals.engine.regime import REGIMES, UNKNOWN, Regime, regimes
from signals.engine.strategies import STRATEGIES
from signals.engine.strategy import DecisionContext, Direction, StrategyGroup
from signals.engine.timeframe import Timeframe

H1, H4, D1 = Timeframe.H1, Timeframe.H4, Timeframe.D1
END = datetime(2025, 1, 1, tzinfo=UTC)
Market = Mapping[Timeframe, OHLCV]


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


def bucketed(hourly: OHLCV, timeframe: Timeframe) -> OHLCV:
    """Longer bars of an hourly series that starts at a midnight and has no gaps."""
    size = timeframe.milliseconds // H1.milliseconds
    rows = len(hourly) // size
    open_, high, low, close, volume = (
        column[: rows * size].reshape(rows, size)
        for column in (hourly.open, hourly.high, hourly.low, hourly.close, hourly.volume)
    )
    times = hourly.open_time[: rows * size : size]
    return OHLCV(times, open_[:, 0], high.max(axis=1), low.min(axis=1), close[:, -1], volume.sum(axis=1))


@pytest.fixture(scope="module")
def generated(walk: Callable[..., OHLCV]) -> Market:
    hourly = walk(24 * 420, seed=11)
    return {timeframe: bucketed(hourly, timeframe) for timeframe in (H1, H4, D1)}


def at(market: Market, as_of: datetime, bars: int = 500) -> Market:
    """What was closed at `as_of`, as the service would load it."""
    windows = {}
    for timeframe, candles in market.items():
        closed = int(
            np.searchsorted(candles.open_time + timeframe.milliseconds, milliseconds(as_of), "right")
        )
        windows[timeframe] = candles[max(0, closed - bars) : closed]
    return windows


def told(market: Market, as_of: datetime) -> Decision:
    return _told(tuple(market.items()), as_of)


@lru_cache(maxsize=2_000)  # many tests ask the same moments of the same market
def _told(market: tuple[tuple[Timeframe, OHLCV], ...], as_of: datetime) -> Decision:
    return explain(at(dict(market), as_of), DecisionContext(as_of=as_of))


def hours_before_end(count: int, step: int = 1) -> list[datetime]:
    return [END - timedelta(hours=hour) for hour in range(0, count * step, step)]


def scrambled(candles: OHLCV, timeframe: Timeframe, as_of: datetime, rng: np.random.Generator) -> OHLCV:
    """The same series with every bar that had not closed at `as_of` replaced by noise."""
    future = candles.open_time + timeframe.milliseconds > milliseconds(as_of)
    close = np.where(future, rng.uniform(1, 1_000, len(candles)), candles.close)
    open_ = np.where(future, rng.uniform(1, 1_000, len(candles)), candles.open)
    high = np.where(future, np.maximum(open_, close) + 1, candles.high)
    low = np.where(future, np.minimum(open_, close) * 0.5, candles.low)
    return OHLCV(candles.open_time, open_, high, low, close, candles.volume)


def assert_blind_to_the_future(market: Market, moments: list[datetime], seed: int) -> int:
    rng = np.random.default_rng(seed)
    signals = 0
    for as_of in moments:
        noise = {
            timeframe: scrambled(candles, timeframe, as_of, rng) for timeframe, candles in market.items()
        }
        honest = told(market, as_of)
        assert told(noise, as_of) == honest
        signals += honest.signal is not None
    return signals


@pytest.mark.slow
def test_scrambling_the_future_of_a_generated_market_changes_nothing(generated: Market) -> None:
    rng = np.random.default_rng(1)
    moments = [END - timedelta(hours=int(hour)) for hour in rng.integers(1, 2_000, 60)]
    signals = list(islice((hour for hour in hours_before_end(400) if told(generated, hour).signal), 10))
    assert assert_blind_to_the_future(generated, moments + signals, seed=2) >= 10


@pytest.mark.slow
def test_scrambling_the_future_of_real_markets_changes_nothing(
    recorded: Callable[[str, Timeframe], OHLCV],
) -> None:
    rng = np.random.default_rng(3)
    for pair in ("BTCUSDT", "DOTUSDT"):
        market = {timeframe: recorded(pair, timeframe)[-12_000:] for timeframe in (H1, H4, D1)}
        moments = [
            datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=int(hour))
            for hour in rng.integers(0, 8_700, 40)
        ]
        crash = [datetime(2025, 10, 10, 18, tzinfo=UTC) + timedelta(hours=hour) for hour in range(24)]
        assert assert_blind_to_the_future(market, moments + crash, seed=4) >= 2


@pytest.mark.slow
def test_real_markets_give_a_few_signals_a_day_of_many_confidences(
    recorded: Callable[[str, Timeframe], OHLCV],
) -> None:
    market = {timeframe: recorded("SOLUSDT", timeframe)[-12_000:] for timeframe in (H1, H4, D1)}
    moments = [datetime(2025, 6, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(0, 24 * 60, 5)]
    signals = [signal for moment in moments if (signal := told(market, moment).signal)]
    confidences = np.array([signal.confidence for signal in signals])
    assert 0.2 <= 5 * len(signals) / 60 <= 3
    assert len(np.unique(confidences.round(3))) > 0.5 * len(signals)
    assert np.quantile(confidences, 0.9) >= 0.7
    assert confidences.min() >= 0.4
    assert {signal.direction for signal in signals} == set(Direction)


@pytest.mark.slow
def test_decide_is_the_signal_of_explain(generated: Market) -> None:
    outcomes = set()
    for as_of in hours_before_end(150):
        windows, context = at(generated, as_of), DecisionContext(as_of=as_of)
        decision = explain(windows, context)
        assert decide(windows, context) == decision.signal
        assert (decision.signal is not None) == (decision.outcome is Outcome.SIGNAL)
        outcomes.add(decision.outcome)
    assert outcomes == {Outcome.SIGNAL, Outcome.NONE}


def test_the_score_is_the_weighted_mean_of_the_votes_and_gives_confidence_and_direction(
    generated: Market,
) -> None:
    seen = 0
    for as_of in hours_before_end(300):
        decision = told(generated, as_of)
        score = 0.0
        for timeframe, weight in {H1: 0.2, H4: 0.3, D1: 0.5}.items():
            votes = [vote.confidence for vote in decision.votes if vote.timeframe is timeframe]
            score += weight * (sum(votes) / len(votes) if votes else 0.0)
        assert decision.score == pytest.approx(score)
        if decision.signal:
            seen += 1
            assert decision.signal.confidence == pytest.approx(1 - exp(-abs(score) / 0.24))
            assert decision.signal.direction.sign * score > 0
    assert seen > 5


def test_a_signal_stands_on_a_bar_that_has_just_closed_and_names_its_strongest_voice(
    generated: Market,
) -> None:
    seen = 0
    for as_of in hours_before_end(300):
        decision = told(generated, as_of)
        if decision.signal is None:
            continue
        seen += 1
        agreeing = [vote for vote in decision.votes if vote.confidence * decision.score > 0]
        strongest = max(agreeing, key=lambda vote: abs(vote.contribution))
        assert decision.signal.strategy == strongest.strategy
        assert decision.signal.reasons[0] == strongest.reason
        fresh = {vote.reason for vote in agreeing if vote.fresh}
        assert fresh & set(decision.signal.reasons)
        assert all("ago" not in reason for reason in fresh)
    assert seen > 5


def test_an_event_is_heard_less_each_bar_and_no_more_after_the_memory(generated: Market) -> None:
    """Each hour, a 1h vote is the event's own confidence, halved every three hours, until its sixth bar."""
    heard: dict[int, float] = {}
    born = next(
        moment
        for moment in reversed(hours_before_end(300)[10:])
        if any(
            vote.fresh and vote.timeframe is H1 and vote.strategy == "rsi"
            for vote in told(generated, moment).votes
        )
    )
    for age in range(8):
        for vote in told(generated, born + timedelta(hours=age)).votes:
            if (vote.timeframe, vote.strategy, vote.age) == (H1, "rsi", age):
                heard[age] = abs(vote.confidence)
    assert sorted(heard) == list(range(6))
    assert heard[3] == pytest.approx(heard[0] / 2, rel=1e-3)
    assert all(heard[age + 1] < heard[age] for age in range(5))


def test_of_several_events_in_memory_the_newest_is_the_vote(generated: Market) -> None:
    seen = 0
    for as_of in hours_before_end(400):
        windows = at(generated, as_of)
        votes = {(vote.timeframe, vote.strategy): vote for vote in told(generated, as_of).votes}
        for name in ("macd", "rsi"):
            series = STRATEGIES[name].evaluate(windows[H1], DecisionContext(as_of=as_of))
            ages = [age for age in range(6) if series.direction[-1 - age]]
            if len(ages) < 2:
                continue
            seen += 1
            vote = votes[H1, name]
            assert vote.age == ages[0]
            assert vote.confidence * series.direction[-1 - ages[0]] > 0
            assert series.reason(len(series) - 1 - ages[0]) in vote.reason
    assert seen > 5


def test_levels_are_two_and_three_ranges_from_the_last_close(generated: Market) -> None:
    as_of = next(moment for moment in hours_before_end(300) if told(generated, moment).signal)
    signal = told(generated, as_of).signal
    assert signal is not None
    base = at(generated, as_of)[H1]
    assert signal.entry_price == base.close[-1]
    risk, reward = signal.entry_price - signal.stop_loss, signal.take_profit - signal.entry_price
    assert reward == pytest.approx(1.5 * risk)
    ranges = np.maximum(base.high[1:], base.close[:-1]) - np.minimum(base.low[1:], base.close[:-1])
    assert abs(risk) / 2 == pytest.approx(ranges[-40:].mean(), rel=0.5)


def forecast_at(market: Market, as_of: datetime, volatility: float | None) -> Decision:
    return explain(at(market, as_of), DecisionContext(as_of=as_of, volatility=volatility))


def signals_of(market: Market, count: int) -> list[datetime]:
    return list(islice((moment for moment in hours_before_end(400) if told(market, moment).signal), count))


def test_the_forecast_draws_stop_and_target_and_moves_nothing_else(generated: Market) -> None:
    for as_of in signals_of(generated, 5):
        plain = told(generated, as_of)
        assert plain.signal is not None
        assert "2 ATR: there is no volatility forecast" in plain.reason
        entry = plain.signal.entry_price
        usual = abs(entry - plain.signal.stop_loss)
        volatility = 1.2 * usual / 1.6 / entry
        drawn = forecast_at(generated, as_of, volatility)
        assert drawn.signal is not None
        risk = plain.signal.direction.sign * (entry - drawn.signal.stop_loss)
        assert risk == pytest.approx(1.2 * usual)
        assert abs(drawn.signal.take_profit - entry) == pytest.approx(1.5 * risk)
        assert f"1.6 deviations of a forecast {volatility:.2%}" in drawn.reason
        assert (drawn.score, drawn.votes) == (plain.score, plain.votes)
        assert (drawn.signal.direction, drawn.signal.confidence) == (
            plain.signal.direction,
            plain.signal.confidence,
        )


@pytest.mark.parametrize(("volatility", "share"), [(1e-9, 0.5), (9.0, 2.0), (float("inf"), 1.0)])
def test_a_wild_forecast_draws_no_absurd_stop(generated: Market, volatility: float, share: float) -> None:
    as_of = next(
        moment
        for moment in signals_of(generated, 20)
        if (signal := told(generated, moment).signal) and signal.direction is Direction.LONG
    )
    plain, wild = told(generated, as_of).signal, forecast_at(generated, as_of, volatility)
    assert plain is not None
    assert wild.signal is not None
    assert plain.entry_price - wild.signal.stop_loss == pytest.approx(
        share * (plain.entry_price - plain.stop_loss)
    )
    assert ("held to 1 to 4 ATR" in wild.reason) == (share != 1.0)


@pytest.mark.parametrize(
    ("anomaly", "cautioned"), [(None, False), (0.7, False), (0.701, True), (float("nan"), False)]
)
def test_an_unusual_bar_is_a_caution_among_the_reasons_and_nothing_else(
    generated: Market, anomaly: float | None, cautioned: bool
) -> None:
    for as_of in signals_of(generated, 5):
        plain = told(generated, as_of)
        beside = explain(at(generated, as_of), DecisionContext(as_of=as_of, anomaly=anomaly))
        assert plain.signal is not None
        assert beside.signal is not None
        cautions = [reason for reason in beside.signal.reasons if reason.startswith("caution")]
        assert (
            cautions == ["caution: the last 1h bar is unlike those before it (anomaly 0.70)"]
        ) is cautioned
        assert ("caution" in beside.reason) is cautioned
        assert len(beside.signal.reasons) <= 3
        assert beside.signal.reasons[0] == plain.signal.reasons[0]
        fresh = {vote.reason for vote in beside.votes if vote.fresh and vote.confidence * beside.score > 0}
        assert fresh & set(beside.signal.reasons)
        assert replace(beside.signal, reasons=plain.signal.reasons) == plain.signal


def test_a_gaussian_market_s_forecast_stop_is_the_one_of_two_ranges() -> None:
    """What STOP_DEVIATIONS is derived from: bars of a walk in continuous time, four of them until expiry."""
    steps = np.random.default_rng(3).normal(0, 1 / np.sqrt(2_000), (2_000, 2_000)).cumsum(axis=1)
    ranges = np.maximum(steps.max(axis=1), 0) - np.minimum(steps.min(axis=1), 0)
    until_expiry = np.sqrt(VALIDITY_BARS)
    assert STOP_DEVIATIONS * until_expiry == pytest.approx(STOP_ATR * ranges.mean(), rel=0.04)


def test_an_event_out_of_its_group_s_place_counts_half(generated: Market) -> None:
    """Judged by the regime in which it happened, not by that of now."""
    counted = {True: 0, False: 0}
    for as_of in hours_before_end(60):
        windows = at(generated, as_of)
        kinds = {timeframe: regimes(window) for timeframe, window in windows.items()}
        told_alone = {
            timeframe: opinions(window, DecisionContext(as_of)) for timeframe, window in windows.items()
        }
        for vote in told(generated, as_of).votes:
            row = -1 - vote.age
            spoken = float(told_alone[vote.timeframe][vote.strategy].confidence[row]) * 0.5 ** (vote.age / 3)
            place = int(kinds[vote.timeframe][row])
            group = STRATEGIES[vote.strategy].group
            suited = place == UNKNOWN or REGIMES[place] in SUITED[group]
            assert abs(vote.confidence) == pytest.approx(spoken * (1 if suited else 0.5))
            counted[suited] += 1
    assert min(counted.values()) > 20


def test_a_trend_is_no_place_for_reversion_and_calm_none_for_trends() -> None:
    assert Regime.RANGING in SUITED[StrategyGroup.MEAN_REVERSION]
    assert Regime.TRENDING_UP not in SUITED[StrategyGroup.MEAN_REVERSION]
    assert Regime.TRENDING_DOWN in SUITED[StrategyGroup.TREND_FOLLOWING]
    assert Regime.QUIET not in SUITED[StrategyGroup.TREND_FOLLOWING]
    assert set(SUITED) == set(StrategyGroup)


def test_a_decision_tells_its_regimes_and_who_could_not_judge_and_why(generated: Market) -> None:
    decision = told(generated, END)
    assert set(decision.regimes) == {H1, H4, D1}
    assert "1h: sentiment: input missing: no sentiment reading" in decision.abstentions
    assert "1h: pairs_trading: input missing: no candles of a paired instrument" in decision.abstentions
    assert {reason.split(": ")[1] for reason in decision.abstentions} == {"sentiment", "pairs_trading"}
    young = explain({**at(generated, END), D1: at(generated, END)[D1][-300:]}, DecisionContext(as_of=END))
    assert young.outcome is not Outcome.REFUSED
    assert any(reason.startswith("1d: confirmed: confirmed needs 3") for reason in young.abstentions)


def test_confirmed_and_consensus_hear_the_others_as_their_votes_stand(generated: Market) -> None:
    window, context = at(generated, END)[H1], DecisionContext(as_of=END)
    shared = opinions(window, context)
    votes = {}
    for name, series in shared.items():
        heard = np.zeros(len(window))
        for row in range(len(window)):
            for age in range(min(6, row + 1)):
                if series.direction[row - age]:
                    heard[row] = series.direction[row - age] * series.confidence[row - age] * 0.5 ** (age / 3)
                    break
            heard[: STRATEGIES[name].minimum_bars - 1] = np.nan  # until then its window was too short
        if name not in ("confirmed", "consensus") and not series.missing:
            votes[name] = heard
    for name in ("confirmed", "consensus"):
        alone = STRATEGIES[name].evaluate(window, DecisionContext(as_of=END, votes=votes))
        np.testing.assert_array_equal(alone.direction, shared[name].direction)
        assert alone.direction.any()


def test_sharing_indicators_changes_no_opinion(generated: Market) -> None:
    window, context = at(generated, END)[H4], DecisionContext(as_of=END)
    for name, shared in opinions(window, context).items():
        if name not in ("confirmed", "consensus"):
            alone = STRATEGIES[name].evaluate(window, context)
            np.testing.assert_array_equal(alone.confidence, shared.confidence)
            np.testing.assert_array_equal(alone.stop_loss, shared.stop_loss)


def test_a_mood_is_heard_on_base_bars_only(generated: Market) -> None:
    decision = explain(at(generated, END), DecisionContext(as_of=END, sentiment=0.9))
    heard = [vote.timeframe for vote in decision.votes if vote.strategy == "sentiment"]
    assert heard == [H1]


def test_feedback_weights_move_nothing(generated: Market) -> None:
    for as_of in hours_before_end(50):
        weighted = DecisionContext(as_of=as_of, weights={"rsi": 1.5, "macd": 0.5})
        assert explain(at(generated, as_of), weighted) == told(generated, as_of)


def test_a_moment_without_news_says_so(generated: Market) -> None:
    reasons = {told(generated, moment).reason for moment in hours_before_end(300)}
    assert any("within 0.15 of zero" in reason for reason in reasons)
    assert any("nothing new has happened in its direction" in reason for reason in reasons)


@pytest.mark.parametrize("timeframe", [H1, H4, D1])
def test_a_missing_or_empty_window_is_refused(generated: Market, timeframe: Timeframe) -> None:
    windows = dict(at(generated, END))
    for absent in (
        {k: v for k, v in windows.items() if k is not timeframe},
        windows | {timeframe: windows[H1][:0]},
    ):
        decision = explain(absent, DecisionContext(as_of=END))
        assert (decision.outcome, decision.reason) == (Outcome.REFUSED, f"{timeframe}: no candles")
        assert decision.signal is None


@pytest.mark.parametrize("timeframe", [H1, H4, D1])
def test_a_bar_that_has_not_closed_is_refused_even_by_a_millisecond(
    generated: Market, timeframe: Timeframe
) -> None:
    windows = dict(at(generated, END))
    early = END - timedelta(milliseconds=1)
    assert explain(windows, DecisionContext(as_of=END)).outcome is not Outcome.REFUSED
    alone = dict(at(generated, early)) | {timeframe: windows[timeframe]}
    decision = explain(alone, DecisionContext(as_of=early))
    assert decision.outcome is Outcome.REFUSED
    assert decision.reason.startswith(f"{timeframe}: the last bar closes at 2025-01-01 00:00:00Z, after")


@pytest.mark.parametrize("timeframe", [H1, H4, D1])
def test_a_window_older_than_two_periods_is_refused(generated: Market, timeframe: Timeframe) -> None:
    windows = at(generated, END)
    old_enough = {timeframe: windows[timeframe][:-2]}
    too_old = {timeframe: windows[timeframe][:-3]}
    assert explain({**windows, **old_enough}, DecisionContext(as_of=END)).outcome is not Outcome.REFUSED
    decision = explain({**windows, **too_old}, DecisionContext(as_of=END))
    assert decision.outcome is Outcome.REFUSED
    assert decision.reason.startswith(f"{timeframe}: the last bar closed at")


def test_short_and_mistaken_windows_are_refused_with_the_reason(generated: Market) -> None:
    windows = at(generated, END)
    short = explain({**windows, D1: windows[D1][-100:]}, DecisionContext(as_of=END))
    assert (short.outcome, short.reason) == (
        Outcome.REFUSED,
        f"1d: moving_average needs {STRATEGIES['moving_average'].minimum_bars} bars, the window has 100",
    )
    mistaken = explain({**windows, H4: windows[H1][:-3]}, DecisionContext(as_of=END))
    assert (mistaken.outcome, mistaken.reason) == (Outcome.REFUSED, "4h: bars stand closer together than 4h")


def test_a_target_below_zero_is_no_signal_but_a_reason(generated: Market) -> None:
    def triggered_short_by_a_longer_bar(decision: Decision) -> bool:
        return decision.score < -0.3 and any(
            vote.fresh and vote.confidence < 0 and vote.timeframe is not H1 for vote in decision.votes
        )

    as_of = next(
        moment
        for moment in hours_before_end(500, 4)
        if triggered_short_by_a_longer_bar(told(generated, moment))
    )
    windows = dict(at(generated, as_of))
    base = windows[H1]
    high = base.high.copy()
    high[-60:] = base.close[-60:] * 3  # hours so wild that three ranges reach below zero
    windows[H1] = OHLCV(base.open_time, base.open, high, base.low, base.close, base.volume)
    decision = explain(windows, DecisionContext(as_of=as_of))
    assert (decision.outcome, decision.signal) == (Outcome.NONE, None)
    assert "stop and target cannot be drawn" in decision.reason


def test_the_newest_bar_of_every_timeframe_is_listened_to(generated: Market) -> None:
    """Guards the guard: a blend that looked one bar late would still pass the scrambling test."""
    as_of = next(moment for moment in hours_before_end(300) if told(generated, moment).signal)
    fresh = {(vote.strategy, vote.timeframe) for vote in told(generated, as_of).votes if vote.fresh}
    late = {timeframe: window[:-1] for timeframe, window in at(generated, as_of).items()}
    stale = explain(late, DecisionContext(as_of=as_of))
    assert fresh - {(vote.strategy, vote.timeframe) for vote in stale.votes if vote.fresh}


@pytest.mark.parametrize("timeframe", [H4, D1])
def test_votes_mood_and_partner_speak_of_base_bars_alone(generated: Market, timeframe: Timeframe) -> None:
    window = generated[timeframe][-400:]
    rng = np.random.default_rng(3)
    close = window.close * np.exp(rng.normal(0, 0.01, len(window)))
    partner = OHLCV(window.open_time, close, close, close, close, window.volume)
    context = DecisionContext(
        as_of=END, partner=partner, sentiment=0.9, votes={"ml": np.full(len(window), 0.9)}
    )
    bare = hear(timeframe, window, DecisionContext(as_of=END), DEFAULTS)
    heard = hear(timeframe, window, context, DEFAULTS)
    assert STRATEGIES["pairs_trading"].evaluate(window, context).direction.any()
    assert heard.series["pairs_trading"].missing == bare.series["pairs_trading"].missing != ""
    assert heard.series["sentiment"].missing == bare.series["sentiment"].missing != ""
    np.testing.assert_array_equal(heard.vote, bare.vote)
