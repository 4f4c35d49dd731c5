"""The selector's vote against sums by hand, and its weight where hindsight tells the groups."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from autopilot.engine.bootstrap import LOOK_BARS, TrainingMarket, collect_samples
from autopilot.engine.group_vote import group_vote, vote_weight
from autopilot.engine.groups import GROUP_ORDER, MEMBERS
from autopilot.engine.skill import Judged
from signals.engine.hybrid import opinions, standing_votes
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import Timeframe
from tests.factories import make_series

START = datetime(2025, 11, 1, tzinfo=UTC)
BARS = 1_500
CANDLES = make_series(bars=BARS, start=START, seed=3)
SERIES = opinions(CANDLES, DecisionContext(as_of=START + timedelta(hours=BARS), memo={}))
STANDING = dict(zip(SERIES, np.nan_to_num(standing_votes(SERIES)), strict=True))


def said_by_group(row: int) -> list[float]:
    """The mean of those that stand by an event, 0 where nobody does."""
    return [
        float(np.mean([each for name in MEMBERS[group] if (each := STANDING[name][row]) != 0] or [0.0]))
        for group in GROUP_ORDER
    ]


def test_vote_is_the_mean_of_what_groups_say_by_their_probabilities() -> None:
    told = np.random.default_rng(1).dirichlet(np.ones(5), BARS)
    told[700] = np.nan
    vote = group_vote(told, SERIES)
    for row in range(400, BARS, 7):
        by_hand = 0.0 if row == 700 else float(np.dot(told[row], said_by_group(row)))
        assert vote[row] == pytest.approx(by_hand, abs=1e-12)
    assert vote[700] == 0
    assert np.abs(vote).max() <= 1
    assert np.count_nonzero(vote) > BARS / 2


def test_weight_is_above_zero_for_hindsight_and_zero_for_its_opposite_and_for_nobody() -> None:
    market = TrainingMarket("T/USDT", CANDLES)
    samples = collect_samples([market], timeframe=Timeframe.H1)
    rows = np.arange(len(samples) // 3, len(samples))
    bar = np.searchsorted(CANDLES.open_time + 3_600_000, samples.decided_at[rows])
    ahead = CANDLES.close[np.minimum(bar + LOOK_BARS, BARS - 1)] - CANDLES.close[bar]
    said = np.array([said_by_group(int(row)) for row in bar])

    def weight(direction: float, timeframe: Timeframe = Timeframe.H1) -> float:
        told = np.eye(5)[(said * np.sign(direction * ahead)[:, np.newaxis]).argmax(axis=1)]
        return vote_weight([market], timeframe, samples, replace(judged, model=told), rows)

    nothing = np.empty((0, 5))
    judged = Judged(
        labels=samples.labels[rows],
        decided_at=samples.decided_at[rows],
        model=nothing,
        majority=nothing,
        best_group=None,
        rules=None,
        best_group_choice=None,
        rules_choice=None,
        results=None,
    )
    assert 0 < weight(1.0) <= 1
    assert weight(-1.0) == 0
    assert weight(1.0, Timeframe.H4) == 0
    assert vote_weight([market], Timeframe.H1, samples, judged, rows[:0]) == 0
