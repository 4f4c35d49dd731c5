"""One month of decisions through services and the paper broker, and through the simulator: the same in everything.

Every order with its end, every fill, every trade and the equity at every close must agree; a constant that differs
on either side must be seen.
"""

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from autopilot.engine.market import FractionOfEquity, Market, Opposite, Signals
from autopilot.engine.order import OrderSide, OrderType
from autopilot.engine.simulation import REASON_NAMES, REFUSAL_NAMES, Simulation
from autopilot.engine.simulator import simulate
from autopilot.models import Account, EquityPoint, Fill, Position, Trade
from autopilot.selectors import cash_of
from autopilot.services.acting import act_on_decision
from autopilot.services.book_rows import rules_of
from autopilot.services.order_request import OrderRequest
from autopilot.services.paper import fill_orders
from signals.engine.candle import OHLCV
from signals.engine.fill import LIMIT, MARKET, Grid
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from tests.autopilot.accounts import make_account
from tests.factories import make_instrument, store

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.timeout(900)]

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
CASH, FRACTION = Decimal(10_000), Decimal("0.28")
FEES = {"maker_bps": Decimal(8), "taker_bps": Decimal(10), "slippage_bps": Decimal(2)}
TICK = Decimal("0.01")
# What each market is there for. C has a lot so coarse that equity sometimes does not pay for one.
LOTS = (Decimal("0.001"), Decimal("0.01"), Decimal(28))


@dataclass(frozen=True, slots=True)
class Case:
    """candles and signals of each market, in the order in which they are stepped."""

    candles: list[OHLCV]
    signals: list[Signals]


