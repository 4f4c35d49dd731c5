"""The trend rule's managed exits through services and the paper broker, the simulator, and outcomes: one story."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from autopilot.engine.market import Fixed, Market, Opposite, Signals, signals_of
from autopilot.engine.order import OrderPurpose, OrderSide, OrderType
from autopilot.engine.simulation import REASON_NAMES
from autopilot.engine.simulator import simulate
from autopilot.models import Account, Order, Trade
from autopilot.services.acting import act_on_decision
from autopilot.services.book_rows import rules_of
from autopilot.services.order_request import OrderRequest
from autopilot.services.paper import fill_orders
from signals.engine.candle import OHLCV
from signals.engine.exit_plan import managed
from signals.engine.fill import Grid
from signals.engine.outcome import REASONS, follow_plans
from signals.engine.timeframe import Timeframe
from signals.engine.trend import TrendSettings, breakouts
from signals.market.models import Instrument
from tests.autopilot.accounts import make_account
from tests.factories import make_instrument, store
from tests.signals.engine.conftest import random_walk

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, tzinfo=UTC)
RULE = TrendSettings(lookback=10, trail_atr=1.5, longest_hold_bars=8)
GRID = Grid(tick=Decimal("0.000001"), lot=Decimal("0.001"))
QUANTITY = Decimal("0.5")
FEES = {"maker_bps": Decimal(8), "taker_bps": Decimal(10), "slippage_bps": Decimal(2)}


def market(bars: int, seed: int) -> OHLCV:
    walk = random_walk(bars, seed=seed)
    times = int(START.timestamp() * 1000) + np.arange(bars, dtype=np.int64) * Timeframe.H4.milliseconds
    columns = (np.round(each, 6) for each in (walk.open, walk.high, walk.low, walk.close))
    return OHLCV(times, *columns, walk.volume)


def make_traded(candles: OHLCV) -> Instrument:
    instrument = make_instrument(tick_size=GRID.tick, lot_step=GRID.lot, market_type="margin", **FEES)
    store(instrument, Timeframe.H4, candles)
    return instrument


def run_services(candles: OHLCV, signals: Signals, account: Account, instrument: Instrument) -> None:
    """Bar by bar: the broker first, then what was decided at that close."""
    for row, opened in enumerate(candles.open_time):
        opened_at = datetime.fromtimestamp(int(opened) / 1000, UTC)
        now = opened_at + timedelta(hours=4)
        fill_orders(instrument=instrument, timeframe=Timeframe.H4, as_of=now, now=now)
        if signals.direction[row] != 0:
            act_on_decision(
                account=account,
                instrument=instrument,
                timeframe=Timeframe.H4,
                candle_open_time=opened_at,
                request=request_of(signals, row),
                as_of=now,
                now=now,
                by="test",
                opposite=Opposite.IGNORE,
            )


def request_of(signals: Signals, row: int) -> OrderRequest:
    assert signals.trail_atr is not None
    return OrderRequest(
        side=OrderSide.BUY if signals.direction[row] > 0 else OrderSide.SELL,
        order_type=OrderType.MARKET,
        quantity=QUANTITY,
        stop=Decimal(repr(float(signals.stop_loss[row]))),
        trail_atr=float(signals.trail_atr[row]),
        good_bars=signals.good_bars,
        hold_bars=signals.hold_bars,
    )


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def stored(account: Account) -> list[tuple[Any, ...]]:
    trades = Trade.objects.filter(account=account).order_by("entered_at")
    return [
        (
            ms(each.entered_at),
            ms(each.exited_at),
            each.exit_reason.replace("_", " "),
            pytest.approx(float(each.entry_price)),
            pytest.approx(float(each.exit_price)),
            pytest.approx(float(each.net_profit)),
        )
        for each in trades
    ]


def mirrored(candles: OHLCV) -> Signals:
    """The rule's entries, every other one sold short with its stop as far above the close."""
    series = breakouts(candles, RULE)
    signals = signals_of(series)
    side, rows = np.array(signals.direction), series.rows[1::2]
    stop = np.array(signals.stop_loss)
    side[rows], stop[rows] = -1, 2 * candles.close[rows] - stop[rows]
    return Signals(
        side,
        stop,
        signals.take_profit,
        good_bars=signals.good_bars,
        hold_bars=signals.hold_bars,
        trail_atr=signals.trail_atr,
    )


