"""Samples: results against a plain loop over trades, no look-ahead in what is seen, nothing without its label."""

from datetime import UTC, datetime

import numpy as np
import pytest

from autopilot.engine.bootstrap import (
    HORIZON,
    LOOK_BARS,
    Samples,
    TrainingMarket,
    collect_samples,
    thinned,
)
from autopilot.engine.groups import GROUP_ORDER, RULES
from autopilot.engine.labels import label
from autopilot.engine.sampling import Sampling
from signals.engine.candle import OHLCV
from signals.engine.hybrid import opinions
from signals.engine.regime import REGIMES, regimes
from signals.engine.strategies import STRATEGIES
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import Timeframe
from tests.factories import make_series

START = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = 3_600_000


@pytest.fixture(scope="module")
def candles() -> OHLCV:
    return make_series(bars=1_000, start=START, seed=7)


@pytest.fixture(scope="module")
def samples(candles: OHLCV) -> Samples:
    return collect_samples([TrainingMarket("T", candles)], timeframe=Timeframe.H1)


def test_results_are_the_mean_of_the_trades_that_each_group_opens_next(
    candles: OHLCV, samples: Samples
) -> None:
    series = opinions(candles, DecisionContext(as_of=START, memo={}))
    made = {}
    for name, each in series.items():
        chosen = STRATEGIES[name].parameters
        labels = label(candles, stop_atr=chosen.stop_atr, target_atr=chosen.target_atr)  # type: ignore[attr-defined]
        made[name] = labels.of(np.where(each.judges(), each.direction, 0))
    for sample in np.random.default_rng(1).integers(0, len(samples), 60).tolist():
        row = int(np.searchsorted(candles.open_time, samples.decided_at[sample] - HOUR))
        for place, group in enumerate(GROUP_ORDER):
            found = [
                made[name][bar]
                for name, strategy in STRATEGIES.items()
                if strategy.group is group
                for bar in range(row, row + LOOK_BARS)
                if np.isfinite(made[name][bar])
            ]
            expected = np.mean(found) if found else np.nan
            np.testing.assert_allclose(samples.results[sample, place], expected, atol=1e-9)
        assert samples.labels[sample] == np.nanargmax(samples.results[sample])


def test_rows_come_in_time_and_know_their_label(candles: OHLCV, samples: Samples) -> None:
    assert (np.diff(samples.decided_at) >= 0).all()
    assert samples.horizon_ms == HORIZON * HOUR
    assert samples.decided_at[-1] + samples.horizon_ms <= candles.open_time[-1] + HOUR
    assert np.isfinite(samples.results).any(axis=1).all()


def test_what_comes_later_changes_no_earlier_row(candles: OHLCV, samples: Samples) -> None:
    shorter = collect_samples([TrainingMarket("T", candles[:800])], timeframe=Timeframe.H1)

    rows = len(shorter)
    assert rows > 100
    for name in ("features", "labels", "decided_at", "results", "rules", "fired"):
        np.testing.assert_array_equal(getattr(shorter, name), getattr(samples, name)[:rows], err_msg=name)


def test_rules_follow_the_regime_of_the_row(candles: OHLCV, samples: Samples) -> None:
    place = regimes(candles)[np.searchsorted(candles.open_time, samples.decided_at - HOUR)]
    chosen = [GROUP_ORDER.index(RULES[REGIMES[each]]) for each in place]
    assert samples.rules.tolist() == chosen


def test_spot_has_no_shorts_and_rare_strategies_are_left_out(candles: OHLCV) -> None:
    market = TrainingMarket("T", candles, can_short=False)
    long_only = collect_samples([market], timeframe=Timeframe.H1, min_samples_per_strategy=20)

    assert long_only.fired.min() == 0
    trades = dict(zip(STRATEGIES, long_only.records.trades.sum(axis=1), strict=True))
    for name in long_only.left_out:
        assert trades[name] <= 20
    assert {"sentiment", "pairs_trading"} <= set(long_only.left_out)


def test_markets_are_merged_by_time(candles: OHLCV) -> None:
    other = make_series(bars=1_000, start=START, seed=8)
    both = collect_samples(
        [TrainingMarket("A", candles), TrainingMarket("B", other)],
        timeframe=Timeframe.H1,
        sampling=Sampling.SEED,
    )

    assert (np.diff(both.decided_at) >= 0).all()
    assert set(both.markets.tolist()) == {0, 1}
    for number in (0, 1):
        assert np.diff(both.decided_at[both.markets == number]).min() >= 24 * HOUR


def test_thinned_samples_keep_their_columns_together(samples: Samples) -> None:
    few = thinned(samples, 100)

    assert 50 < len(few) <= 100
    rows = np.searchsorted(samples.decided_at, few.decided_at)
    np.testing.assert_array_equal(few.features, samples.features[rows])
    np.testing.assert_array_equal(few.labels, samples.labels[rows])
    assert thinned(samples, len(samples)) is samples


def test_no_market_is_refused() -> None:
    with pytest.raises(ValueError, match="no market"):
        collect_samples([], timeframe=Timeframe.H1)
