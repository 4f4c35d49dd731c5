"""The fill step against a second account of its rules, written row by row over plain dictionaries."""

import itertools
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from signals.engine.candle import OHLCV
from signals.engine.costs import NO_COSTS, Costs
from signals.engine.fill import (
    BUY,
    CLOSED,
    ENTRY,
    FOREVER,
    LIMIT,
    MARKET,
    SELL,
    STOP,
    STOPPED,
    TARGET,
    Bar,
    BarFill,
    BarFills,
    EntryOrder,
    Grid,
    State,
    bars_in_ticks,
    cancel,
    close_position,
    equity,
    move_exits,
    new_state,
    place,
    step,
)

FREE = NO_COSTS.in_ppm()
FEES = Costs(maker_ppm=200, taker_ppm=1_000, slippage_ppm=300)


def order(side: int = BUY, kind: int = MARKET, price: int = 0, **values: int) -> EntryOrder:
    return EntryOrder(
        side,
        kind,
        price,
        values.get("lots", 10),
        values.get("stop", 0),
        values.get("target", 0),
        values.get("good_bars", FOREVER),
        values.get("hold_bars", FOREVER),
    )


def play(
    placed: EntryOrder, *bars: tuple[int, int, int, int], costs: Costs = FREE
) -> tuple[State, list[BarFill]]:
    """Place at clock 0, step the bars (open, high, low, close), return the end and all fills."""
    state = place(new_state(0), placed)
    filled: list[BarFill] = []
    for number, bar in enumerate(bars, start=1):
        state, fills = step(state, Bar(number, *bar), costs)
        filled += [fill for fill in fills if fill.lots]
    return state, filled


def told(fills: list[BarFill]) -> list[tuple[int, int, int]]:
    return [(fill.lots, fill.price, fill.reason) for fill in fills]


def test_a_market_order_fills_at_the_next_open() -> None:
    _, fills = play(order(), (105, 110, 90, 100))
    assert told(fills) == [(10, 105, ENTRY)]


def test_an_order_cannot_fill_on_the_bar_on_which_it_was_decided() -> None:
    bar = Bar(7, 100, 120, 80, 110)
    state, _ = step(new_state(0), bar, FREE)

    decided = place(state, order())

    with pytest.raises(ValueError, match="only fill on a later one"):
        step(decided, bar, FREE)


def test_when_one_bar_touches_stop_and_target_the_stop_counts_and_the_fill_says_so() -> None:
    _, fills = play(order(stop=95, target=108), (100, 110, 90, 109))
    assert told(fills) == [(10, 100, ENTRY), (-10, 95, STOPPED)]
    assert fills[-1].ambiguous == 1


@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        ((92, 99, 91, 98), (-10, 92, STOPPED)),  # opens below the stop: worse than asked
        ((112, 115, 90, 95), (-10, 112, TARGET)),  # opens above the target: better, and first
        ((100, 104, 95, 100), (-10, 95, STOPPED)),
        ((100, 108, 96, 100), (-10, 108, TARGET)),
    ],
)
def test_a_long_position_leaves_where_the_market_reaches_its_levels(
    bar: tuple[int, int, int, int], expected: tuple[int, int, int]
) -> None:
    _, fills = play(order(stop=95, target=108), (100, 101, 99, 100), bar)
    assert told(fills)[1:] == [expected]


@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        ((112, 113, 99, 100), (10, 112, STOPPED)),
        ((88, 111, 87, 100), (10, 88, TARGET)),
        ((100, 110, 91, 100), (10, 110, STOPPED)),
        ((100, 109, 90, 100), (10, 90, TARGET)),
    ],
)
def test_a_short_position_is_the_mirror(
    bar: tuple[int, int, int, int], expected: tuple[int, int, int]
) -> None:
    _, fills = play(order(SELL, stop=110, target=90), (100, 101, 99, 100), bar)
    assert told(fills)[1:] == [expected]


