"""Several instruments on one account: against `simulate_signals`, against outcomes, and by hand."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopilot.engine.simulator import (
    NO_LIMITS,
    Fixed,
    FractionOfEquity,
    Limits,
    Market,
    Opposite,
    RiskPerTrade,
    Signals,
    Simulation,
    VolatilityTarget,
    simulate,
    simulate_signals,
)
from signals.engine.candle import OHLCV
from signals.engine.costs import NO_COSTS, SPOT_COSTS, CostRates
from signals.engine.fill import CLOSED, EXPIRED, LIMIT, LIQUIDATED, OPEN, STOPPED, TARGET, TRAILED, Grid
from signals.engine.fill.layout import CANNOT_SHORT, CUT, LAPSED, LIMITED, NO_FUNDS, NO_ROOM
from signals.engine.fill.terms import Rules
from signals.engine.outcome import follow
from signals.engine.strategies import STRATEGIES
from signals.engine.strategy import DecisionContext
from tests.signals.engine.conftest import random_walk

HOUR = 3_600_000
CENTS = Grid(tick=Decimal("0.01"), lot=Decimal("0.001"))
FEES = CostRates(maker_bps=Decimal(2), taker_bps=Decimal(10), slippage_bps=Decimal(3))
CASH = Decimal(10_000)


def candles(*bars: tuple[float, float, float, float], start: int = 0, step: int = HOUR) -> OHLCV:
    table = np.array(bars, dtype=np.float64)
    return OHLCV(start + np.arange(len(bars)) * step, *table.T, np.full(len(bars), 1_000.0))


def flat(*closes: float) -> OHLCV:
    return candles(*((close, close, close, close) for close in closes))


def signals(rows: int, entries: dict[int, tuple[int, float, float]], **more: Any) -> Signals:
    """side, stop and target by row; nan for none."""
    direction, stop, target = np.zeros(rows, dtype=np.int8), np.full(rows, np.nan), np.full(rows, np.nan)
    for row, told in entries.items():
        direction[row], stop[row], target[row] = told
    return Signals(direction, stop, target, **more)


NAN = float("nan")


def run(markets: list[Market], given: list[Signals], **more: Any) -> Simulation:
    asked = {"cash": CASH, "sizing": Fixed(Decimal(1)), "costs": NO_COSTS} | more
    return simulate(markets, given, **asked)


@pytest.mark.slow
def test_one_market_with_exits_is_simulate_signals_bit_for_bit() -> None:
    market, rng = random_walk(500, seed=8), np.random.default_rng(9)
    entries = rng.choice([0, 0, 0, 1, -1], 500).astype(np.int8)
    exits = rng.random(500) < 0.2
    none = np.full(500, NAN)
    asked = Signals(entries, none, none, exits=exits, opposite=Opposite.REVERSE)

    ours = run([Market("A", market, grid=CENTS)], [asked], sizing=Fixed(Decimal("12.5")), costs=FEES)
    plain = simulate_signals(
        market, entries, exits, quantity=Decimal("12.5"), rates=FEES, grid=CENTS, direction="both"
    )

    assert ours.equity.tobytes() == plain.equity.tobytes()
    assert ours.trades.tobytes() == plain.trades.tobytes()


@pytest.mark.parametrize("name", ["moving_average", "rsi", "volatility_breakout"])
def test_a_strategys_trades_are_the_outcomes_of_its_signals(name: str) -> None:
    """Signals while a trade goes on are left out; each that is taken ends where its outcome says."""
    market = random_walk(1_500, seed=11)
    context = DecisionContext(as_of=datetime(2025, 1, 1, tzinfo=UTC))
    series = STRATEGIES[name].evaluate(market, context)
    found = simulate(
        [Market("A", market)], [series], cash=CASH, sizing=Fixed(Decimal("0.5")), costs=SPOT_COSTS
    ).closed
    rows = np.searchsorted(market.open_time, found["entered_at"]) - 1
    outcome = follow(
        market,
        rows=rows,
        directions=series.direction[rows],
        entry_prices=series.entry_price[rows],
        stop_losses=series.stop_loss[rows],
        take_profits=series.take_profit[rows],
    )
    assert len(found) > 5
    assert found["exited_at"].tolist() == outcome.exited_at.tolist()
    reasons = np.where(found["exit_reason"] == EXPIRED, CLOSED, found["exit_reason"])
    assert reasons.tolist() == outcome.exit_reason.tolist()
    assert found["entry_price"] == pytest.approx(outcome.entry_price, rel=3e-8)
    assert found["net_profit"] == pytest.approx(
        outcome.returns * outcome.entry_price * 0.5, rel=1e-6, abs=1e-6
    )


def test_two_instruments_share_the_cash_and_the_second_is_cut() -> None:
    both = [Market(name, flat(100, 100, 100, 110), grid=CENTS) for name in ("A", "B")]
    asked = [signals(4, {0: (1, NAN, NAN)}) for _ in both]
    found = run(both, asked, sizing=FractionOfEquity(Decimal("0.75")))
    assert found.trades["quantity"].tolist() == [75.0, 25.0]
    assert found.orders["refusal"].tolist() == [0, CUT]
    assert found.equity.tolist() == [10_000, 10_000, 10_000, 11_000]


def test_sizes_by_hand() -> None:
    market = [Market("A", flat(*[100.0] * 5), grid=CENTS)]
    asked = [signals(5, {0: (1, 95.0, NAN)})]

    def quantity(sizing: Any) -> float:
        return float(run(market, asked, sizing=sizing).trades["quantity"][0])

    assert quantity(Fixed(Decimal("3.0009"))) == 3.0
    assert quantity(FractionOfEquity(Decimal("0.1"))) == 10.0
    assert quantity(RiskPerTrade(Decimal("0.01"))) == 20.0  # 100 at stake, 5 a unit


def test_a_volatility_target_by_hand() -> None:
    moves = np.array([0.0, 0.01, -0.02, 0.015, 0.0, 0.0])
    market = flat(*(100 * np.exp(np.cumsum(moves))))
    asked = [signals(6, {1: (1, NAN, NAN), 3: (1, NAN, NAN)})]
    found = run(
        [Market("A", market, grid=CENTS)],
        asked,
        sizing=VolatilityTarget(Decimal("0.05"), periods_per_year=100, bars=3),
    )
    year = np.std(moves[1:4], ddof=1) * 10
    assert len(found.trades) == 1  # three returns are known at row 3, not at row 1
    assert found.trades["quantity"][0] == pytest.approx(10_000 * 0.05 / year / market.close[3], abs=0.001)


def test_limits_of_positions_and_exposure() -> None:
    three = [Market(name, flat(*[100.0] * 4), grid=CENTS) for name in "ABC"]
    asked = [signals(4, {0: (1, NAN, NAN)}) for _ in three]
    two = run(three, asked, limits=Limits(positions=2))
    assert two.orders["refusal"].tolist() == [0, 0, NO_ROOM]
    half = run(three, asked, sizing=FractionOfEquity(Decimal("0.3")), limits=Limits(exposure=Decimal("0.5")))
    assert half.trades["quantity"].tolist() == [30.0, 20.0]
    assert half.orders["refusal"].tolist() == [0, 0, LIMITED]


def test_a_covered_account_refuses_at_the_decision_what_the_free_balance_does_not_pay_for() -> None:
    """A waits for 7,000 of 10,000: B's 4,000 are too much, C's 2,995 with 2.995 of fee are covered."""
    three = [
        Market(name, flat(*[price] * 4), grid=CENTS)
        for name, price in zip("ABC", (70, 40, 29.95), strict=True)
    ]
    asked = [signals(4, {0: (1, NAN, NAN)}) for _ in three]
    found = run(three, asked, sizing=Fixed(Decimal(100)), costs=FEES, limits=Limits(covered=True))
    assert found.orders["refusal"].tolist() == [0, NO_FUNDS, CUT]


def test_what_cannot_be_sold_short_is_refused_with_that_reason() -> None:
    found = run([Market("A", flat(100, 90, 80), shortable=False)], [signals(3, {0: (-1, NAN, NAN)})])
    assert found.orders["refusal"].tolist() == [CANNOT_SHORT]
    assert len(found.trades) == 0


def test_stop_target_time_and_trailing_exits() -> None:
    market = candles(
        (100, 101, 99, 100),
        (100, 104, 99, 103),
        (103, 111, 103, 110),
        (110, 112, 104, 105),
        (105, 106, 104, 105),
        (105, 106, 104, 105),
    )
    one = [Market("A", market, grid=CENTS)]

    def ended(**more: Any) -> tuple[int, float]:
        told = {"stop_loss": 90.0, "take_profit": NAN} | {
            k: v for k, v in more.items() if k in ("stop_loss", "take_profit")
        }
        rest = {k: v for k, v in more.items() if k not in told}
        trade = run(one, [signals(6, {0: (1, told["stop_loss"], told["take_profit"])}, **rest)]).trades[0]
        return int(trade["exit_reason"]), float(trade["exit_price"])

    assert ended(take_profit=110.0) == (TARGET, 110.0)
    assert ended(stop_loss=99.5) == (STOPPED, 99.5)
    assert ended(hold_bars=2) == (EXPIRED, 110.0)
    assert ended(trail=np.full(6, 5.0), stop_loss=NAN) == (TRAILED, 106.0)
    assert ended()[0] == OPEN


def test_r_multiple_is_the_result_in_units_of_the_planned_risk() -> None:
    market = candles((100, 100, 100, 100), (100, 101, 99, 100), (100, 112, 99, 110))
    found = run([Market("A", market, grid=CENTS)], [signals(3, {0: (1, 95.0, 110.0)})])
    assert found.trades["r_multiple"].tolist() == [2.0]


def test_a_limit_entry_that_is_not_met_in_time_lapses() -> None:
    market = candles((100, 101, 99, 100), (100, 101, 99, 100), (100, 101, 90, 100), (100, 101, 80, 100))
    price = np.array([95.0, NAN, NAN, NAN])
    late = run([Market("A", market)], [signals(4, {0: (1, 90.0, NAN)}, kind=LIMIT, price=price, good_bars=1)])
    assert late.orders["refusal"].tolist() == [LAPSED]
    met = run([Market("A", market)], [signals(4, {0: (1, 85.0, NAN)}, kind=LIMIT, price=price, good_bars=2)])
    assert met.trades["entry_price"].tolist() == [95.0]
    assert met.trades["exit_price"].tolist() == [85.0]


def test_a_grid_adds_to_its_position_at_the_average() -> None:
    found = run(
        [Market("A", flat(100, 100, 90, 80, 95, 95), grid=CENTS)],
        [signals(6, {0: (1, NAN, NAN), 2: (1, NAN, NAN)}, adds=True, exits=np.arange(6) == 4)],
    )
    trade = found.trades[0]
    assert (trade["entry_price"], trade["quantity"], trade["exit_price"]) == (90.0, 2.0, 95.0)
    assert trade["net_profit"] == 10.0


def test_finer_candles_decide_which_came_first_and_the_bounds_meet() -> None:
    market = candles((100, 100, 100, 100), (100, 112, 88, 100), (100, 100, 100, 100))
    quarter = HOUR // 4
    up_first = candles(
        (100, 112, 99, 111),
        (111, 111, 100, 100),
        (100, 100, 88, 90),
        (90, 100, 90, 100),
        start=HOUR,
        step=quarter,
    )
    asked = [signals(3, {0: (1, 90.0, 110.0)})]
    unknown = run([Market("A", market, grid=CENTS)], asked)
    known = run([Market("A", market, grid=CENTS, finer=up_first)], asked)
    assert unknown.optimistic is not None
    assert known.optimistic is not None
    assert unknown.trades["exit_reason"].tolist() == [STOPPED]
    assert unknown.optimistic.trades["exit_reason"].tolist() == [TARGET]
    assert unknown.ambiguous_share == 1.0
    assert known.trades["exit_reason"].tolist() == known.optimistic.trades["exit_reason"].tolist() == [TARGET]
    assert known.ambiguous_share == 0.0


def test_funding_falls_due_at_its_time() -> None:
    market = Market(
        "A",
        flat(100, 100, 100, 100),
        grid=CENTS,
        funding_at=np.array([2 * HOUR]),
        funding=np.array([0.001]),
    )
    found = run([market], [signals(4, {0: (1, NAN, NAN)})])
    assert found.trades["funding"][0] == pytest.approx(0.1, abs=2e-8)
    assert found.equity[-1] == pytest.approx(9_999.9, abs=2e-8)


def test_an_account_that_cannot_carry_its_position_is_liquidated() -> None:
    market = candles((100, 100, 100, 100), (100, 100, 100, 100), (101, 130, 101, 128), (128, 128, 128, 128))
    rules = Rules(leverage=Decimal(5), maintenance=Decimal("0.05"))
    found = run(
        [Market("A", market, grid=CENTS, rules=rules)],
        [signals(4, {0: (-1, NAN, NAN)})],
        sizing=FractionOfEquity(Decimal(5)),
    )
    trade = found.trades[0]
    assert trade["exit_reason"] == LIQUIDATED
    # 50,000 short at 100: equity 10,000 - 500 (p - 100) is 5 % of 500 p at p = 60,000 / 525.
    assert trade["exit_price"] == pytest.approx(60_000 / 525, abs=0.01)
    assert found.equity.min() > 0


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[Market], list[Signals]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    markets, asked = [], []
    for name in "ABC"[: draw(st.integers(1, 3))]:
        rows = int(rng.integers(5, 80))
        market = random_walk(rows, seed=int(rng.integers(1, 10**6)), end=int(rng.integers(90, 100)) * HOUR)
        side = rng.choice([0, 0, 1, -1], rows).astype(np.int8)
        wide = rng.uniform(0.2, 3, (3, rows))
        price = market.close - side * rng.uniform(0, 1, rows)
        asked.append(
            Signals(
                side,
                price - side * wide[0],
                price + side * wide[1],
                kind=int(rng.choice([0, LIMIT])),
                price=price,
                exits=rng.random(rows) < 0.1,
                trail=np.where(rng.random(rows) < 0.5, wide[2], NAN),
                hold_bars=int(rng.integers(1, 30)),
                good_bars=int(rng.integers(1, 5)),
                adds=bool(rng.random() < 0.3),
                opposite=Opposite(int(rng.integers(0, 3))),
            )
        )
        markets.append(Market(name, market, grid=CENTS))
    return markets, asked


SIZINGS = st.sampled_from(
    [Fixed(Decimal(20)), FractionOfEquity(Decimal("0.4")), RiskPerTrade(Decimal("0.02"))]
)


@settings(max_examples=60, deadline=None)
@given(scenes(), SIZINGS, st.sampled_from([NO_LIMITS, Limits(positions=2, exposure=Decimal("0.9"))]))
def test_what_trades_earned_is_what_the_account_has_and_cash_is_never_spent_twice(
    scene: tuple[list[Market], list[Signals]], sizing: Any, limits: Limits
) -> None:
    found = run(*scene, sizing=sizing, limits=limits, costs=FEES)
    assert found.equity[0] == 10_000
    assert found.trades["net_profit"].sum() == pytest.approx(found.equity[-1] - 10_000, abs=1e-6)
    spent = np.cumsum(
        found.fills["side"] * found.fills["quantity"] * found.fills["price"] + found.fills["fee"]
    )
    longs_only = all((each.direction >= 0).all() for each in scene[1])
    if longs_only and len(spent):
        assert spent.max() <= 10_000 + 1e-6
    assert (found.equity > 0).all()


@settings(max_examples=40, deadline=None)
@given(scenes(), SIZINGS, st.integers(2, 60), st.integers(0, 2**32 - 1))
def test_bars_yet_to_come_change_nothing_that_happened(
    scene: tuple[list[Market], list[Signals]], sizing: Any, moment: int, seed: int
) -> None:
    markets, asked = scene
    rng = np.random.default_rng(seed)
    first = run(markets, asked, sizing=sizing, costs=FEES)
    cut = first.times[min(moment, len(first.times) - 1)]
    others = []
    for market in markets:
        bars = market.candles
        later = bars.open_time > cut
        noise = 100 * np.exp(rng.normal(0, 0.2, (4, len(bars))))
        columns = [
            np.where(later, other, getattr(bars, name))
            for name, other in zip(
                ("open", "high", "low", "close"),
                (noise[0], noise.max(axis=0), noise.min(axis=0), noise[1]),
                strict=True,
            )
        ]
        others.append(Market(market.name, OHLCV(bars.open_time, *columns, bars.volume), grid=CENTS))
    second = run(others, asked, sizing=sizing, costs=FEES)
    known = first.times <= cut
    assert first.equity[known].tobytes() == second.equity[known].tobytes()
    assert (
        first.fills[first.fills["at"] <= cut].tobytes() == second.fills[second.fills["at"] <= cut].tobytes()
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"markets": []}, "one at least"),
        ({"markets": [Market("A", flat(1, 1)), Market("A", flat(1, 1))]}, "names of their own"),
        ({"markets": [Market("A", flat(1, 1)), Market("B", flat(1, 1), quote="EUR")]}, "one currency"),
        ({"given": [signals(3, {})]}, "2 candles"),
        ({"given": []}, "as many series"),
        ({"given": [signals(2, {0: (1, 110.0, 90.0)})]}, "do not stand in order"),
        (
            {"sizing": RiskPerTrade(Decimal("0.01")), "given": [signals(2, {0: (1, NAN, 110.0)})]},
            "are missing",
        ),
        ({"sizing": RiskPerTrade(Decimal(2))}, "more than there is"),
        ({"sizing": Fixed(Decimal(0))}, "must be positive"),
        ({"cash": Decimal(0)}, "cash is 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(change: dict[str, Any], message: str) -> None:
    asked = {"markets": [Market("A", flat(100, 100))], "given": [signals(2, {0: (1, 90.0, 110.0)})]} | change
    with pytest.raises(ValueError, match=message):
        run(asked.pop("markets"), asked.pop("given"), **asked)


def test_limits_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(ValueError, match="positions is 0"):
        Limits(positions=0)
    with pytest.raises(ValueError, match="exposure is 0"):
        Limits(exposure=Decimal(0))
