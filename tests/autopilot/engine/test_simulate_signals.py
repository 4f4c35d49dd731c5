"""`simulate_signals` against exact arithmetic with fractions, which knows nothing of ticks times lots in int64."""

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopilot.engine.simulation import Simulation
from autopilot.engine.simulator import run_signals, simulate_signals
from signals.engine.candle import OHLCV
from signals.engine.costs import NO_COSTS, CostRates
from signals.engine.entry import entry_rows
from signals.engine.fill import CLOSED, OPEN, Grid
from signals.engine.fill.layout import CUT, LESS_THAN_ONE_LOT

CENTS = Grid(tick=Decimal("0.01"), lot=Decimal("0.001"))
FEES = CostRates(maker_bps=Decimal(2), taker_bps=Decimal(10), slippage_bps=Decimal(3))


def candles(*closes: float, opens: list[float] | None = None) -> OHLCV:
    """Bars that open where the one before closed, unless told otherwise."""
    close = np.array(closes, dtype=np.float64)
    opened = np.array(opens if opens is not None else [closes[0], *closes[:-1]], dtype=np.float64)
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    return OHLCV(np.arange(len(close)) * 3_600_000, opened, high, low, close, np.ones(len(close)))


def columns(rows: int, entries: dict[int, int], exits: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    enter, leave = np.zeros(rows, dtype=np.int8), np.zeros(rows, dtype=np.bool_)
    for row, side in entries.items():
        enter[row] = side
    leave[list(exits)] = True
    return enter, leave


@dataclass
class Exact:
    """The rules in fractions, bar by bar; prices and lots on the grid where there is one."""

    cash: Fraction
    grid: Grid | None
    rates: CostRates
    quantity: Decimal | str
    held: Fraction = Fraction(0)
    equity: list[Fraction] = field(default_factory=list)
    trades: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0

    def run(self, market: OHLCV, entries: np.ndarray, exits: np.ndarray) -> "Exact":
        leave, enter = False, 0
        for row in range(len(market)):
            opened, close = self.price(market.open[row]), self.price(market.close[row])
            time = int(market.open_time[row])
            if leave and self.held:
                self._leave(opened, time)
            if enter and not self.held:
                self._enter(enter, opened, time)
            self.equity.append(self.cash + self.held * close)
            side = (self.held > 0) - (self.held < 0)
            leave = bool(side) and (bool(exits[row]) or int(entries[row]) * side < 0)
            enter = int(entries[row]) if leave or int(entries[row]) != side else 0
        return self

    def price(self, value: float) -> Fraction:
        if self.grid is None:
            return Fraction(value)
        tick = Fraction(self.grid.tick)
        return round(Fraction(value) / tick) * tick

    def _slipped(self, price: Fraction, side: int) -> Fraction:
        slip = price * Fraction(self.rates.slippage_bps) / 10_000
        if self.grid is not None:
            tick = Fraction(self.grid.tick)
            slip = ceil(slip / tick) * tick
        return price + side * slip

    def _enter(self, side: int, opened: Fraction, time: int) -> None:
        price, fee = self._slipped(opened, side), Fraction(self.rates.taker_bps) / 10_000
        most = self.cash / (price * (1 + fee))
        wanted = most if self.quantity == "all" else min(most, Fraction(self.quantity))
        if self.grid is not None:
            lot = Fraction(self.grid.lot)
            wanted = floor(wanted / lot) * lot
        if wanted <= 0:
            self.refused += 1
            return
        self.held = side * wanted
        self.cash -= self.held * price + wanted * price * fee
        self.trades.append({"side": side, "quantity": wanted, "entry": price, "entered": time, "exited": -1})

    def _leave(self, opened: Fraction, time: int) -> None:
        side = 1 if self.held > 0 else -1
        price, fee = self._slipped(opened, -side), Fraction(self.rates.taker_bps) / 10_000
        self.cash += self.held * price - abs(self.held) * price * fee
        self.trades[-1] |= {"exit": price, "exited": time}
        self.held = Fraction(0)


def compare(
    market: OHLCV,
    entries: np.ndarray,
    exits: np.ndarray,
    *,
    tolerance: float,
    cash: Decimal = Decimal(10_000),
    quantity: Decimal | str = "all",
    rates: CostRates = NO_COSTS,
    grid: Grid | None = None,
    direction: str = "both",
) -> tuple[Simulation, Exact]:
    found = simulate_signals(
        market, entries, exits, cash=cash, quantity=quantity, rates=rates, grid=grid, direction=direction
    )
    exact = Exact(Fraction(cash), grid, rates, quantity).run(market, entries, exits)
    assert found.equity == pytest.approx([float(each) for each in exact.equity], rel=tolerance)
    assert found.equity[0] == float(cash)
    assert found.trades["side"].tolist() == [each["side"] for each in exact.trades]
    assert found.trades["entered_at"].tolist() == [each["entered"] for each in exact.trades]
    assert found.trades["exited_at"].tolist() == [each["exited"] for each in exact.trades]
    entered = [float(each["entry"]) for each in exact.trades]
    assert found.trades["entry_price"] == pytest.approx(entered, rel=tolerance)
    lot = float(grid.lot) if grid else 0.0  # cash is counted in 1e-8: it may be short of the last lot
    quantities = [float(each["quantity"]) for each in exact.trades]
    assert found.trades["quantity"] == pytest.approx(quantities, rel=tolerance, abs=1.01 * lot)
    ended = found.closed["exit_price"]
    assert ended == pytest.approx(
        [float(each["exit"]) for each in exact.trades if "exit" in each], rel=tolerance
    )
    assert (found.orders["refusal"] == LESS_THAN_ONE_LOT).sum() == exact.refused
    return found, exact


@pytest.mark.slow
def test_a_trade_by_hand() -> None:
    """100 bought at 100.03 with 10 bps, sold at 109.96: 3 bps of 100 and of 110 are 0.03 and 0.033, so 0.04 off."""
    market = candles(100, 105, 110, 112, 111, opens=[99, 100, 105, 110, 112])
    enter, leave = columns(5, {0: 1}, (2,))

    found = simulate_signals(market, enter, leave, quantity=Decimal(10), rates=FEES, grid=CENTS)

    trade = found.trades[0]
    assert (trade["entry_price"], trade["exit_price"]) == (100.03, 109.96)
    assert trade["fees"] == pytest.approx(1.0003 + 1.0996)
    assert trade["net_profit"] == pytest.approx(99.3 - 2.0999)
    assert (trade["entered_at"], trade["exited_at"]) == (3_600_000, 3 * 3_600_000)
    assert trade["exit_reason"] == CLOSED
    entered = 10_000 - 1_000.3 - 1.0003
    assert found.equity == pytest.approx(
        [10_000, entered + 1_050, entered + 1_100, entered + 1_099.6 - 1.0996, entered + 1_098.5004]
    )


def test_an_open_trade_stands_last_and_is_marked_without_a_cost_of_closing() -> None:
    found = simulate_signals(
        candles(100, 100, 90, 95), *columns(4, {0: 1, 2: 1}, (1,)), rates=FEES, grid=CENTS
    )

    assert found.trades["exited_at"].tolist()[-1] == -1
    assert np.isnan(found.trades["exit_price"][-1])
    assert found.trades["exit_reason"].tolist() == [CLOSED, OPEN]
    assert found.trades["net_profit"].sum() == pytest.approx(found.equity[-1] - 10_000)


def test_a_decision_on_the_last_bar_fills_nothing() -> None:
    found = simulate_signals(candles(100, 110, 120), *columns(3, {2: 1}))
    assert len(found.trades) == len(found.fills) == 0
    assert found.equity.tolist() == [10_000.0] * 3
    assert found.orders["ended_at"].tolist() == [-1]


def test_an_entry_on_the_side_that_is_held_is_ignored_unless_the_bar_leaves_first() -> None:
    market = candles(100, 100, 110, 120, 130)
    held = simulate_signals(market, *columns(5, {0: 1, 1: 1, 2: 1}), grid=CENTS)
    again = simulate_signals(market, *columns(5, {0: 1, 2: 1}, (2,)), grid=CENTS)
    assert len(held.trades) == 1
    assert again.trades["entry_price"].tolist() == [100.0, 110.0]
    assert again.trades["exit_price"][0] == 110.0


def test_an_opposite_entry_turns_the_position_over_at_that_open() -> None:
    found = simulate_signals(
        candles(100, 100, 110, 99), *columns(4, {0: 1, 1: -1}), grid=CENTS, direction="both"
    )
    assert found.trades["side"].tolist() == [1, -1]
    assert found.trades["exited_at"][0] == found.trades["entered_at"][1] == 2 * 3_600_000
    assert found.equity.tolist() == [10_000, 10_000, 9_000, 10_100]  # short 100 at 100, then 110 and 99


def test_less_than_one_lot_is_a_refused_order_and_more_than_the_cash_pays_for_is_cut() -> None:
    market, whole = candles(100, 100, 100, 100), Grid(Decimal("0.01"), Decimal(1))
    poor = simulate_signals(market, *columns(4, {0: 1, 1: 1}), cash=Decimal(99), grid=whole)
    cut = simulate_signals(market, *columns(4, {0: 1}), cash=Decimal(250), quantity=Decimal(5), grid=whole)
    assert poor.orders["refusal"].tolist() == [LESS_THAN_ONE_LOT] * 2
    assert len(poor.trades) == 0
    assert cut.orders["refusal"].tolist() == [CUT]
    assert cut.trades["quantity"].tolist() == [2.0]


def test_each_entry_stands_where_the_entry_rule_puts_it_also_behind_missing_bars() -> None:
    whole = candles(*range(100, 112))
    kept = np.array([0, 1, 2, 5, 6, 7, 11])
    market = OHLCV(
        *(
            column[kept]
            for column in (whole.open_time, whole.open, whole.high, whole.low, whole.close, whole.volume)
        )
    )
    rows = np.array([0, 2, 5])
    found = simulate_signals(market, *columns(7, dict.fromkeys(rows.tolist(), 1), exits=(1, 4)))
    closes = market.open_time[rows] + 3_600_000
    expected = market.open_time[entry_rows(market.open_time, closes, closes)]
    assert found.trades["entered_at"].tolist() == expected.tolist()


def test_cash_is_never_negative_with_fee_and_slippage_to_pay() -> None:
    dear = CostRates(Decimal(0), Decimal(1_000), Decimal(1_000))
    found = simulate_signals(candles(3.33, 3.33, 3.33), *columns(3, {0: 1}), rates=dear, grid=CENTS)
    spent = found.fills["quantity"][0] * found.fills["price"][0] + found.fills["fee"][0]
    assert 10_000 - 0.01 < spent <= 10_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"entries": [0, -1, 0]}, "enters short, direction is long"),
        ({"entries": [0, 1, 0], "direction": "short"}, "enters long, direction is short"),
        ({"entries": [0, 2, 0]}, "1, -1 or 0"),
        ({"entries": [0, np.nan, 0]}, "must hold"),
        ({"entries": [0.0, 0.5, 0]}, "must hold"),
        ({"entries": [0, 1]}, "one value for each of the 3"),
        ({"entries": ["a", "b", "c"]}, "must hold"),
        ({"exits": [0, 2, 0]}, "must hold"),
        ({"exits": [True]}, "one value for each"),
        ({"direction": "up"}, "direction is 'up'"),
        ({"cash": Decimal(0)}, "cash is 0"),
        ({"cash": Decimal("NaN")}, "cash is NaN"),
        ({"cash": Decimal(-5)}, "cash is -5"),
        ({"cash": 1.5}, "must be a Decimal"),
        ({"cash": Decimal("1e12")}, "more than this account"),
        ({"quantity": Decimal(0)}, "quantity"),
        ({"quantity": "half"}, "quantity"),
        ({"quantity": Decimal("Infinity")}, "quantity"),
        ({"grid": Grid(Decimal(1000), Decimal(1))}, "less than half a tick"),
    ],
)
def test_what_cannot_be_meant_is_refused(change: dict[str, Any], message: str) -> None:
    given = {"entries": [0, 0, 0], "exits": [False] * 3} | change
    with pytest.raises(ValueError, match=message):
        simulate_signals(candles(100, 100, 100), given.pop("entries"), given.pop("exits"), **given)