def walk(bars: int, seed: int, volume: float) -> OHLCV:
    """Prices on whole cents around 100, with gaps between bars."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.008, bars) - 0.02 * np.sin(np.arange(bars) / 40) / 10))
    opened = np.concatenate(([100.0], close[:-1])) * np.exp(rng.normal(0, 0.002, bars))
    high = np.maximum(opened, close) * (1 + rng.uniform(0, 0.006, bars))
    low = np.minimum(opened, close) * (1 - rng.uniform(0, 0.006, bars))
    columns = (np.round(each, 2) for each in (opened, high, low, close))
    times = int(START.timestamp() * 1000) + np.arange(bars, dtype=np.int64) * Timeframe.H1.milliseconds
    return OHLCV(times, *columns, np.round(rng.uniform(0.2, 1.8, bars) * volume, 3))


def case_of(candles: list[OHLCV], seed: int) -> Case:
    """A: market entries with stop and target, turned by the opposite. B: limits with a trailing stop, in part.

    C: shorts that are not allowed, and longs of less than a lot.
    """
    rng, signals = np.random.default_rng(seed), []
    for number, bars in enumerate(candles):
        rows, close = len(bars), bars.close
        direction = rng.choice(np.array([-1, 0, 0, 0, 0, 0, 1], dtype=np.int8), rows)
        none = np.full(rows, np.nan)
        stop, target = (
            np.round(close * (1 - direction * 0.012), 2),
            np.round(close * (1 + direction * 0.016), 2),
        )
        exits = rng.random(rows) < 0.02
        if number == 1:
            price = np.round(close * (1 - direction * 0.004), 2)
            trail = np.round(close * 0.012, 2)
            signals.append(
                Signals(
                    direction, none, none, kind=LIMIT, price=price, trail=trail, good_bars=3, hold_bars=30
                )
            )
        else:
            signals.append(
                Signals(
                    direction,
                    stop,
                    target,
                    exits=exits,
                    hold_bars=12,
                    opposite=Opposite.CLOSE if number == 0 else Opposite.IGNORE,
                )
            )
    return Case(candles, signals)


def make_instruments(case: Case, **fees: Decimal) -> list[Instrument]:
    found = []
    for lot, market_type, candles in zip(LOTS, ("margin", "margin", "spot"), case.candles, strict=True):
        instrument = make_instrument(tick_size=TICK, lot_step=lot, market_type=market_type, **FEES | fees)
        store(instrument, Timeframe.H1, candles)
        found.append(instrument)
    return found


def markets_of(case: Case, account: Account, instruments: list[Instrument]) -> list[Market]:
    return [
        Market(
            name=instrument.symbol,
            candles=candles,
            grid=Grid(tick=TICK, lot=lot),
            rates=instrument.cost_rates(),
            rules=rules_of(account, instrument),
            shortable=instrument.market_type != "spot",
        )
        for instrument, candles, lot in zip(instruments, case.candles, LOTS, strict=True)
    ]


def run_simulator(markets: list[Market], signals: list[Signals]) -> Simulation:
    return simulate(markets, signals, cash=CASH, sizing=FractionOfEquity(FRACTION))


def run_services(case: Case, account: Account, instruments: list[Instrument]) -> None:
    """Bar by bar: the broker first, then what was decided at that close."""
    for row, opened in enumerate(case.candles[0].open_time):
        opened_at = datetime.fromtimestamp(int(opened) / 1000, UTC)
        now = opened_at + HOUR
        for instrument in instruments:
            fill_orders(instrument=instrument, timeframe=Timeframe.H1, as_of=now, now=now)
        equity = worth(account)
        for instrument, candles, signals, lot in zip(
            instruments, case.candles, case.signals, LOTS, strict=True
        ):
            request = request_of(signals, row, float(candles.close[row]), equity, lot)
            leaves = signals.exits is not None and bool(signals.exits[row])
            if request is None and not leaves:
                continue
            act_on_decision(
                account=account,
                instrument=instrument,
                timeframe=Timeframe.H1,
                candle_open_time=opened_at,
                request=request,
                leaves=leaves,
                opposite=signals.opposite,
                as_of=now,
                now=now,
                by="test",
            )


def worth(account: Account) -> float:
    held = Position.objects.filter(account=account).exclude(quantity=0)
    return float(cash_of(account) + sum(each.quantity * each.last_close for each in held))


def request_of(signals: Signals, row: int, close: float, equity: float, lot: Decimal) -> OrderRequest | None:
    """An entry worth FRACTION of the equity at its price, in whole lots."""
    if signals.direction[row] == 0:
        return None
    price = None if signals.price is None else float(signals.price[row])
    lots = int(float(FRACTION) * equity / ((price or close) * float(lot)))
    trail = None if signals.trail is None else in_cents(signals.trail[row])
    return OrderRequest(
        side=OrderSide.BUY if signals.direction[row] > 0 else OrderSide.SELL,
        order_type=OrderType.MARKET if signals.kind == MARKET else OrderType.LIMIT,
        quantity=lots * lot,
        price=None if price is None else in_cents(price),
        stop=None if trail is not None else in_cents(signals.stop_loss[row]),
        target=None if trail is not None else in_cents(signals.take_profit[row]),
        trail=trail,
        good_bars=signals.good_bars,
        hold_bars=signals.hold_bars,
    )


def in_cents(price: float) -> Decimal:
    return Decimal(str(price)).quantize(TICK)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def fills_of(simulation: Simulation) -> list[tuple[Any, ...]]:
    return sorted(
        (
            simulation.instruments[fill["instrument"]],
            int(fill["at"]),
            int(fill["side"]),
            round(float(fill["quantity"]), 9),
            round(float(fill["price"]), 9),
            round(float(fill["fee"]), 8),
            REASON_NAMES[fill["reason"]],
            bool(fill["ambiguous"]),
        )
        for fill in simulation.fills
    )


def stored_fills(account: Account) -> list[tuple[Any, ...]]:
    fills = Fill.objects.filter(position__account=account).select_related("position__instrument")
    return sorted(
        (
            fill.position.instrument.symbol,
            ms(fill.candle_open_time),
            OrderSide(fill.side).sign,
            round(float(fill.quantity), 9),
            round(float(fill.price), 9),
            round(float(fill.fee), 8),
            fill.reason.replace("_", " "),
            fill.is_ambiguous,
        )
        for fill in fills
    )


# Of an entry that was not filled as asked: the words of both sides for the same fate.
FATES = {
    "the instrument cannot be sold short": "no position",
    "the account pays for less than one lot": "less than one lot",
    "not filled in time": "lapsed",
    "cut to what the account pays for": "cut",
    "": "",
}


def orders_of(simulation: Simulation) -> list[tuple[Any, ...]]:
    return sorted(
        (
            simulation.instruments[order["instrument"]],
            int(order["decided_at"]),
            int(order["side"]),
            round(float(order["filled"]), 9),
            FATES.get(REFUSAL_NAMES[order["refusal"]], REFUSAL_NAMES[order["refusal"]]),
        )
        for order in simulation.orders
    )


def stored_orders(account: Account) -> list[tuple[Any, ...]]:
    words = {"no_position": "no position", "less_than_one_lot": "less than one lot", "lapsed": "lapsed"}
    words |= {"cut_to_balance": "cut", "replaced": "", "": ""}
    return sorted(
        (
            order.instrument.symbol,
            ms(order.candle_open_time),
            OrderSide(order.side).sign,
            round(float(order.filled), 9),
            words.get(order.reason_code, order.reason_code),
        )
        for order in account.orders.entries().select_related("instrument")
    )


def differences(account: Account, simulation: Simulation) -> list[str]:
    """What is not the same, in words."""
    found = []
    if orders_of(simulation) != stored_orders(account):
        told, stored = set(orders_of(simulation)), set(stored_orders(account))
        found.append(f"orders: {sorted(told - stored)[:3]}, not {sorted(stored - told)[:3]}")
    if fills_of(simulation) != stored_fills(account):
        found.append("fills")
    trades = Trade.objects.filter(account=account)
    mine = sorted(
        (float(each.net_profit), float(each.entry_price), each.r_multiple or 0.0) for each in trades
    )
    theirs = sorted(
        (float(each["net_profit"]), float(each["entry_price"]), float(np.nan_to_num(each["r_multiple"])))
        for each in simulation.closed
    )
    if len(mine) != len(theirs) or not np.allclose(mine, theirs, rtol=1e-9, atol=1e-9):
        found.append("trades")
    points = {ms(point.at): float(point.equity) for point in EquityPoint.objects.filter(account=account)}
    known, curve = float(CASH), []
    for opened in simulation.times:
        known = points.get(int(opened), known)
        curve.append(known)
    if not np.allclose(curve, simulation.equity, rtol=1e-9, atol=0):
        found.append("equity")
    return found


def month(seed: int, bars: int = 720) -> Case:
    volumes = (5_000.0, 40.0, 20_000.0)
    return case_of([walk(bars, seed + number, volume) for number, volume in enumerate(volumes)], seed)


def test_a_month_is_the_same_through_the_paper_broker_and_the_simulator() -> None:
    case, account = (
        month(7, bars=720 if os.environ.get("WHOLE_MONTH") else 200),
        make_account(cash=CASH, now=START, volume_share=Decimal("0.2")),
    )
    instruments = make_instruments(case)
    markets = markets_of(case, account, instruments)
    simulation = run_simulator(markets, case.signals)
    run_services(case, account, instruments)

    assert differences(account, simulation) == []
    fills = Fill.objects.filter(position__account=account)
    assert fills.count() >= 100
    reasons = set(fills.values_list("reason", flat=True))
    assert reasons >= {"entry", "stop", "target", "trailing_stop", "signal"}


@pytest.mark.parametrize(
    ("fees", "settings"),
    [
        ({"taker_bps": Decimal("10.01")}, {}),
    ],
)
def test_a_constant_that_the_paper_broker_has_of_its_own_is_seen(
    fees: dict[str, Decimal], settings: dict[str, Any]
) -> None:
    case = month(7, bars=120)
    account = make_account(cash=CASH, now=START, volume_share=Decimal("0.2"))
    markets = markets_of(case, account, make_instruments(case))
    other = make_account(**{"cash": CASH, "now": START, "volume_share": Decimal("0.2")} | settings)
    changed = make_instruments(case, **fees)
    run_services(case, other, changed)
    names = {market.name: instrument.symbol for market, instrument in zip(markets, changed, strict=True)}
    same = [replace(market, name=names[market.name]) for market in markets]
    assert differences(other, run_simulator(same, case.signals))
