"""The verdict on even assets and on ones that differ, and the arithmetic of holding."""

import numpy as np
import pytest

from research.engine.portfolio import equal_weights, optimized, out_of_sample
from signals.engine.performance import sharpe_ratio

YEAR = 365


def test_of_assets_that_are_alike_one_over_n_is_preferred() -> None:
    alike = np.random.default_rng(1).normal(0.0005, 0.02, (600, 5))

    found = out_of_sample(
        alike,
        {"max Sharpe": optimized("max_sharpe")},
        train_rows=120,
        test_rows=60,
        periods_per_year=YEAR,
        cost=0.001,
    )

    assert found.prefer == "1/N"
    assert found.sentence.startswith("Prefer 1/N: over 480 periods out of sample")
    assert found.interval.low < 0


def test_of_assets_that_differ_the_optimum_is_preferred() -> None:
    rng = np.random.default_rng(2)
    unlike = rng.normal([0.004, 0.0, -0.002, -0.002], 0.01, (800, 4))

    found = out_of_sample(
        unlike, {"max Sharpe": optimized("max_sharpe")}, train_rows=200, test_rows=50, periods_per_year=YEAR
    )

    assert found.prefer == "max Sharpe"
    assert found.interval.low > 0
    assert set(found.records) == {"1/N", "inverse volatility", "max Sharpe"}


def test_chasing_the_last_winner_is_not_preferred() -> None:
    preferred = 0
    for seed in range(4):
        alike = np.random.default_rng(100 + seed).normal(0.0005, 0.02, (200, 4))
        winner = {"last winner": lambda known: np.eye(4)[int(known.mean(axis=0).argmax())]}
        found = out_of_sample(alike, winner, train_rows=60, test_rows=20, periods_per_year=YEAR, seed=seed)
        preferred += found.prefer != "1/N"

    assert preferred == 0


def test_weights_drift_with_prices_and_trading_costs() -> None:
    record = np.array([[0.1, 0.0]] * 2 + [[0.5, 0.0], [0.0, 0.1], [0.0, 0.0], [0.2, 0.2]])

    found = out_of_sample(
        record,
        {"even": lambda known: equal_weights(2)},
        train_rows=2,
        test_rows=2,
        periods_per_year=YEAR,
        cost=0.01,
    )

    # Bought into once (1 traded); grown to 0.75 and 0.55; back to halves (0.1 / 1.3 on both sides).
    traded = 2 * (0.75 / 1.3 - 0.5)
    expected = [1.25 * 0.99 - 1, 1.3 / 1.25 - 1, -0.01 * traded, 0.2]
    even = found.records["even"]
    assert even.returns == pytest.approx(expected)
    assert even.turnover == pytest.approx((1 + traded) / 2)
    assert even.sharpe_ratio == pytest.approx(sharpe_ratio(expected, YEAR))
    assert even.returns == pytest.approx(found.records["1/N"].returns)


def test_a_method_without_an_answer_holds_one_over_n_and_says_so() -> None:
    falling = np.random.default_rng(3).normal(-0.01, 0.001, (100, 3))

    found = out_of_sample(
        falling, {"max Sharpe": optimized("max_sharpe")}, train_rows=50, test_rows=25, periods_per_year=YEAR
    )

    record = found.records["max Sharpe"]
    assert (record.unanswered, record.choices) == (2, 2)
    assert record.returns == pytest.approx(found.records["1/N"].returns)


def test_what_cannot_be_compared_is_refused() -> None:
    record = np.random.default_rng(4).normal(0, 0.01, (30, 2))
    with pytest.raises(ValueError, match="methods"):
        out_of_sample(record, {}, train_rows=10, test_rows=5, periods_per_year=YEAR)
    with pytest.raises(ValueError, match="too few"):
        out_of_sample(record, {"a": np.ones}, train_rows=30, test_rows=5, periods_per_year=YEAR)
    with pytest.raises(TypeError, match="weights of sum 1"):
        out_of_sample(
            record, {"a": lambda known: np.ones(2)}, train_rows=10, test_rows=5, periods_per_year=YEAR
        )
