"""The interval against arch's stationary bootstrap, and against a mean whose deviation is known."""

from math import isnan, nan

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap

from signals.engine.performance import bootstrap_interval, expectancy, sharpe_ratio


def autocorrelated(count: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0.001, 0.01, count)
    values = noise.copy()
    for row in range(1, count):
        values[row] += 0.6 * values[row - 1]
    return values


def test_the_interval_is_that_of_another_implementation() -> None:
    values = autocorrelated(400, 1)

    def ratio(returns: np.ndarray) -> float:
        return sharpe_ratio(returns, 365)

    found = bootstrap_interval(values, ratio, samples=3_000, mean_block=12)
    theirs = StationaryBootstrap(12, values, seed=1).conf_int(ratio, 3_000, method="percentile")

    assert found == pytest.approx(theirs[:, 0], rel=0.12, abs=0.15)


def test_an_interval_of_single_values_is_that_of_the_mean() -> None:
    values = np.random.default_rng(3).normal(0, 1, 1_000)

    found = bootstrap_interval(values, np.mean, samples=4_000, mean_block=1)

    expected = 1.96 * values.std() / np.sqrt(1_000)
    assert found.high - values.mean() == pytest.approx(expected, rel=0.1)
    assert values.mean() - found.low == pytest.approx(expected, rel=0.1)


def test_blocks_keep_the_doubt_that_neighbours_share() -> None:
    values = autocorrelated(1_000, 2)
    alone = bootstrap_interval(values, np.mean, mean_block=1)
    together = bootstrap_interval(values, np.mean, mean_block=20)

    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = autocorrelated(100, 4)

    assert bootstrap_interval(values, expectancy, seed=5) == bootstrap_interval(values, expectancy, seed=5)
    assert bootstrap_interval(values, expectancy, seed=5) != bootstrap_interval(values, expectancy, seed=6)


def test_fewer_than_two_values_have_no_interval() -> None:
    assert all(isnan(end) for end in bootstrap_interval([0.1], expectancy))
    assert all(isnan(end) for end in bootstrap_interval([], expectancy))


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([nan, 0.1], {}, "finite"),
        ([0.1, 0.2], {"level": 1.0}, "level"),
        ([0.1, 0.2], {"mean_block": 0.5}, "at least 1"),
        ([0.1, 0.2], {"samples": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_resampled_is_refused(
    values: list[float], options: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(values, expectancy, **options)  # type: ignore[arg-type]