@pytest.mark.parametrize(
    ("placed", "bar", "price"),
    [
        (order(BUY, LIMIT, 98), (100, 101, 97, 99), 98),
        (order(BUY, LIMIT, 98), (95, 101, 94, 99), 95),  # gapped over: better
        (order(SELL, LIMIT, 102), (100, 103, 99, 100), 102),
        (order(SELL, LIMIT, 102), (104, 105, 99, 100), 104),
        (order(BUY, STOP, 102), (100, 103, 99, 100), 102),
        (order(BUY, STOP, 102), (104, 105, 99, 100), 104),  # gapped over: worse
        (order(SELL, STOP, 98), (100, 101, 97, 99), 98),
        (order(SELL, STOP, 98), (95, 101, 94, 99), 95),
    ],
)
def test_limit_and_stop_entries_fill_at_their_price_or_at_the_open_beyond_it(
    placed: EntryOrder, bar: tuple[int, int, int, int], price: int
) -> None:
    _, fills = play(placed, bar)
    assert told(fills) == [(placed.side * 10, price, ENTRY)]


def test_a_limit_entry_takes_no_target_that_may_have_come_before_it() -> None:
    high_first = (100, 108, 97, 100)
    closes_there = (100, 108, 97, 108)

    _, unknown = play(order(BUY, LIMIT, 98, stop=90, target=107), high_first)
    _, certain = play(order(BUY, LIMIT, 98, stop=90, target=107), closes_there)

    assert told(unknown) == [(10, 98, ENTRY)]
    assert told(certain) == [(10, 98, ENTRY), (-10, 107, TARGET)]


def test_a_position_is_closed_at_the_open_after_its_last_bar() -> None:
    flat = (100, 101, 99, 100)
    _, fills = play(order(hold_bars=2), flat, flat, (103, 104, 102, 103))
    assert told(fills) == [(10, 100, ENTRY), (-10, 103, CLOSED)]


def test_an_order_that_nobody_meets_lapses() -> None:
    away, there = (100, 101, 99, 100), (100, 101, 50, 100)
    _, fills = play(order(BUY, LIMIT, 60, good_bars=2), away, away, there)
    assert fills == []


def test_a_position_can_be_turned_over_at_one_open() -> None:
    state, _ = play(order(BUY), (100, 101, 99, 100))

    state = place(close_position(state), order(SELL, lots=4))
    state, fills = step(state, Bar(2, 105, 106, 104, 105), FREE)

    assert (fills.closed.lots, fills.closed.price, fills.opened.lots, fills.opened.price) == (
        -10,
        105,
        -4,
        105,
    )
    assert equity(state, 105) == 50


def test_takers_pay_slippage_and_the_higher_fee_and_makers_the_lower() -> None:
    _, fills = play(
        order(lots=1_000, target=11_000),
        (10_000, 10_100, 9_900, 10_000),
        (10_000, 11_500, 9_990, 10_000),
        costs=FEES,
    )
    entry, leave = fills
    assert (entry.price, entry.fee) == (10_003, 10_003)  # 10,000 + 3 bps, 0.1 % of 1,000 x 10,003
    assert (leave.price, leave.fee) == (11_000, 2_200)  # no slippage, 0.02 %


def test_exits_can_be_moved_and_an_order_withdrawn() -> None:
    state, _ = play(order(stop=90), (100, 101, 99, 100))
    _, fills = step(move_exits(state, 97, 0), Bar(2, 99, 100, 96, 98), FREE)
    assert told([fills.closed]) == [(-10, 97, STOPPED)]

    _, none = step(cancel(place(new_state(0), order())), Bar(1, 99, 100, 96, 98), FREE)
    assert [fill.lots for fill in none] == [0, 0, 0]


