"""Managed exits in the simulator: against outcomes, against a search by hand, and what a trailing stop may know."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopilot.engine.simulator import Fixed, Market, Signals, Simulation, simulate
from signals.engine.candle import OHLCV
from signals.engine.costs import NO_COSTS, SPOT_COSTS
from signals.engine.exit_plan import ATR_PERIOD, managed, stops_along
from signals.engine.fill import CLOSED, EXPIRED, LIMIT, STOPPED, Grid
from signals.engine.indicators.volatility import atr
from signals.engine.outcome import follow_plans
from signals.engine.trend import TrendSettings, breakouts, trades
from tests.signals.engine.conftest import random_walk

CENTS = Grid(tick=Decimal("0.01"), lot=Decimal("0.001"))
FAST = TrendSettings(lookback=20, trail_atr=2.5, longest_hold_bars=30)
FIRST = ATR_PERIOD + 1


def run(candles: OHLCV, given: Any, **more: Any) -> Simulation:
    asked = {"cash": Decimal(10_000), "sizing": Fixed(Decimal("0.5")), "costs": SPOT_COSTS} | more
    return simulate([Market("A", candles)], [given], **asked)


def entries(
    candles: OHLCV, rows: dict[int, int], *, trail_atr: float, hold_bars: int, **more: Any
) -> Signals:
    """Sides by row; the first stop stands at the trail's distance."""
    ranges = atr(candles.high, candles.low, candles.close, ATR_PERIOD)
    side = np.zeros(len(candles), dtype=np.int8)
    for row, sign in rows.items():
        side[row] = sign
    none = np.full(len(candles), np.nan)
    stop = np.where(side != 0, candles.close - side * trail_atr * ranges, np.nan)
    trail = np.where(side != 0, trail_atr, np.nan)
    return Signals(side, stop, none, trail_atr=trail, hold_bars=hold_bars, good_bars=1, **more)


def test_the_trend_rule_through_the_simulator_is_its_outcomes() -> None:
    candles = random_walk(3_000, seed=21)
    found = run(candles, breakouts(candles, FAST)).closed
    told = trades(candles, FAST)

    assert len(found) >= 30
    assert {STOPPED, EXPIRED} <= set(found["exit_reason"].tolist())
    assert np.searchsorted(candles.open_time, found["entered_at"]).tolist() == (told.rows + 1).tolist()
    assert found["exited_at"].tolist() == told.outcomes.exited_at.tolist()
    reasons = np.where(found["exit_reason"] == EXPIRED, CLOSED, found["exit_reason"])
    assert reasons.tolist() == told.outcomes.exit_reason.tolist()
    assert found["entry_price"] == pytest.approx(told.outcomes.entry_price, rel=3e-8)
    assert found["exit_price"] == pytest.approx(told.outcomes.exit_price, rel=3e-8)
    share = found["net_profit"] / (found["entry_price"] * 0.5)
    assert share == pytest.approx(told.outcomes.returns, rel=1e-5, abs=1e-7)


@given(
    seed=st.integers(0, 10_000),
    sign=st.sampled_from([1, -1]),
    trail_atr=st.sampled_from([0.5, 1.0, 2.5, 4.0]),
    hold_bars=st.integers(1, 60),
    row=st.integers(FIRST, 60),
)
@settings(max_examples=30, deadline=None)
def test_one_trade_is_its_outcome_and_what_a_search_by_hand_finds(
    seed: int, sign: int, trail_atr: float, hold_bars: int, row: int
) -> None:
    candles = random_walk(140, seed=seed)
    asked = entries(candles, {row: sign}, trail_atr=trail_atr, hold_bars=hold_bars)
    plan = managed(stop=float(asked.stop_loss[row]), trail_atr=trail_atr, longest_hold_bars=hold_bars)
    found = run(candles, asked, costs=NO_COSTS).closed
    outcome = follow_plans(
        candles,
        rows=[row],
        directions=[sign],
        entry_prices=[candles.close[row]],
        plans=[plan],
        rates=NO_COSTS,
    )
    at, price = searched(candles, plan, row, sign, hold_bars)
    assert [int(each) for each in found["exited_at"]] == [int(outcome.exited_at[0])]
    assert int(found["exited_at"][0]) == int(candles.open_time[at])
    assert found["exit_price"][0] == pytest.approx(price, rel=1e-7)
    assert outcome.exit_price[0] == pytest.approx(price, rel=1e-7)