def test_prices_at_zero_are_refused_and_no_candles_are_no_trades() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        simulate_signals(candles(100, 0, 100), *columns(3, {}))
    empty = simulate_signals(candles(1.0)[:0], *columns(0, {}))
    assert len(empty.equity) == len(empty.trades) == 0


def test_money_beyond_int64_is_refused() -> None:
    market = candles(*(10.0**power for power in range(-6, 9)))
    with pytest.raises(ValueError, match="beyond int64"):
        simulate_signals(market, *columns(15, {0: 1}, (13,)), cash=Decimal(10**7), grid=CENTS_OF_CENTS)


CENTS_OF_CENTS = Grid(Decimal("0.000001"), Decimal("0.001"))


@st.composite
def scripts(draw: st.DrawFn) -> tuple[OHLCV, np.ndarray, np.ndarray, dict[str, Any]]:
    rows = draw(st.integers(1, 40))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    scale = draw(st.sampled_from([0.5, 37.0, 64_000.0]))
    prices = np.round(scale * np.exp(np.cumsum(rng.normal(0, 0.02, (rows, 2)), axis=0)), 2)
    prices = np.maximum(prices, 0.01)
    market = OHLCV(
        np.arange(rows) * 60_000,
        prices[:, 0],
        prices.max(axis=1),
        prices.min(axis=1),
        prices[:, 1],
        np.ones(rows),
    )
    entries = rng.choice([0, 1, -1], rows, p=[0.6, 0.2, 0.2]).astype(np.int8)
    exits = rng.random(rows) < 0.25
    options = {
        "rates": draw(st.sampled_from([NO_COSTS, FEES])),
        "quantity": draw(st.sampled_from(["all", Decimal("0.05"), Decimal(3)])),
        "cash": draw(st.sampled_from([Decimal(10_000), Decimal("8137.25"), Decimal(25_000_000)])),
    }
    return market, entries, exits, options