@pytest.mark.parametrize(
    ("placed", "message"),
    [
        (order(0), "side 1 or -1"),
        (order(lots=0), "at least one lot"),
        (order(BUY, LIMIT), "price of at least one tick"),
        (order(good_bars=0), "at least 1, or -1"),
        (order(hold_bars=-2), "at least 1, or -1"),
        (order(good_bars=-7), "at least 1, or -1"),
        (order(BUY, 3, 100), "of kind MARKET, LIMIT or STOP"),
        (order(BUY, -1, 100), "of kind MARKET, LIMIT or STOP"),
        (order(BUY, LIMIT, -5), "above zero"),
        (order(stop=-1), "above zero"),
        (order(target=-1), "above zero"),
        (order(BUY, LIMIT, 100, stop=120), "either side of the price"),
        (order(BUY, LIMIT, 100, stop=100), "either side of the price"),
        (order(BUY, STOP, 100, target=99), "either side of the price"),
        (order(SELL, LIMIT, 100, stop=80), "either side of the price"),
        (order(SELL, STOP, 100, target=101), "either side of the price"),
        (order(BUY, stop=110, target=90), "either side of the price"),
        (order(BUY, LIMIT, 2**40, lots=2**40), "beyond int64"),
        (order(BUY, target=2**61, lots=8), "beyond int64"),
    ],
)
def test_an_order_that_cannot_be_meant_is_refused(placed: EntryOrder, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        place(new_state(0), placed)


def test_exits_that_cannot_be_meant_are_refused() -> None:
    state, _ = play(order(), (100, 101, 99, 100))
    with pytest.raises(ValueError, match="above zero"):
        move_exits(state, -1, 0)
    with pytest.raises(ValueError, match="losing side"):
        move_exits(state, 110, 90)


def test_a_stop_on_the_wrong_side_is_no_way_to_sell_above_the_high() -> None:
    with pytest.raises(ValueError, match="either side"):
        play(order(BUY, LIMIT, 100, stop=120), (110, 112, 95, 105))


@pytest.mark.parametrize("price", [2**43, 2**62])
def test_numbers_that_int64_does_not_hold_are_refused_rather_than_wrapped(price: int) -> None:
    with pytest.raises(ValueError, match="beyond int64"):
        play(order(lots=2**40), (price,) * 4)
    state, _ = play(order(lots=2**20), (2**30,) * 4)
    with pytest.raises(ValueError, match="beyond int64"):
        equity(state, price)
    with pytest.raises(ValueError, match="beyond int64"):
        step(close_position(state), Bar(2, *(price,) * 4), FREE)


def test_slippage_that_int64_does_not_hold_is_refused() -> None:
    waiting = place(new_state(0), order(BUY, lots=1))
    price = 9 * 10**18
    with pytest.raises(ValueError, match="beyond int64"):
        step(waiting, Bar(1, price, price, price, price), Costs(0, 0, 100_000))


def test_cash_that_int64_does_not_hold_is_refused() -> None:
    state = place(new_state(0, 2**63 - 10), order(SELL))
    with pytest.raises(ValueError, match="cash is beyond"):
        step(state, Bar(1, 100, 100, 100, 100), FREE)


@pytest.mark.parametrize(
    ("placed", "bar", "ambiguous"),
    [
        (order(BUY, STOP, 105, stop=95), (100, 106, 94, 100), 1),  # the low may have come first
        (order(BUY, STOP, 105, stop=95), (100, 106, 94, 95), 0),  # it closes there: the stop was passed
        (order(BUY, STOP, 105, stop=95, target=110), (100, 111, 94, 95), 1),  # or the target before it
        (order(SELL, STOP, 95, stop=105), (100, 106, 94, 100), 1),
        (order(BUY, LIMIT, 95, stop=90), (100, 106, 89, 100), 0),  # on the way on from the entry
        (order(BUY, LIMIT, 95, stop=90, target=105), (100, 106, 89, 100), 1),
        (order(BUY, stop=95, target=105), (100, 106, 94, 100), 1),
        (order(BUY, stop=95, target=107), (100, 106, 94, 100), 0),
        (order(BUY, stop=101, target=107), (100, 108, 94, 100), 0),  # stopped at the open
    ],
)
def test_an_exit_that_another_path_would_have_ended_otherwise_is_ambiguous(
    placed: EntryOrder, bar: tuple[int, int, int, int], ambiguous: int
) -> None:
    _, fills = play(placed, bar)
    assert fills[-1].reason == STOPPED
    assert fills[-1].ambiguous == ambiguous


def test_a_second_entry_is_refused_while_a_position_is_held() -> None:
    state, _ = play(order(), (100, 101, 99, 100))
    with pytest.raises(ValueError, match="close the position"):
        place(state, order())


class Oracle:
    """One order, one position, Python integers; a path of prices instead of comparisons by side."""

    def __init__(self, costs: Costs) -> None:
        self.costs, self.cash = costs, 0
        self.order: dict[str, int] | None = None
        self.held: dict[str, int] | None = None

    def bar(self, opened: int, high: int, low: int, close: int) -> list[tuple[int, int, int, int, int]]:
        fills: list[tuple[int, int, int, int, int]] = []
        entry_allowed = self.held is None or bool(self.held["closing"])
        if self.held:
            fills += self._leave(opened, high, low, at_open=True, best=high if self.held["lots"] > 0 else low)
        if self.order and entry_allowed:
            fills += self._enter(opened, high, low, close)
        self._age()
        return fills

    def _enter(self, opened: int, high: int, low: int, close: int) -> list[tuple[int, int, int, int, int]]:
        placed = self.order
        assert placed is not None
        buys = placed["side"] == BUY
        price, at_open = None, False
        if placed["kind"] == MARKET:
            price, at_open = opened, True
        elif placed["kind"] == LIMIT:
            at_open = opened <= placed["price"] if buys else opened >= placed["price"]
            touched = low <= placed["price"] if buys else high >= placed["price"]
            price = opened if at_open else placed["price"] if touched else None
        else:
            at_open = opened >= placed["price"] if buys else opened <= placed["price"]
            touched = high >= placed["price"] if buys else low <= placed["price"]
            price = opened if at_open else placed["price"] if touched else None
        if price is None:
            return []
        taker = placed["kind"] != LIMIT or at_open
        fill = self._fill(placed["side"] * placed["lots"], price, taker, placed["kind"] != LIMIT, ENTRY, 0)
        self.held = {"lots": placed["side"] * placed["lots"], "left": placed["hold_bars"], "closing": 0} | {
            name: placed[name] for name in ("stop", "target")
        }
        self.order = None
        if at_open:
            best = high if buys else low
            return [fill, *self._leave(opened, high, low, at_open=True, best=best)]
        return [fill, *self._leave_inside(placed["kind"], high, low, close)]

    def _leave_inside(
        self, kind: int, high: int, low: int, close: int
    ) -> list[tuple[int, int, int, int, int]]:
        """After an entry inside the bar: a limit order's target is sure at the close only, a stop order's stop too."""
        held = self.held
        assert held is not None
        long = held["lots"] > 0
        best, worst = (high, low) if long else (low, high)
        at = {
            "stop": lambda price: (
                held["stop"] > 0 and (price <= held["stop"] if long else price >= held["stop"])
            ),
            "target": lambda price: (
                held["target"] > 0 and (price >= held["target"] if long else price <= held["target"])
            ),
        }
        if at["stop"](worst):
            doubtful = at["target"](best) or (kind == STOP and not at["stop"](close))
            fill = self._fill(-held["lots"], held["stop"], True, True, STOPPED, int(doubtful))
        elif at["target"](close if kind == LIMIT else best):
            fill = self._fill(-held["lots"], held["target"], False, False, TARGET, 0)
        else:
            return []
        self.held = None
        return [fill]

    def _leave(
        self, opened: int, high: int, low: int, *, at_open: bool, best: int
    ) -> list[tuple[int, int, int, int, int]]:
        held = self.held
        assert held is not None
        lots, stop, target = held["lots"], held["stop"], held["target"]
        long = lots > 0

        def stop_hit(price: int) -> bool:
            return stop > 0 and (price <= stop if long else price >= stop)

        def target_hit(price: int) -> bool:
            return target > 0 and (price >= target if long else price <= target)

        if held["closing"]:
            fill = self._fill(-lots, opened, True, True, CLOSED, 0)
        elif at_open and stop_hit(opened):
            fill = self._fill(-lots, opened, True, True, STOPPED, 0)
        elif at_open and target_hit(opened):
            fill = self._fill(-lots, opened, True, False, TARGET, 0)
        elif stop_hit(low if long else high):
            fill = self._fill(-lots, stop, True, True, STOPPED, int(target_hit(best)))
        elif target_hit(best):
            fill = self._fill(-lots, target, False, False, TARGET, 0)
        else:
            return []
        self.held = None
        return [fill]

    def _fill(
        self, lots: int, price: int, taker: bool, slips: bool, reason: int, ambiguous: int
    ) -> tuple[int, int, int, int, int]:
        if slips:
            slip = ceil(Fraction(price * self.costs.slippage_ppm, 10**6))
            price = max(1, price + slip if lots > 0 else price - slip)
        rate = self.costs.taker_ppm if taker else self.costs.maker_ppm
        charged = ceil(Fraction(price * abs(lots) * rate, 10**6))
        self.cash -= lots * price + charged
        return (lots, price, charged, reason, ambiguous)

    def _age(self) -> None:
        if self.order:
            self.order["good_bars"] -= 1
            if self.order["good_bars"] == 0:
                self.order = None
        if self.held:
            self.held["left"] -= 1
            if self.held["left"] == 0:
                self.held["closing"] = 1


def level() -> st.SearchStrategy[int]:
    return st.integers(80, 120)


@st.composite
def bars(draw: st.DrawFn) -> tuple[int, int, int, int]:
    opened, close, up, down = draw(level()), draw(level()), draw(st.integers(0, 6)), draw(st.integers(0, 6))
    return opened, max(opened, close) + up, min(opened, close) - down, close


@st.composite
def sound_orders(draw: st.DrawFn, price: st.SearchStrategy[int] | None = None) -> EntryOrder:
    """Any order that can be filled: stop and target on their sides of the price."""
    side, at = draw(st.sampled_from([BUY, SELL])), draw(level() if price is None else price)
    stop, target = (draw(st.one_of(st.just(0), st.integers(1, 20))) for _ in range(2))
    bars = st.sampled_from([FOREVER, 1, 2, 5])
    return EntryOrder(
        side,
        draw(st.sampled_from([MARKET, LIMIT, STOP])),
        at,
        draw(st.integers(1, 50)),
        at - side * stop if stop else 0,
        at + side * target if target else 0,
        draw(bars),
        draw(bars),
    )


ORDERS = sound_orders()
ACTIONS = st.one_of(st.none(), ORDERS, st.just("close"))
COSTS = st.builds(Costs, st.integers(-500, 5_000), st.integers(0, 5_000), st.integers(0, 20_000))


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(ACTIONS, bars()), max_size=25), COSTS)
def test_any_market_and_any_orders_fill_as_the_plain_loop_says(
    script: list[tuple[Any, tuple[int, int, int, int]]], costs: Costs
) -> None:
    state, oracle = new_state(0), Oracle(costs)
    for number, (action, bar) in enumerate(script, start=1):
        if action == "close" and oracle.held:
            state, oracle.held["closing"] = close_position(state), 1
        elif isinstance(action, EntryOrder) and (oracle.held is None or oracle.held["closing"]):
            state, oracle.order = place(state, action), action._asdict()

        state, fills = step(state, Bar(number, *bar), costs)

        assert [tuple(fill) for fill in fills if fill.lots] == oracle.bar(*bar)
        assert state.cash == oracle.cash
        assert state.position.lots == (oracle.held["lots"] if oracle.held else 0)


