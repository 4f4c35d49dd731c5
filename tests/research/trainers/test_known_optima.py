"""The optima themselves against other ways to find them, and small trainings that come near them."""

from itertools import product
from math import sqrt

import numpy as np
import pytest

from research.trainers.known_optima import (
    autoregressive,
    best_autoregressive,
    best_in_regimes,
    break_even_cost,
    learn_autoregressive,
    learn_regimes,
    regimes,
)
from signals.engine.costs import NO_COSTS, Costs
from signals.engine.trading_env import SIDES, walk


def test_closed_form_is_what_the_best_policy_earns() -> None:
    bars, told = autoregressive(200_000, memory=0.3, deviation=1e-3, seed=1)
    earned = walk(bars, np.where(told[:, 0] > 0, 1, 2), NO_COSTS)[0]
    best = best_autoregressive(memory=0.3, deviation=1e-3)
    assert abs(earned.mean() - best) < 4 * earned.std() / sqrt(len(earned))


@pytest.mark.parametrize("cost", [0.001, 0.004, 0.0055])
def test_value_iteration_finds_the_best_of_all_policies(cost: float) -> None:
    """All 3^6 policies, each one's value by linear algebra."""
    stay, drift, gamma = 0.8, 1e-3, 0.95
    states = list(product(range(2), range(3)))

    def value(actions: tuple[int, ...]) -> np.ndarray:
        moves, gains = np.zeros((6, 6)), np.zeros(6)
        for row, ((regime, held), action) in enumerate(zip(states, actions, strict=True)):
            gains[row] = (1, -1)[regime] * drift * SIDES[action] - cost * abs(SIDES[action] - SIDES[held])
            moves[row, 3 * regime + action] += stay
            moves[row, 3 * (1 - regime) + action] += 1 - stay
        return np.asarray(np.linalg.solve(np.eye(6) - gamma * moves, gains))

    best = max(value(each).sum() for each in product(range(3), repeat=6))
    found = best_in_regimes(stay=stay, drift=drift, cost=cost, gamma=gamma)
    assert value(tuple(found.ravel())).sum() == pytest.approx(best, rel=1e-9)


def test_break_even_cost_without_haste_is_the_drift_of_half_a_regime() -> None:
    assert break_even_cost(stay=0.9, drift=1e-3, gamma=0.999) == pytest.approx(5e-3, rel=0.01)


def test_candles_of_regimes_pay_what_the_cost_leaves() -> None:
    bars, told = regimes(100_000, stay=0.9, drift=1e-3, noise=5e-4, seed=1)
    table = best_in_regimes(stay=0.9, drift=1e-3, cost=0.002)[(told[:, 0] < 0).astype(int)]
    earned = walk(bars, table, Costs(0, 2_000, 0))[0].mean()
    assert earned == pytest.approx(1e-3 - 2 * 0.002 * 0.1, rel=0.03)


@pytest.mark.slow
def test_small_training_comes_near_the_optimum_and_not_above_it() -> None:
    found = learn_autoregressive(algorithm="ppo", timesteps=40_000, test_rows=50_000)
    assert found.share > 0.95
    assert found.earned < found.best + 3 * found.error


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo", "dqn"])
@pytest.mark.parametrize(("share", "trades"), [(0.25, True), (2.0, False)])
def test_policy_changes_at_the_cost_of_the_dynamic_programme(
    algorithm: str, share: float, trades: bool
) -> None:
    found = learn_regimes(algorithm=algorithm, timesteps=30_000, cost_share=share, test_rows=20_000)
    assert (found.best_trades > 0.05) == trades
    assert (found.trades > 0.05) == trades
    if trades:
        assert found.share > 0.97
