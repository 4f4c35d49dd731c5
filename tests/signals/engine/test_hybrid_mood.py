"""Whatever the mood: it opens no signal, turns none, and makes none surer."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from signals.engine.candle import OHLCV
from signals.engine.hybrid import DEFAULTS, Outcome, Why, decisions, explain
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import Timeframe
from tests.factories import make_series, merge_bars

CONTEXT = DecisionContext(as_of=datetime(2026, 1, 1, tzinfo=UTC))
H1, H4, D1 = Timeframe.H1, Timeframe.H4, Timeframe.D1


@pytest.fixture(scope="module")
def market() -> dict[Timeframe, OHLCV]:
    hourly = make_series(bars=9_600, start=datetime(2024, 6, 1, tzinfo=UTC), seed=3)
    return {H1: hourly, H4: merge_bars(hourly, H4), D1: merge_bars(hourly, D1)}


MOODS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "noise": lambda rng, rows: rng.uniform(-1, 1, rows),
    "waves": lambda rng, rows: np.sin(np.arange(rows) / 15),
    "euphoria": lambda rng, rows: np.where(np.arange(rows) % 9 < 5, 1.0, 0.0),
    "panic": lambda rng, rows: np.where(np.arange(rows) % 7 < 4, -1.0, np.nan),
}


@pytest.mark.parametrize("name", list(MOODS))
def test_a_signal_with_sentiment_is_one_without_it_too_and_never_surer(
    market: dict[Timeframe, OHLCV], name: str
) -> None:
    mood = MOODS[name](np.random.default_rng(4), len(market[H1]))
    neutral = decisions(market, DEFAULTS, CONTEXT)
    moved = decisions(market, DEFAULTS, replace(CONTEXT, sentiment=mood))
    rows = moved.signal_rows
    assert 0 < len(rows) < len(neutral.signal_rows)
    np.testing.assert_array_equal(moved.direction[rows], neutral.direction[rows])
    assert (moved.confidence[rows] <= neutral.confidence[rows]).all()
    assert not (moved.direction * np.nan_to_num(mood) <= -DEFAULTS.sentiment_veto).any()
    assert moved.outcome.max() <= len(Outcome)


def test_a_mood_that_would_have_opened_says_that_it_did_not(market: dict[Timeframe, OHLCV]) -> None:
    mood = MOODS["euphoria"](np.random.default_rng(4), len(market[H1]))
    moved = decisions(market, DEFAULTS, replace(CONTEXT, sentiment=mood))
    assert (moved.why == Why.MOOD_ALONE).any()


@pytest.mark.parametrize(
    ("strength", "outcome"), [(0.0, Outcome.SIGNAL), (0.2, Outcome.SIGNAL), (0.9, Outcome.REFUSED)]
)
def test_against_a_signal_a_mood_shrinks_and_then_vetoes_in_words(
    market: dict[Timeframe, OHLCV], strength: float, outcome: Outcome
) -> None:
    neutral = decisions(market, DEFAULTS, CONTEXT)
    row = int(neutral.signal_rows[-1])
    windows = {each: bars[bars.open_time + each.milliseconds <= market[H1].open_time[row] + H1.milliseconds]
               for each, bars in market.items()}  # fmt: skip
    at = datetime.fromtimestamp((int(market[H1].open_time[row]) + H1.milliseconds) / 1000, UTC)
    plain = explain(windows, DecisionContext(as_of=at))
    assert plain.signal is not None
    against = -int(neutral.direction[row]) * strength
    # It has stood for long: the strategy `sentiment` says nothing new.
    decided = explain(windows, DecisionContext(as_of=at, sentiment=np.full(len(windows[H1]), against)))
    assert decided.outcome is outcome
    if strength == 0.0:
        assert decided.signal == plain.signal
    elif outcome is Outcome.SIGNAL:
        assert decided.signal is not None
        assert decided.signal.confidence == pytest.approx(plain.signal.confidence * (1 - 0.5 * strength))
        assert "caution: sentiment of" in decided.signal.reasons[-1]
    else:
        assert decided.signal is None
        assert "is a veto" in decided.reason