@settings(max_examples=150, deadline=None)
@given(scripts(), st.sampled_from([CENTS, Grid(Decimal("0.01"), Decimal("0.000001"))]))
def test_with_a_grid_it_agrees_with_exact_arithmetic(
    script: tuple[OHLCV, np.ndarray, np.ndarray, dict[str, Any]], grid: Grid
) -> None:
    market, entries, exits, options = script
    compare(market, entries, exits, tolerance=1e-9, grid=grid, **options)


@settings(max_examples=150, deadline=None)
@given(scripts())
def test_without_a_grid_it_agrees_with_exact_arithmetic(
    script: tuple[OHLCV, np.ndarray, np.ndarray, dict[str, Any]],
) -> None:
    market, entries, exits, options = script
    compare(market, entries, exits, tolerance=1e-7, **options)


def assert_same(ours: Simulation, other: Simulation) -> None:
    assert ours.equity.tobytes() == other.equity.tobytes()
    for name in ("trades", "orders", "fills"):
        assert getattr(ours, name).tobytes() == getattr(other, name).tobytes()


@settings(max_examples=150, deadline=None)
@given(scripts(), st.sampled_from([CENTS, Grid(Decimal("0.0000001"), Decimal("0.00000001"))]))
def test_the_plain_loop_is_the_general_step_bit_for_bit(
    script: tuple[OHLCV, np.ndarray, np.ndarray, dict[str, Any]], grid: Grid
) -> None:
    market, entries, exits, options = script
    cash = int(options["cash"] * 10**8)
    lots = -1 if options["quantity"] == "all" else grid.lots(options["quantity"])
    runs = [
        run_signals(market, entries, exits, cash, lots, options["rates"], grid, by_step=by_step)
        for by_step in (False, True)
    ]
    assert_same(*runs)