@pytest.mark.slow
def test_paper_simulator_and_outcomes_leave_managed_trades_alike() -> None:
    candles = market(200, seed=5)
    signals = mirrored(candles)
    account, instrument = make_account(cash=Decimal(10_000), now=START), make_traded(candles)
    market_row = Market(
        name=instrument.symbol,
        candles=candles,
        grid=GRID,
        rates=instrument.cost_rates(),
        rules=rules_of(account, instrument),
    )
    found = simulate([market_row], [signals], cash=Decimal(10_000), sizing=Fixed(QUANTITY)).closed
    run_services(candles, signals, account, instrument)

    assert [
        (
            int(each["entered_at"]),
            int(each["exited_at"]),
            REASON_NAMES[each["exit_reason"]],
            float(each["entry_price"]),
            float(each["exit_price"]),
            float(each["net_profit"]),
        )
        for each in found
    ] == stored(account)
    assert {"stop", "time"} <= {each[2] for each in stored(account)}

    rows = np.searchsorted(candles.open_time, found["entered_at"]) - 1
    outcome = follow_plans(
        candles,
        rows=rows,
        directions=signals.direction[rows],
        entry_prices=candles.close[rows],
        plans=[
            managed(stop=float(stop), trail_atr=RULE.trail_atr, longest_hold_bars=RULE.longest_hold_bars)
            for stop in signals.stop_loss[rows]
        ],
        rates=instrument.cost_rates(),
    )
    assert len(rows) >= 8
    assert {1, -1} <= set(signals.direction[rows].tolist())
    assert outcome.exited_at.tolist() == found["exited_at"].tolist()
    assert outcome.exit_price == pytest.approx(found["exit_price"], rel=1e-6)
    assert [REASONS[int(each)].value for each in outcome.exit_reason] == [
        {"stop": "stop", "time": "expiry"}[REASON_NAMES[each]] for each in found["exit_reason"]
    ]


def test_a_raised_stop_stands_in_the_row_of_the_exit_and_never_falls() -> None:
    candles = market(200, seed=5)
    signals = signals_of(breakouts(candles, RULE))
    account, instrument = make_account(cash=Decimal(10_000), now=START), make_traded(candles)
    known: dict[int, Decimal] = {}
    raised = 0
    for row, opened in enumerate(candles.open_time[:120]):
        run_services(candles[row : row + 1], rows_of(signals, row), account, instrument)
        for stop in Order.objects.filter(purpose=OrderPurpose.STOP.value, account=account):
            assert stop.price is not None
            assert stop.price >= known.get(stop.pk, Decimal(0)), opened
            raised += stop.price > known.get(stop.pk, stop.price)
            known[stop.pk] = stop.price
    assert raised >= 3
    entry = Order.objects.entries().filter(account=account, filled__gt=0).first()
    assert entry is not None
    assert entry.trail_atr == RULE.trail_atr


def rows_of(signals: Signals, row: int) -> Signals:
    assert signals.trail_atr is not None
    part = slice(row, row + 1)
    return Signals(
        signals.direction[part],
        signals.stop_loss[part],
        signals.take_profit[part],
        good_bars=signals.good_bars,
        hold_bars=signals.hold_bars,
        trail_atr=signals.trail_atr[part],
    )


@pytest.mark.parametrize("wrong", [{"stop": None}, {"target": Decimal(200)}, {"trail": Decimal(1)}])
def test_a_request_that_no_plan_says_is_refused(wrong: dict[str, Any]) -> None:
    plain: dict[str, Any] = {"stop": Decimal(90), "trail_atr": 2.0}
    with pytest.raises(ValueError, match="a managed exit has a stop"):
        OrderRequest(side=OrderSide.BUY, order_type=OrderType.MARKET, quantity=Decimal(1), **plain | wrong)