def searched(candles: OHLCV, plan: Any, row: int, sign: int, hold_bars: int) -> tuple[int, float]:
    """Bar and price of the exit: the first bar that reaches the stop known before it, or the open after the last."""
    ranges = atr(candles.high, candles.low, candles.close, ATR_PERIOD)
    acting = stops_along(plan, sign=sign, closes=candles.close[row:], ranges=ranges[row:])
    for bar in range(row + 1, row + 1 + hold_bars):
        stop, opened = acting[bar - row - 1], candles.open[bar]
        if sign * (opened - stop) <= 0:
            return bar, float(opened)
        if sign * ((candles.low if sign > 0 else candles.high)[bar] - stop) <= 0:
            return bar, float(stop)
    return row + 1 + hold_bars, float(candles.open[row + 1 + hold_bars])


@given(seed=st.integers(0, 10_000), sign=st.sampled_from([1, -1]), trail_atr=st.sampled_from([1.0, 2.0, 4.0]))
@settings(max_examples=25, deadline=None)
def test_a_stop_never_uses_the_bar_that_it_acts_in(seed: int, sign: int, trail_atr: float) -> None:
    """The bar of the exit may close anywhere and reach as far as it likes on the good side: the price paid stays."""
    candles = random_walk(140, seed=seed)
    asked = entries(candles, {30: sign}, trail_atr=trail_atr, hold_bars=100)
    before = run(candles, asked).closed
    at = int(np.searchsorted(candles.open_time, before["exited_at"][0]))
    wild = {name: np.array(getattr(candles, name)) for name in ("high", "low", "close")}
    good = "high" if sign > 0 else "low"
    wild[good][at] *= 1 + sign * 0.5
    wild["close"][at] = wild[good][at]
    for column in wild.values():
        column[at + 1 :] *= 3
    opened = np.array(candles.open)
    opened[at + 1 :] *= 3
    after = run(replace(candles, open=opened, **wild), asked).closed
    assert after.tolist() == before.tolist()


@given(seed=st.integers(0, 10_000), sign=st.sampled_from([1, -1]))
@settings(max_examples=25, deadline=None)
def test_a_stop_never_moves_away_from_the_price(seed: int, sign: int) -> None:
    """However wide the ranges become after the entry, nobody is stopped beyond the first stop or its gap."""
    candles = random_walk(140, seed=seed)
    wide = replace(
        candles,
        high=np.concatenate((candles.high[:40], candles.high[40:] * (1.0 if sign > 0 else 1.02))),
        low=np.concatenate((candles.low[:40], candles.low[40:] * (0.98 if sign > 0 else 1.0))),
    )
    asked = entries(wide, {38: sign}, trail_atr=2.0, hold_bars=100)
    found = run(wide, asked, costs=NO_COSTS).closed
    at = int(np.searchsorted(wide.open_time, found["exited_at"][0]))
    first = float(asked.stop_loss[38])
    worst = min(first, float(wide.open[at])) if sign > 0 else max(first, float(wide.open[at]))
    assert found["exit_reason"][0] == STOPPED
    assert sign * (float(found["exit_price"][0]) - worst) >= -1e-6 * first


def test_a_plan_by_hand() -> None:
    """Ranges of 2, one bar of 3: the stop begins at 96 and follows the close of 102; the low of 97 reaches it."""
    closes = np.array([100.0] * 20 + [102.0, 101.0, 99.0, 99.0])
    candles = OHLCV(np.arange(24) * 3_600_000, closes, closes + 1, closes - 1, closes, np.full(24, 1_000.0))
    low = candles.low.copy()
    low[22] = 97.0
    asked = entries(candles, {18: 1}, trail_atr=2.0, hold_bars=50)
    range_of_21 = (13 * (13 * 2 + 3) / 14 + 2) / 14
    found = simulate(
        [Market("A", replace(candles, low=low), grid=CENTS)],
        [asked],
        cash=Decimal(10_000),
        sizing=Fixed(Decimal(1)),
        costs=NO_COSTS,
    ).closed
    assert asked.stop_loss[18] == pytest.approx(96)
    assert found["exit_price"].tolist() == [round(102 - 2 * range_of_21, 2)] == [97.87]
    assert int(found["exited_at"][0]) == 22 * 3_600_000


def test_an_entry_that_the_next_bar_does_not_fill_lapses() -> None:
    candles = random_walk(140, seed=3)
    far = np.full(140, float(candles.low.min()) / 2)
    asked = replace(
        entries(candles, {30: 1}, trail_atr=2.0, hold_bars=9), kind=LIMIT, price=far, stop_loss=far / 2
    )
    assert len(run(candles, asked).trades) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"stop_loss": np.full(140, np.nan)},
        {"take_profit": np.full(140, 1e9)},
        {"trail": np.full(140, 1.0)},
        {"adds": True},
    ],
)
def test_what_no_plan_says_is_refused(wrong: dict[str, Any]) -> None:
    candles = random_walk(140, seed=3)
    asked = replace(entries(candles, {30: 1}, trail_atr=2.0, hold_bars=9), **wrong)
    with pytest.raises(ValueError, match="row 30: a managed exit needs"):
        run(candles, asked)