@settings(max_examples=100, deadline=None)
@given(st.lists(bars(), min_size=2, max_size=10), ORDERS, st.integers(1, 9), st.randoms())
def test_bars_yet_to_come_change_nothing_that_was_filled(
    market: list[tuple[int, int, int, int]], placed: EntryOrder, cut: int, random: Any
) -> None:
    cut = min(cut, len(market) - 1)
    other = [*market[:cut], *random.sample(market[cut:], len(market) - cut)]

    def fills_until_cut(path: list[tuple[int, int, int, int]]) -> list[BarFills]:
        state, seen = place(new_state(0), placed), []
        for number, bar in enumerate(path, start=1):
            state, fills = step(state, Bar(number, *bar), FEES)
            seen.append(fills)
        return seen[:cut]

    assert fills_until_cut(market) == fills_until_cut(other)


def test_decimals_become_whole_numbers_and_come_back() -> None:
    grid = Grid(tick=Decimal("0.01"), lot=Decimal("0.00001"))

    assert grid.ticks(Decimal("67123.45")) == 6_712_345
    assert grid.lots(Decimal("0.123459")) == 12_345  # down: never more than was asked for
    assert grid.price(6_712_345) == Decimal("67123.45")
    assert grid.quantity(12_345) == Decimal("0.12345")
    assert grid.amount(6_712_345 * 12_345) == Decimal("67123.45") * Decimal("0.12345")


