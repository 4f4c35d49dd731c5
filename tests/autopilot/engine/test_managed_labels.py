"""Labels of managed trades against the simulator: each bar's label is what the simulator makes of that trade alone."""

from decimal import Decimal

import numpy as np
import pytest

from autopilot.engine.managed_labels import label_managed
from autopilot.engine.simulator import Fixed, Market, Signals, simulate
from signals.engine.candle import OHLCV
from signals.engine.costs import SPOT_COSTS
from signals.engine.fill import CLOSED, EXPIRED
from signals.engine.indicators.volatility import atr
from tests.signals.engine.conftest import random_walk


@pytest.mark.parametrize("side", [1, -1])
def test_a_label_is_what_the_simulator_makes_of_that_trade(side: int) -> None:
    market, none = random_walk(260, seed=13), np.full(260, np.nan)
    labels = label_managed(market, stop_atr=3.0, trail_atr=2.0, hold_bars=25)
    reach = atr(market.high, market.low, market.close, 14)
    for row in range(14, 200, 9):
        direction = np.zeros(260, dtype=np.int8)
        direction[row] = side
        stop, trail = none.copy(), np.full(260, 2.0)
        stop[row] = market.close[row] - side * 3.0 * reach[row]
        asked = Signals(direction, stop, none, trail_atr=trail, hold_bars=25)
        trade = simulate(
            [Market("A", market)],
            [asked],
            cash=Decimal(10_000),
            sizing=Fixed(Decimal("0.5")),
            costs=SPOT_COSTS,
        ).closed[0]
        share = trade["net_profit"] / (trade["entry_price"] * 0.5)
        reason = CLOSED if trade["exit_reason"] == EXPIRED else trade["exit_reason"]
        number = 0 if side > 0 else 1
        assert labels.returns[number, row] == pytest.approx(share, rel=1e-5, abs=1e-7)
        risk = 3.0 * reach[row] / market.close[row]
        assert labels.r_multiple[number, row] == pytest.approx(share / risk, rel=1e-5, abs=1e-5)
        assert labels.exit_reason[number, row] == reason
        held = int(np.searchsorted(market.open_time, trade["exited_at"])) - row - 1
        assert labels.bars_held[number, row] == held


def test_bars_without_a_range_or_an_end_have_no_label() -> None:
    labels = label_managed(random_walk(120, seed=2), stop_atr=2.0, trail_atr=2.0, hold_bars=200)
    assert np.isnan(labels.r_multiple[:, :14]).all()
    assert np.isnan(labels.returns[:, -1]).all()
    assert (labels.bars_held[:, -1] == -1).all()
    assert (labels.exit_reason[:, -1] == -1).all()


@pytest.mark.parametrize("wrong", [{"stop_atr": 0.0}, {"trail_atr": float("nan")}, {"hold_bars": 0}])
def test_numbers_that_no_plan_takes_are_refused(wrong: dict[str, float]) -> None:
    given = {"stop_atr": 2.0, "trail_atr": 2.0, "hold_bars": 5} | wrong
    with pytest.raises(ValueError, match="must be"):
        label_managed(random_walk(60, seed=2), **given)  # type: ignore[arg-type]


def test_no_candles_have_no_labels() -> None:
    nothing = np.zeros(0)
    empty = OHLCV(np.zeros(0, dtype=np.int64), nothing, nothing, nothing, nothing, nothing)
    assert len(label_managed(empty, stop_atr=2.0, trail_atr=2.0, hold_bars=5)) == 0
