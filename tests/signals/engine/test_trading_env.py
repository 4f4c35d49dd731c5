"""The batched market against the fill engine, against a plain loop, and against what cannot be."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from signals.engine.candle import OHLCV
from signals.engine.costs import NO_COSTS, SPOT_COSTS, CostRates
from signals.engine.outcome import follow
from signals.engine.trading_env import (
    RUIN,
    MarketBatch,
    foreseen,
    observations_by_position,
)
from signals.engine.trading_env import walk as walk_of

Walk = Callable[..., OHLCV]
DEAR = CostRates(maker_bps=Decimal(10), taker_bps=Decimal(35), slippage_bps=Decimal(15))


def features_of(bars: OHLCV, width: int = 3) -> np.ndarray:
    return np.random.default_rng(9).normal(size=(len(bars), width)).astype(np.float32)


@pytest.mark.parametrize("sign", [1, -1])
def test_one_trade_is_worth_what_the_fill_engine_says(walk: Walk, sign: int) -> None:
    bars, bars_held = walk(60, seed=3), 24
    table = np.zeros(len(bars), dtype=int)
    table[10 : 10 + bars_held] = 1 if sign > 0 else 2
    returns, positions = walk_of(bars, table, DEAR)
    far = {
        "stop_losses": [bars.close[10] * (1 - 0.9 * sign)],
        "take_profits": [bars.close[10] * (1 + 0.9 * sign)],
    }
    told = follow(
        bars,
        rows=[10],
        directions=[sign],
        entry_prices=[bars.close[10]],
        horizon=bars_held,
        rates=DEAR,
        **far,
    )
    assert positions.tolist() == [0] * 10 + [sign] * bars_held + [0] * (len(bars) - 11 - bars_held)
    assert np.expm1(returns.sum()) == pytest.approx(told.returns[0], abs=1e-7)


def by_hand(bars: OHLCV, actions: list[int], rates: CostRates) -> list[float]:
    """The same account in plain floats, without a tick."""
    cost, fee = float(rates.slippage_bps) / 1e4, float(rates.taker_bps) / 1e4
    cash, units, side, equity, found = 1.0, 0.0, 0, 1.0, []
    for row, action in enumerate(actions, start=1):
        wanted = (0, 1, -1)[action]
        if wanted != side:
            paid = bars.open[row] * (1 - side * cost)
            cash += units * paid - abs(units) * paid * fee
            paid = bars.open[row] * (1 + wanted * cost)
            units = wanted * cash / paid
            cash -= units * paid + abs(units) * paid * fee
            side = wanted
        now = cash + units * bars.close[row]
        found.append(float(np.log(now / equity)))
        equity = now
    return found


def test_rewards_are_those_of_a_plain_loop(walk: Walk) -> None:
    bars = walk(120, seed=5)
    batch = MarketBatch(bars, features_of(bars), 1, SPOT_COSTS, length=None)
    seen = batch.reset(np.random.default_rng(1))
    assert seen[0, :-1].tolist() == features_of(bars)[0].tolist()
    actions = np.random.default_rng(2).integers(3, size=118).tolist()
    rewards = []
    for row, action in enumerate(actions, start=1):
        seen, reward, dones = batch.step([action])
        rewards.append(reward[0])
        assert not dones[0]
        assert seen[0].tolist() == [*features_of(bars)[row].tolist(), (0, 1, -1)[action]]
    assert rewards == pytest.approx(by_hand(bars, actions, SPOT_COSTS), abs=1e-7)
    table = np.array([*actions, 0, 0])
    assert walk_of(bars, table, SPOT_COSTS)[0][:118] == pytest.approx(rewards, abs=1e-12)
    _, _, dones = batch.step([0])
    assert dones[0]
    assert not batch.ruined[0]
    assert batch.final_observations[0, :-1].tolist() == features_of(bars)[-1].tolist()


def test_windows_stay_inside_their_instrument_and_differ(walk: Walk) -> None:
    markets = [walk(80, seed=1), walk(50, seed=2)]
    tables = [np.full((80, 1), 1.0), np.full((50, 1), 2.0)]
    batch = MarketBatch(markets, tables, 64, length=20)
    first = batch.reset(np.random.default_rng(3))
    assert set(first[:, 0]) == {1.0, 2.0}
    for number in range(20):
        seen, _, dones = batch.step(np.ones(64, dtype=int))
        assert dones.all() == (number == 19)
        if number < 19:
            assert (seen[:, 0] == first[:, 0]).all()
    again = MarketBatch(markets, tables, 64, length=20)
    assert (again.reset(np.random.default_rng(3)) == first).all()


def test_nothing_later_than_the_next_bar_changes_a_reward(walk: Walk) -> None:
    bars = walk(60, seed=7)
    changed = replace(bars, close=np.where(np.arange(60) > 30, bars.low, bars.close))
    table = np.random.default_rng(4).integers(3, size=60)
    assert (walk_of(bars, table)[0][:30] == walk_of(changed, table)[0][:30]).all()
    assert (walk_of(bars, table)[0][30:] != walk_of(changed, table)[0][30:]).any()


def test_a_short_that_is_ruined_ends_the_episode() -> None:
    price = np.array([100.0, 100, 100, 150, 199, 250, 300])
    bars = OHLCV(np.arange(7) * 3_600_000, price, price, price, price, np.ones(7))
    batch = MarketBatch(bars, np.zeros((7, 1)), 1, NO_COSTS, length=None)
    batch.reset(np.random.default_rng(0))
    rewards = [batch.step([2]) for _ in range(4)]
    assert [bool(dones[0]) for _, _, dones in rewards] == [False, False, False, True]
    assert batch.ruined[0]
    assert sum(float(reward[0]) for _, reward, _ in rewards) == pytest.approx(np.log(RUIN))


def test_risk_terms_take_away_and_scale_multiplies(walk: Walk) -> None:
    bars = walk(40, seed=8)

    def rewards(**terms: float) -> np.ndarray:
        batch = MarketBatch(bars, features_of(bars), 1, length=None, **terms)  # type: ignore[arg-type]
        batch.reset(np.random.default_rng(0))
        return np.array([batch.step([1])[1][0] for _ in range(38)])

    plain = rewards()
    assert rewards(scale=100) == pytest.approx(100 * plain)
    assert rewards(risk_aversion=2) == pytest.approx(plain - 2 * plain**2)
    equity = np.cumsum(plain)
    fall = np.maximum.accumulate(np.maximum(equity, 0)) - equity
    deeper = np.maximum(np.diff(fall, prepend=0), 0)
    assert rewards(drawdown_penalty=0.5) == pytest.approx(plain - 0.5 * deeper)


def test_nobody_beats_who_knew_all_prices(walk: Walk) -> None:
    bars = walk(300, seed=11)
    best = walk_of(bars, foreseen(bars))[0].sum()
    rng = np.random.default_rng(5)
    others = [walk_of(bars, rng.integers(3, size=(300, 3)))[0].sum() for _ in range(50)]
    assert best > 0 > max(others)
    assert (foreseen(bars, shorts=False) != 2).all()
    still = foreseen(bars, CostRates(Decimal(0), Decimal(1_000), Decimal(1_000)))
    assert walk_of(bars, still)[0].sum() >= 0


def test_all_positions_are_asked_at_once(walk: Walk) -> None:
    seen = observations_by_position(features_of(walk(4, seed=1)))
    assert seen.shape == (12, 4)
    assert seen[:, -1].tolist() == [0, 1, -1] * 4


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"features": np.full((30, 2), np.nan)}, "row 0: features are not finite"),
        ({"features": np.zeros((29, 2))}, "features must be"),
        ({"features": np.zeros(30)}, "features must be"),
        ({"episodes": 0}, "at least one"),
        ({"length": 0}, "at least one"),
        ({"bars": []}, "0 instruments"),
    ],
)
def test_what_cannot_be_is_refused(walk: Walk, change: dict[str, object], complaint: str) -> None:
    bars = walk(30, seed=1)
    given: dict[str, object] = {"bars": bars, "features": np.zeros((30, 2)), "episodes": 2} | change
    with pytest.raises(ValueError, match=complaint):
        MarketBatch(**given)  # type: ignore[arg-type]


def test_unsorted_bars_and_unknown_actions_are_refused(walk: Walk) -> None:
    bars = walk(30, seed=1)
    with pytest.raises(ValueError, match="oldest first"):
        replace(bars, open_time=bars.open_time[::-1])
    with pytest.raises(ValueError, match="positive"):
        MarketBatch(replace(bars, open=bars.open * 0, low=bars.low * 0), np.zeros((30, 1)), 1)
    batch = MarketBatch(bars, np.zeros((30, 1)), 2, shorts=False)
    batch.reset()
    for wrong in ([2, 0], [0], [-1, 0]):
        with pytest.raises(ValueError, match="actions"):
            batch.step(wrong)