@pytest.mark.parametrize("tick", [Decimal(0), Decimal("NaN"), Decimal(-1)])
def test_a_step_of_nothing_is_refused(tick: Decimal) -> None:
    with pytest.raises(ValueError, match="tick must be positive"):
        Grid(tick=tick, lot=Decimal(1))


def test_candles_become_whole_ticks() -> None:
    one = np.array([1.0])
    candles = OHLCV(np.array([5]), one * 0.1, one * 0.3, one * 0.1, one * 0.2, one)
    assert bars_in_ticks(candles, 0.01).tolist() == [[5, 10, 30, 10, 20]]


def walked(path: list[int], placed: EntryOrder) -> tuple[tuple[int, int, int], ...]:
    """What a price that moves tick by tick along `path` does to an order: fills as they come, once each."""
    fills: list[tuple[int, int, int]] = []
    held, at_open = False, True
    for price in path:
        if not held and not fills:
            up, there = placed.side * (price - placed.price), placed.kind == MARKET
            if there or (up >= 0 if placed.kind == STOP else up <= 0):
                fills.append((placed.side * placed.lots, price, ENTRY))
                held = True
        if held and placed.stop and placed.side * (price - placed.stop) <= 0:
            fills.append((-placed.side * placed.lots, price if at_open else placed.stop, STOPPED))
            held = False
        elif held and placed.target and placed.side * (price - placed.target) >= 0:
            fills.append((-placed.side * placed.lots, price if at_open else placed.target, TARGET))
            held = False
        at_open = False
    return tuple(fills)


