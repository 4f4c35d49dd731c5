"""Results of signals against plain arithmetic, and open signals as they stand."""

from datetime import UTC, datetime, timedelta
from math import isnan

import numpy as np
import pytest
from scipy.stats import bootstrap

from research.selectors.performance import by_strategy, ended_between, open_signals, record
from signals.market.models import Candle
from signals.models import Signal
from tests.factories import make_instrument
from tests.notifications.rows import make_outcome, make_signal

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


def ended(r: float, *, hours_ago: float = 1, strategy: str = "rsi") -> None:
    signal = make_signal(published_at=NOW - timedelta(hours=hours_ago + 3), strategy=strategy)
    make_outcome(
        signal=signal,
        r_multiple=r,
        exited_at=NOW - timedelta(hours=hours_ago),
        entered_at=NOW - timedelta(days=99),
    )


def test_record_is_plain_arithmetic() -> None:
    found = record((1.0, -1.0, 2.0, 0.0))

    assert (found.n, found.hit_rate, found.mean_r, found.total_r) == (4, 0.5, 0.5, 2.0)
    assert found.profit_factor == 3.0


def test_few_results_have_no_interval_and_no_result_has_no_rate() -> None:
    assert isnan(record((1.0,) * 19).mean_interval.low)
    assert not isnan(record((1.0, -1.0) * 10).mean_interval.low)
    nothing = record(())
    assert nothing.n == 0
    assert isnan(nothing.hit_rate)


def test_interval_of_independent_results_is_near_that_of_another_library() -> None:
    results = np.random.default_rng(5).normal(0.1, 1.0, 400)

    ours = record(tuple(results)).mean_interval

    theirs = bootstrap((results,), np.mean, rng=5).confidence_interval
    assert ours.low == pytest.approx(theirs.low, abs=0.05)
    assert ours.high == pytest.approx(theirs.high, abs=0.05)


@pytest.mark.django_db
def test_ended_signals_of_the_period_in_the_order_of_their_end() -> None:
    for r, hours_ago in ((1.0, 5), (2.0, 30), (3.0, 1)):
        ended(r, hours_ago=hours_ago)

    found = ended_between(start=NOW - timedelta(hours=24), end=NOW)

    assert [each.r for each in found] == [1.0, 3.0]


@pytest.mark.django_db
def test_each_strategy_has_a_record_of_its_own_the_most_frequent_first() -> None:
    for r, strategy in ((1.0, "macd"), (-1.0, "rsi"), (0.5, "rsi")):
        ended(r, strategy=strategy)

    found = by_strategy(ended_between(start=NOW - timedelta(hours=24), end=NOW))

    assert [(strategy, each.n, each.total_r) for strategy, each in found] == [
        ("rsi", 2, -0.5),
        ("macd", 1, 1.0),
    ]


def candle(signal: Signal, *, close: float, hours_later: int) -> None:
    bar = {"open": close, "high": close, "low": close, "close": close, "volume": 1}
    at = signal.candle_open_time.replace(minute=0, second=0, microsecond=0) + timedelta(hours=hours_later)
    Candle.objects.create(instrument=signal.instrument, timeframe="1h", open_time=at, **bar)


@pytest.mark.django_db
def test_present_r_is_the_move_to_the_newest_close_in_units_of_the_risk() -> None:
    long = make_signal(published_at=NOW - timedelta(hours=3))  # entry 100, stop 95
    short = make_signal(
        published_at=NOW - timedelta(hours=2), direction="short", stop_loss=110.0, take_profit=80.0
    )
    unseen = make_signal(published_at=NOW - timedelta(hours=1), instrument=make_instrument())
    for close, hours_later in ((200.0, 1), (107.5, 2)):
        candle(long, close=close, hours_later=hours_later)
    candle(short, close=95.0, hours_later=1)
    make_outcome(signal=make_signal(published_at=NOW - timedelta(hours=4)))
    make_signal(published_at=NOW - timedelta(days=31))

    found = open_signals(now=NOW, count=10)

    assert [each.signal.pk for each in found] == [unseen.pk, short.pk, long.pk]
    assert [each.present_r for each in found] == [None, 0.5, 1.5]
