"""Which candles become samples: the seed's rule against a plain loop, and its table."""

import numpy as np
import pytest

from autopilot.engine.sampling import SPACING_CANDLES, Sampling, sampled_rows
from signals.engine.timeframe import Timeframe

HOUR = 3_600_000


def plain_loop(open_time: np.ndarray, regime: np.ndarray, day: int) -> list[int]:
    chosen: list[int] = []
    before = -1
    for row in range(len(regime)):
        if regime[row] == -1:
            continue
        changed = before != -1 and regime[row] != before
        before = regime[row]
        since = None if not chosen else open_time[row] - open_time[chosen[-1]]
        if since is None or (changed and since >= day) or since >= 2 * day:
            chosen.append(row)
    return chosen


@pytest.mark.parametrize("timeframe", list(Timeframe))
def test_spacing_is_24_hours_of_every_timeframe(timeframe: Timeframe) -> None:
    assert SPACING_CANDLES[timeframe] * timeframe.seconds == 86_400


@pytest.mark.parametrize("seed", range(20))
def test_seed_sampling_is_that_of_a_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    regime = np.repeat(rng.integers(-1, 6, 300), rng.integers(1, 60, 300)).astype(np.int8)
    gaps = np.where(rng.random(len(regime)) < 0.02, rng.integers(1, 40, len(regime)), 0)
    open_time = HOUR * np.cumsum(1 + gaps)

    rows = sampled_rows(open_time, regime, timeframe=Timeframe.H1, sampling=Sampling.SEED)

    assert rows.tolist() == plain_loop(open_time, regime, 24 * HOUR)
    assert np.diff(open_time[rows]).min() >= 24 * HOUR


def test_unchanged_regime_is_sampled_every_48_hours_and_a_change_after_24() -> None:
    regime = np.zeros(200, dtype=np.int8)
    times = HOUR * np.arange(200)
    assert sampled_rows(times, regime, timeframe=Timeframe.H1, sampling=Sampling.SEED).tolist() == [
        0, 48, 96, 144, 192,
    ]  # fmt: skip

    regime[10:20] = 1  # too soon, there and back
    regime[30:] = 2
    assert sampled_rows(times, regime, timeframe=Timeframe.H1, sampling=Sampling.SEED).tolist() == [
        0, 30, 78, 126, 174,
    ]  # fmt: skip


def test_full_sample_is_every_candle_of_a_known_regime() -> None:
    regime = np.array([-1, -1, 0, 3, -1, 2], dtype=np.int8)
    assert sampled_rows(HOUR * np.arange(6), regime, timeframe=Timeframe.H1).tolist() == [2, 3, 5]