def paths(opened: int, high: int, low: int, close: int) -> Iterator[list[int]]:
    """Ways from the open to the close that touch high and low, with up to four turns."""
    levels = range(low, high + 1)
    for turns in itertools.chain.from_iterable(itertools.product(levels, repeat=n) for n in range(5)):
        stations = (opened, *turns, close)
        if high in stations and low in stations:
            path = [opened]
            for station in stations[1:]:
                way = 1 if station > path[-1] else -1
                path += list(range(path[-1] + way, station + way, way)) if station != path[-1] else []
            yield path


@st.composite
def small_bars(draw: st.DrawFn) -> tuple[int, int, int, int]:
    low = draw(st.integers(3, 5))
    high = draw(st.integers(low, low + 4))
    return draw(st.integers(low, high)), high, low, draw(st.integers(low, high))


@settings(max_examples=150, deadline=None)
@given(sound_orders(st.integers(3, 9)), small_bars())
def test_a_fill_is_one_that_some_path_makes_and_ambiguous_where_another_makes_another(
    placed: EntryOrder, bar: tuple[int, int, int, int]
) -> None:
    assume(placed.stop >= 0 and placed.target >= 0)
    placed = placed._replace(price=0) if placed.kind == MARKET else placed
    possible = {walked(path, placed) for path in paths(*bar)}
    _, fills = play(placed._replace(hold_bars=FOREVER), bar)
    got = tuple(told(fills))
    assert got in possible
    if len(got) == 2:
        assert fills[-1].ambiguous == (len(possible) > 1)
        gains = [placed.side * (each[1][1] - each[0][1]) for each in possible if len(each) == 2]
        assert placed.side * (got[1][1] - got[0][1]) == min(gains)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(ACTIONS, bars()), max_size=25))
def test_every_fill_lies_inside_its_bar(script: list[tuple[Any, tuple[int, int, int, int]]]) -> None:
    state = new_state(0)
    for number, (action, bar) in enumerate(script, start=1):
        if action == "close":
            state = close_position(state)
        elif isinstance(action, EntryOrder) and (state.position.lots == 0 or state.position.closing):
            state = place(state, action)
        elif isinstance(action, EntryOrder):
            state = move_exits(state, action.stop, 0)
        state, fills = step(state, Bar(number, *bar), FREE)
        assert all(bar[2] <= fill.price <= bar[1] for fill in fills if fill.lots)