def crossings(market: OHLCV, fast: int, slow: int) -> tuple[np.ndarray, np.ndarray]:
    def mean(bars: int) -> np.ndarray:
        sums = np.cumsum(np.insert(market.close, 0, 0.0))
        return np.concatenate((np.full(bars - 1, np.nan), (sums[bars:] - sums[:-bars]) / bars))

    above = mean(fast) > mean(slow)
    crossed = np.flatnonzero(np.diff(above.astype(np.int8)))
    entries, exits = np.zeros(len(market), dtype=np.int8), np.zeros(len(market), dtype=np.bool_)
    entries[crossed + 1] = np.where(above[crossed + 1], 1, 0)
    exits[crossed + 1] = ~above[crossed + 1]
    return entries, exits


@pytest.mark.parametrize(
    ("name", "grid", "tolerance"),
    [
        ("backtesting_py/GOOG_1d", None, 1e-7),
        ("backtesting_py/GOOG_1d", CENTS, 1e-9),
        ("binance_spot_finom/BTCUSDT_1h", Grid(Decimal("0.01"), Decimal("0.00001")), 1e-9),
        ("binance_spot_finom/BTCUSDT_1h", None, 1e-7),
    ],
)
def test_on_real_candles_it_agrees_with_exact_arithmetic(
    shared_data: Path, name: str, grid: Grid | None, tolerance: float
) -> None:
    table = pq.read_table(shared_data / "ohlcv" / f"{name}.parquet")
    market = OHLCV(
        *(table[each].to_numpy() for each in ("timestamp", "open", "high", "low", "close", "volume"))
    )
    market = market[-8_000:]
    found, _ = compare(market, *crossings(market, 10, 30), tolerance=tolerance, rates=FEES, grid=grid)
    assert len(found.trades) > 20


def test_a_million_bars_take_milliseconds_and_no_recompilation() -> None:
    from autopilot.engine.signal_path import run_plain  # noqa: PLC0415

    assert len(run_plain.signatures) == 1
    simulate_signals(candles(100, 100), np.array([1, 0], dtype=np.int32), np.array([0, 0], dtype=np.int32))
    assert len(run_plain.signatures) == 1
