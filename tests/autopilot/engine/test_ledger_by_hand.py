"""Every kind of order and of cost, one trade each, against a ledger that was written by hand.

The arithmetic stands in each row. Ticks are 0.01, lots 0.001; fees 2 bps as maker, 10 bps as taker, slippage 3 bps,
rounded up to a whole tick, so that a market order at 100 pays 100.03 and one at 102 receives 101.96 (3.06 ticks are 4).
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from autopilot.engine.simulator import Fixed, Market, Signals, simulate
from signals.engine.candle import OHLCV
from signals.engine.costs import NO_COSTS, CostRates
from signals.engine.fill import (
    CLOSED,
    EXPIRED,
    LIMIT,
    LIQUIDATED,
    OPEN,
    STOP,
    STOPPED,
    TARGET,
    TRAILED,
    Grid,
)
from signals.engine.fill.layout import BELOW_MINIMUM, LAPSED
from signals.engine.fill.terms import Rules

HOUR = 3_600_000
NAN = float("nan")
CENTS = Grid(tick=Decimal("0.01"), lot=Decimal("0.001"))
FEES = CostRates(maker_bps=Decimal(2), taker_bps=Decimal(10), slippage_bps=Decimal(3))
CALM = (100.0, 100.0, 100.0, 100.0)


@dataclass(frozen=True)
class Case:
    """Decided at the close of the first bar. `bars`: open, high, low, close of those that follow."""

    bars: list[tuple[float, float, float, float]]
    quantity: float
    entry: float
    exit: float
    fees: str
    reason: int
    net: str
    funding: str = "0"
    side: int = 1
    stop: float = NAN
    target: float = NAN
    exit_row: int | None = None
    rates: CostRates = FEES
    rules: Rules = field(default_factory=Rules)
    size: str = "1"
    ambiguous: bool = False
    signals: dict[str, Any] = field(default_factory=dict)
    market: dict[str, Any] = field(default_factory=dict)
    volume: float = 1_000.0


LEDGER = {
    # 2.00 without any cost
    "market order without costs": Case(
        [CALM, (102, 102, 102, 102)], 1, 100, 102, "0", CLOSED, "2", exit_row=1, rates=NO_COSTS
    ),
    # fees 0.10003 + 0.10196; 101.96 - 100.03 - 0.20199
    "market order": Case(
        [CALM, (102, 102, 102, 102)], 1, 100.03, 101.96, "0.20199", CLOSED, "1.72801", exit_row=1
    ),
    # sold at 99.97, bought at 98 + 3 ticks (2.94); fees 0.09997 + 0.09803
    "market order short": Case(
        [CALM, (98, 98, 98, 98)], 1, 99.97, 98.03, "0.198", CLOSED, "1.742", side=-1, exit_row=1
    ),
    # as maker 99 x 0.0002 = 0.0198, out as taker 0.10196; 101.96 - 99 - 0.12176
    "limit order inside a bar": Case(
        [(100, 100, 98.5, 100), (102, 102, 102, 102)], 1, 99, 101.96, "0.12176", CLOSED, "2.83824",
        exit_row=1, signals={"kind": LIMIT, "price": 99.0},
    ),
    # the open was better than asked: taken there, 97 x 0.001 = 0.097; 101.96 - 97 - 0.19896
    "limit order at a better open": Case(
        [(97, 100, 96, 100), (102, 102, 102, 102)], 1, 97, 101.96, "0.19896", CLOSED, "4.76104",
        exit_row=1, signals={"kind": LIMIT, "price": 99.0},
    ),
    # 101 slips 3.03 ticks, so 4: 101.04, fee 0.10104; out at 101.96, fee 0.10196
    "stop order inside a bar": Case(
        [(100, 102, 100, 102), (102, 102, 102, 102)], 1, 101.04, 101.96, "0.203", CLOSED, "0.717",
        exit_row=1, signals={"kind": STOP, "price": 101.0},
    ),
    # opened beyond it: 103 slips 3.09, so 4 ticks: 103.04, fee 0.10304
    "stop order at a worse open": Case(
        [(103, 104, 102, 103), (102, 102, 102, 102)], 1, 103.04, 101.96, "0.205", CLOSED, "-1.285",
        exit_row=1, signals={"kind": STOP, "price": 101.0},
    ),
    # 95 slips 2.85, so 3 ticks: 94.97, fee 0.09497; with 0.10003 of the entry
    "stop loss inside a bar": Case(
        [CALM, (100, 100, 94, 96)], 1, 100.03, 94.97, "0.195", STOPPED, "-5.255", stop=95
    ),
    # opened at 90, which slips 2.7, so 3 ticks: 89.97, fee 0.08997
    "stop loss at a worse open": Case(
        [CALM, (90, 91, 89, 90)], 1, 100.03, 89.97, "0.19", STOPPED, "-10.25", stop=95
    ),
    # as maker at 105: 0.021; with 0.10003 of the entry
    "target inside a bar": Case(
        [CALM, (100, 106, 100, 104)], 1, 100.03, 105, "0.12103", TARGET, "4.84897", target=105
    ),
    # the open offered 107: taken there without slippage, 0.107
    "target at a better open": Case(
        [CALM, (107, 108, 106, 107)], 1, 100.03, 107, "0.20703", TARGET, "6.76297", target=105
    ),
    # one bar reaches both: the stop is taken to come first
    "stop and target in one bar": Case(
        [CALM, (100, 106, 94, 100)], 1, 100.03, 94.97, "0.195", STOPPED, "-5.255",
        stop=95, target=105, ambiguous=True,
    ),
    # the high of 110 draws the stop to 105, acting from the next bar on; 105 slips 3.15, so 4 ticks: 104.96
    "trailing stop": Case(
        [CALM, (100, 110, 100, 110), (110, 110, 104, 104)], 1, 100.03, 104.96, "0.20499", TRAILED, "4.72501",
        signals={"trail": 5.0},
    ),
    # held for two bars, out at the next open: 101 slips 4 ticks to 100.96, fee 0.10096
    "time exit": Case(
        [CALM, CALM, (101, 101, 101, 101)], 1, 100.03, 100.96, "0.20099", EXPIRED, "0.72901",
        signals={"hold_bars": 2},
    ),
    # 4 of a bar's 40 each time, in and out: 4 at 100.03 and 2 at 101.04 make 602.20; 4 and 2 at 101.96 are 611.76;
    # fees 0.40012 + 0.20208 + 0.61176; 611.76 - 602.20 - 1.21396
    "partial fills by a share of the volume": Case(
        [CALM, (101, 101, 101, 101), *[(102, 102, 102, 102)] * 2], 6, 602.20 / 6, 101.96, "1.21396", CLOSED, "8.34604",
        exit_row=2, size="6", rules=Rules(volume_share=Decimal("0.1")), volume=40.0,
    ),
    # 100 worth pays 0.01 % at the second open: 0.01
    "funding of a long position": Case(
        [CALM, CALM, CALM], 1, 100, 100, "0", CLOSED, "-0.01", funding="0.01", exit_row=2, rates=NO_COSTS,
        market={"funding_at": np.array([2 * HOUR]), "funding": np.array([0.0001])},
    ),
    # and is received by who is short
    "funding of a short position": Case(
        [CALM, CALM, CALM], 1, 100, 100, "0", CLOSED, "0.01", funding="-0.01", side=-1, exit_row=2, rates=NO_COSTS,
        market={"funding_at": np.array([2 * HOUR]), "funding": np.array([0.0001])},
    ),
    # slippage 3 bps and half a spread of 4: 5 ticks; 100.05 and 99.95
    "half a spread": Case(
        [CALM, CALM], 1, 100.05, 99.95, "0", CLOSED, "-0.1", exit_row=1,
        rates=CostRates(Decimal(0), Decimal(0), Decimal(3), spread_bps=Decimal(4)),
    ),
    # a quarter of the bar's volume: 8 bps x sqrt(0.25) = 4 ticks each way
    "impact of a large order": Case(
        [CALM, CALM], 10, 100.04, 99.96, "0", CLOSED, "-0.8", exit_row=1, size="10", volume=40.0,
        rates=CostRates(Decimal(0), Decimal(0), Decimal(0), impact_bps=Decimal(8)),
    ),
    # never left: marked at 103, no cost of leaving
    "open at the end": Case([CALM, (103, 103, 103, 103)], 1, 100.03, NAN, "0.10003", OPEN, "2.86997"),
}  # fmt: skip


def told(case: Case) -> tuple[Market, Signals]:
    bars = np.array([CALM, *case.bars], dtype=np.float64)
    rows = len(bars)
    candles = OHLCV(np.arange(rows) * HOUR, *bars.T, np.full(rows, case.volume))
    direction, exits = np.zeros(rows, dtype=np.int8), np.zeros(rows, dtype=np.bool_)
    direction[0] = case.side
    if case.exit_row is not None:
        exits[case.exit_row] = True
    more = {
        name: np.full(rows, value) if name in {"price", "trail"} else value
        for name, value in case.signals.items()
    }
    asked = Signals(direction, np.full(rows, case.stop), np.full(rows, case.target), exits=exits, **more)
    return Market("A", candles, grid=CENTS, rates=case.rates, rules=case.rules, **case.market), asked


@pytest.mark.parametrize("name", LEDGER)
def test_the_trade_stands_in_the_ledger(name: str) -> None:
    case = LEDGER[name]
    market, asked = told(case)

    found = simulate([market], [asked], cash=Decimal(10_000), sizing=Fixed(Decimal(case.size)), costs=FEES)

    (trade,) = found.trades
    assert trade["quantity"] == pytest.approx(case.quantity, abs=1e-12)
    assert trade["entry_price"] == pytest.approx(case.entry, abs=1e-9)
    assert trade["exit_price"] == pytest.approx(case.exit, abs=1e-9, nan_ok=True)
    assert trade["fees"] == pytest.approx(float(case.fees), abs=2e-8)
    assert trade["funding"] == pytest.approx(float(case.funding), abs=2e-8)
    assert trade["net_profit"] == pytest.approx(float(case.net), abs=4e-8)
    assert (trade["exit_reason"], bool(trade["ambiguous"])) == (case.reason, case.ambiguous)
    assert found.equity[-1] == pytest.approx(10_000 + float(case.net), abs=1e-7)


def test_what_is_borrowed_pays_by_the_day() -> None:
    """100 sold short for 24 bars of an hour at 10 bps a day: 0.10."""
    case = Case(
        [CALM] * 26, 1, 100, 100, "0", CLOSED, "-0.1", side=-1, exit_row=24,
        rates=CostRates(Decimal(0), Decimal(0), Decimal(0), borrow_bps=Decimal(10)),
    )  # fmt: skip
    market, asked = told(case)
    found = simulate([market], [asked], cash=Decimal(10_000), sizing=Fixed(Decimal(1)), costs=FEES)
    assert found.trades["net_profit"][0] == pytest.approx(-0.1, abs=1e-6)


def test_what_volatility_adds_to_the_slippage() -> None:
    """Bars that range over 2.00 for long enough: a tenth (1,000 bps) of the average range is 0.20 each way."""
    rows = 40
    bars = np.array([(100.0, 101.0, 99.0, 100.0)] * rows)
    candles = OHLCV(np.arange(rows) * HOUR, *bars.T, np.full(rows, 1_000.0))
    direction, exits = np.zeros(rows, dtype=np.int8), np.zeros(rows, dtype=np.bool_)
    direction[20], exits[30] = 1, True
    none = np.full(rows, NAN)
    rates = CostRates(Decimal(0), Decimal(0), Decimal(0), volatility_bps=Decimal(1_000))
    found = simulate(
        [Market("A", candles, grid=CENTS, rates=rates)],
        [Signals(direction, none, none, exits=exits)],
        cash=Decimal(10_000),
        sizing=Fixed(Decimal(1)),
        costs=rates,
    )
    assert found.trades["entry_price"].tolist() == [100.2]
    assert found.trades["exit_price"].tolist() == [99.8]


def test_a_position_that_its_margin_no_longer_covers_is_liquidated() -> None:
    """Five times 10,000 at 100: 500 units. At 80 nothing is left; below 5 % of its worth it is closed."""
    case = Case(
        [CALM, (100, 100, 79, 80), (80, 80, 80, 80)], 500, 100, NAN, "0", LIQUIDATED, "0", rates=NO_COSTS,
        rules=Rules(leverage=Decimal(5), maintenance=Decimal("0.05")), size="500",
    )  # fmt: skip
    market, asked = told(case)
    found = simulate([market], [asked], cash=Decimal(10_000), sizing=Fixed(Decimal(500)), costs=NO_COSTS)
    (trade,) = found.trades
    assert (trade["quantity"], trade["exit_reason"]) == (500, LIQUIDATED)
    assert found.equity[-1] >= 0


def test_orders_that_never_fill_are_told_with_their_reason() -> None:
    touched = Case(
        [(100, 100, 99, 100), CALM, CALM], 0, 0, 0, "0", 0, "0", rules=Rules(trade_through=True),
        signals={"kind": LIMIT, "price": 99.0, "good_bars": 1},
    )  # fmt: skip
    small = Case([CALM, CALM], 0, 0, 0, "0", 0, "0", rules=Rules(minimum_value=Decimal(101)))
    for case, refusal in ((touched, LAPSED), (small, BELOW_MINIMUM)):
        market, asked = told(case)
        found = simulate([market], [asked], cash=Decimal(10_000), sizing=Fixed(Decimal(1)), costs=FEES)
        assert len(found.trades) == 0
        assert found.orders["refusal"].tolist() == [refusal]
        assert found.equity[-1] == 10_000
