"""The step of a book: the single step where that can follow, and what it can do beyond, worked out by hand."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals.engine.costs import NO_COSTS, CostRates
from signals.engine.fill import (
    CLOSED,
    ENTRY,
    EXPIRED,
    FOREVER,
    LIMIT,
    LIQUIDATED,
    MARKET,
    STOP,
    STOPPED,
    TARGET,
    TRAILED,
    Bar,
    EntryOrder,
    Grid,
    cancel,
    close_position,
    new_state,
    place,
    step,
)
from signals.engine.fill.batch import step_book, step_many
from signals.engine.fill.book import end_position, wait, withdraw, withdraw_entries
from signals.engine.fill.layout import (
    ALL,
    BAR_WIDTH,
    BELOW_MINIMUM,
    CASH,
    COUNT,
    CUT,
    DOUBT,
    F_AMBIGUOUS,
    F_FEE,
    F_LEFT,
    F_LOTS,
    F_PRICE,
    F_REASON,
    F_REFUSAL,
    F_TIME,
    FILL_WIDTH,
    FREE,
    FUNDING,
    HEAD,
    LAPSED,
    LIQUIDATION,
    LOTS,
    MOST_FILLS,
    ORDER_WIDTH,
    PRICE,
    UNLIMITED,
    BookOrder,
    new_row,
    pack,
    unpack,
)
from signals.engine.fill.terms import Rules, terms_row
from tests.signals.engine.fill.test_single import ACTIONS, bars

UNIT = Grid(Decimal("0.0001"), Decimal("0.0001"))  # a tick x lot is one unit of money
FREE_OF_COST = terms_row(UNIT, NO_COSTS)


def bar(
    time: int, prices: tuple[int, int, int, int], volume: int = -1, atr: int = 0, funding: int = 0
) -> Any:
    return np.array([time, *prices, volume, atr, funding], dtype=np.int64)


def told(events: np.ndarray) -> list[tuple[int, int, int]]:
    return [tuple(map(int, each[[F_LOTS, F_PRICE, F_REASON]])) for each in events if each[F_LOTS]]


def play(*orders: BookOrder, market: list[Any], terms: Any = FREE_OF_COST, free: int = UNLIMITED) -> Any:
    """Orders wait at clock 0; the row after the last bar, and every event."""
    row = new_row(0, cash=0 if free == UNLIMITED else free, free=free)
    for order in orders:
        wait(row, order)
    events = [step_book(row, each, terms) for each in market]
    return row, np.concatenate(events)


RATES = st.builds(
    CostRates,
    *(
        st.integers(low, high).map(lambda ppm: Decimal(ppm) / 100)
        for low, high in ((-500, 5_000), (0, 5_000), (0, 20_000))
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(ACTIONS, bars()), max_size=25), RATES)
def test_one_order_at_a_time_is_the_single_step(
    script: list[tuple[Any, tuple[int, int, int, int]]], rates: CostRates
) -> None:
    state, row, terms = new_state(0), new_row(0, free=UNLIMITED), terms_row(UNIT, rates)
    for number, (action, prices) in enumerate(script, start=1):
        if action == "close":
            state = close_position(state)
            end_position(row)
        elif isinstance(action, EntryOrder) and (state.position.lots == 0 or state.position.closing):
            state = place(state if action.side else cancel(state), action)
            withdraw_entries(row)
            kept = action._replace(price=0) if action.kind == MARKET else action
            wait(
                row,
                BookOrder(
                    *kept[:4],
                    stop=kept.stop,
                    target=kept.target,
                    good_bars=kept.good_bars,
                    hold_bars=kept.hold_bars,
                ),
            )
        doubted = row[DOUBT]
        state, fills = step(state, Bar(number, *prices), rates.in_ppm())
        events = step_book(row, bar(number, prices), terms)
        columns = [F_LOTS, F_PRICE, F_FEE, F_REASON]
        ours = [tuple(map(int, each[columns])) for each in events if each[F_LOTS]]
        theirs = [each[:4] for each in fills if each.lots]
        assert [(*each[:3], CLOSED if each[3] == EXPIRED else each[3]) for each in ours] == theirs
        assert row[CASH] == state.cash
        assert row[LOTS] == state.position.lots
        if not doubted:
            flags = [int(each[F_AMBIGUOUS]) for each in events if each[F_LOTS]]
            assert flags == [each.ambiguous for each in fills if each.lots]


def test_a_book_is_packed_and_unpacked_without_loss() -> None:
    row, _ = play(
        BookOrder(1, LIMIT, 95, 3, stop=90, target=120),
        BookOrder(1, lots=2, trail=4, hold_bars=9),
        market=[bar(1, (100, 101, 97, 99))],
    )
    assert pack(unpack(row)).tolist() == row.tolist()
    assert unpack(pack(unpack(row))) == unpack(row)
    assert {order.kind for order in unpack(row).orders} == {LIMIT, STOP}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_many_books_at_once_are_each_of_them_alone_bit_for_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    books = 5
    terms = np.stack(
        [
            terms_row(
                UNIT,
                CostRates(Decimal(1), Decimal(5), Decimal(2), impact_bps=Decimal(9)),
                Rules(volume_share=share),
            )
            for share in (None, Decimal("0.1"), None, Decimal("0.5"), Decimal(1))
        ]
    )
    states = np.stack([new_row(0, cash=10**7, free=10**7) for _ in range(books)])
    for row in states:
        for _ in range(int(rng.integers(1, 6))):
            side, price = int(rng.choice([1, -1])), int(rng.integers(90, 110))
            kind, wide = int(rng.integers(0, 3)), int(rng.integers(1, 9))
            wait(
                row,
                BookOrder(side, kind, price, int(rng.integers(1, 90)), stop=price - side * wide, trail=wide),
            )
    alone = states.copy()
    for time in range(1, 30):
        opened = rng.integers(90, 110, books)
        low, high = opened - rng.integers(0, 9, books), opened + rng.integers(0, 9, books)
        close = rng.integers(low, high + 1)
        volume = rng.integers(0, 60, books)
        nothing = np.zeros(books, dtype=np.int64)
        market = np.column_stack((np.full(books, time), opened, high, low, close, volume, nothing, nothing))
        fills = np.zeros((books, MOST_FILLS, FILL_WIDTH), dtype=np.int64)
        found = step_many(states, market, terms, fills)
        for number in range(books):
            events = step_book(alone[number], np.ascontiguousarray(market[number]), terms[number])
            assert events.tolist() == fills[number, : found[number]].tolist()
    assert states.tobytes() == alone.tobytes()


def test_other_integers_and_shapes_are_refused_and_a_stale_bar_is_a_status() -> None:
    states, fills = np.stack([new_row(5)]), np.zeros((1, MOST_FILLS, FILL_WIDTH), dtype=np.int64)
    terms, market = FREE_OF_COST[np.newaxis], np.zeros((1, BAR_WIDTH), dtype=np.int64)
    with pytest.raises(TypeError):
        step_many(states, market.astype(np.int32), terms, fills)
    with pytest.raises(ValueError, match="shapes must be"):
        step_many(states, market[:, :-1], terms, fills)
    assert step_many(states, market, terms, fills).tolist() == [-1]
    with pytest.raises(ValueError, match="stepped already"):
        step_book(states[0], market[0], terms[0])


def test_a_ladder_is_added_to_at_its_average_and_sold_in_parts() -> None:
    row, events = play(
        BookOrder(1, LIMIT, 98, 10),
        BookOrder(1, LIMIT, 94, 30),
        BookOrder(-1, LIMIT, 105, 15, reason=TARGET),
        BookOrder(-1, LIMIT, 110, 0, reason=TARGET),
        market=[bar(1, (100, 101, 93, 95)), bar(2, (96, 106, 95, 100)), bar(3, (111, 112, 100, 101))],
    )
    assert told(events) == [(10, 98, ENTRY), (30, 94, ENTRY), (-15, 105, TARGET), (-25, 111, TARGET)]
    assert row[CASH] == -10 * 98 - 30 * 94 + 15 * 105 + 25 * 111


def test_a_stop_of_the_whole_position_takes_what_was_added_on_the_way_down() -> None:
    _, events = play(
        BookOrder(1, lots=10),
        BookOrder(1, LIMIT, 95, 10),
        BookOrder(-1, STOP, 90, 0, reason=STOPPED),
        market=[bar(1, (100, 101, 99, 100)), bar(2, (100, 101, 88, 89))],
    )
    assert told(events) == [(10, 100, ENTRY), (10, 95, ENTRY), (-20, 90, STOPPED)]


def test_exits_of_one_entry_end_each_other_and_leave_the_other_entrys_alone() -> None:
    row, events = play(
        BookOrder(1, lots=10, stop=90, target=104),
        BookOrder(1, lots=5, stop=80, target=120),
        market=[bar(1, (100, 101, 99, 100)), bar(2, (100, 105, 99, 104)), bar(3, (104, 105, 89, 90))],
    )
    assert told(events)[2:] == [(-10, 104, TARGET)]
    assert row[LOTS] == 5
    assert [order.price for order in unpack(row).orders] == [80, 120]


@pytest.mark.parametrize(("side", "mirror"), [(1, lambda price: price), (-1, lambda price: 200 - price)])
def test_a_trailing_stop_follows_the_best_price_from_the_next_bar_on(side: int, mirror: Any) -> None:
    def turned(prices: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        opened, high, low, close = (mirror(price) for price in prices)
        return opened, max(high, low), min(high, low), close

    row, events = play(
        BookOrder(side, lots=10, trail=5),
        market=[bar(1, turned((100, 103, 99, 102))), bar(2, turned((102, 110, 101, 109)))],
    )
    assert row[HEAD + PRICE] == mirror(105)
    events = step_book(row, bar(3, turned((108, 109, 104, 106))), FREE_OF_COST)
    assert told(events) == [(-side * 10, mirror(105), TRAILED)]


def test_a_share_of_the_volume_fills_and_the_rest_waits() -> None:
    terms = terms_row(UNIT, NO_COSTS, Rules(volume_share=Decimal("0.25")))
    row, events = play(
        BookOrder(1, LIMIT, 100, 30, stop=95),
        market=[
            bar(1, (101, 102, 99, 100), 40),
            bar(2, (100, 101, 99, 100), 60),
            bar(3, (96, 97, 90, 91), 80),
        ],
        terms=terms,
    )
    assert told(events) == [(10, 100, ENTRY), (15, 100, ENTRY), (5, 96, ENTRY), (-15, 95, STOPPED)]
    rest = step_book(row, bar(4, (92, 93, 91, 92), 4_000), terms)
    assert told(rest) == [(-15, 92, STOPPED)]


def test_a_bar_without_volume_fills_nothing_where_volume_is_needed() -> None:
    market = [bar(1, (100, 101, 99, 100), 0), bar(2, (103, 104, 102, 103), 5)]
    _, needed = play(
        BookOrder(1, lots=7), market=market, terms=terms_row(UNIT, NO_COSTS, Rules(needs_volume=True))
    )
    _, not_needed = play(BookOrder(1, lots=7), market=market)
    assert told(needed) == [(7, 103, ENTRY)]
    assert told(not_needed) == [(7, 100, ENTRY)]


def test_a_limit_is_filled_by_touch_or_only_when_traded_through() -> None:
    through = terms_row(UNIT, NO_COSTS, Rules(trade_through=True))
    market = [bar(1, (100, 101, 98, 100)), bar(2, (100, 101, 97, 100))]
    _, touch = play(BookOrder(1, LIMIT, 98, 1), market=market)
    _, beyond = play(BookOrder(1, LIMIT, 98, 1), market=market, terms=through)
    assert touch[0, F_TIME] == 1
    assert beyond[0, F_TIME] == 2


def test_funding_is_paid_by_longs_and_received_by_shorts_at_the_open_of_its_bar() -> None:
    market = [bar(1, (100, 101, 99, 100)), bar(2, (100_000, 100_001, 99_999, 100_000), funding=10_000_000)]
    long, _ = play(BookOrder(1, lots=10), market=market)
    short, _ = play(BookOrder(-1, lots=10), market=market)
    assert long[FUNDING] == 10_001  # 1 % of 1,000,000, rounded against the trader
    assert short[FUNDING] == -10_000


def test_borrowing_is_paid_by_the_day_on_shorts_and_on_what_leverage_borrows() -> None:
    rates = CostRates(Decimal(0), Decimal(0), Decimal(0), borrow_bps=Decimal(100))
    day = 86_400_000
    market = [bar(1, (100_000,) * 4), bar(1 + day, (100_000,) * 4)]
    short, _ = play(BookOrder(-1, lots=10), market=market, terms=terms_row(UNIT, rates))
    long, _ = play(BookOrder(1, lots=10), market=market, terms=terms_row(UNIT, rates))
    geared = terms_row(UNIT, rates, Rules(leverage=Decimal(2)))
    borrowed, _ = play(BookOrder(1, lots=10), market=market, terms=geared, free=10**6)
    assert (short[FUNDING], long[FUNDING], borrowed[FUNDING]) == (10_001, 0, 5_001)


def test_slippage_is_fixed_of_the_spread_of_the_range_and_of_the_share_of_the_volume() -> None:
    def paid(**rates: str) -> int:
        given = {"maker_bps": "0", "taker_bps": "0", "slippage_bps": "0"} | rates
        terms = terms_row(UNIT, CostRates(**{name: Decimal(rate) for name, rate in given.items()}))
        _, events = play(
            BookOrder(1, lots=25),
            market=[bar(1, (100_000, 100_900, 99_000, 100_000), 100, atr=800)],
            terms=terms,
        )
        return int(events[0, F_PRICE])

    assert paid(slippage_bps="3") == 100_030
    assert paid(spread_bps="4") == 100_020
    assert paid(volatility_bps="1000") == 100_080
    assert paid(impact_bps="10") == 100_050  # sqrt(25 / 100) of 10 bps
    assert paid(slippage_bps="3", spread_bps="4", volatility_bps="1000", impact_bps="10") == 100_180


def test_makers_and_takers_pay_their_own_fees() -> None:
    terms = terms_row(UNIT, CostRates(Decimal(2), Decimal(10), Decimal(0)))
    _, events = play(
        BookOrder(1, lots=1_000, target=11_000),
        market=[bar(1, (10_000, 10_100, 9_900, 10_000)), bar(2, (10_000, 11_500, 9_990, 10_000))],
        terms=terms,
    )
    assert events[:, F_FEE].tolist() == [10_000, 2_200]


def test_an_entry_is_cut_to_the_money_there_is_and_refused_below_the_minimum() -> None:
    market = [bar(1, (100, 101, 99, 100))]
    row, cut = play(BookOrder(1, lots=50), market=market, free=1_234)
    _, everything = play(BookOrder(-1, lots=ALL), market=market, free=1_234)
    terms = terms_row(UNIT, NO_COSTS, Rules(minimum_value=Decimal("0.00001235")))
    _, small = play(BookOrder(1, lots=12), market=market, terms=terms)
    assert (told(cut), cut[0, F_REFUSAL], row[FREE]) == ([(12, 100, ENTRY)], CUT, 34)
    assert told(everything) == [(-12, 100, ENTRY)]
    assert small[:, [F_LOTS, F_REFUSAL]].tolist() == [[0, BELOW_MINIMUM]]


def test_leverage_buys_more_and_the_account_ends_what_it_cannot_carry() -> None:
    terms = terms_row(UNIT, NO_COSTS, Rules(leverage=Decimal(5)))
    row, events = play(BookOrder(1, lots=ALL), market=[bar(1, (100, 101, 99, 100))], terms=terms, free=1_000)
    assert told(events) == [(50, 100, ENTRY)]
    assert (row[CASH], row[FREE]) == (-4_000, 0)
    row[LIQUIDATION] = 84
    events = step_book(row, bar(2, (95, 96, 80, 82)), terms)
    assert told(events) == [(-50, 84, LIQUIDATED)]


def test_orders_lapse_and_positions_reach_their_time() -> None:
    away = (100, 101, 99, 100)
    row, events = play(
        BookOrder(1, LIMIT, 60, 5, good_bars=2),
        BookOrder(1, lots=3, hold_bars=2),
        market=[bar(n, away) for n in (1, 2, 3)],
    )
    assert told(events) == [(3, 100, ENTRY), (-3, 100, EXPIRED)]
    assert [int(each) for each in events[:, F_REFUSAL] if each] == [LAPSED]
    assert row[COUNT] == 0


def test_a_reversal_closes_before_it_opens_and_an_entry_against_a_position_waits() -> None:
    row, _ = play(BookOrder(1, lots=10), market=[bar(1, (100, 101, 99, 100))])
    wait(row, BookOrder(-1, lots=4))
    assert told(step_book(row, bar(2, (100, 101, 99, 100)), FREE_OF_COST)) == []
    end_position(row)
    events = step_book(row, bar(3, (105, 106, 104, 105)), FREE_OF_COST)
    assert told(events) == [(-10, 105, CLOSED), (-4, 105, ENTRY)]
    assert events[:, F_LEFT].tolist() == [0, -4]


def test_the_optimistic_terms_take_the_better_path_of_the_same_bar() -> None:
    hopeful = terms_row(UNIT, NO_COSTS, optimistic=True)
    market = [bar(1, (100, 112, 88, 100))]
    _, worst = play(BookOrder(1, lots=1, stop=90, target=110), market=market)
    _, best = play(BookOrder(1, lots=1, stop=90, target=110), market=market, terms=hopeful)
    assert told(worst)[1:] == [(-1, 90, STOPPED)]
    assert told(best)[1:] == [(-1, 110, TARGET)]
    assert worst[1, F_AMBIGUOUS] == 1


def test_a_limit_entry_whose_target_may_have_been_reached_leaves_a_doubt() -> None:
    row, events = play(BookOrder(1, LIMIT, 98, 1, target=107), market=[bar(1, (100, 108, 97, 100))])
    assert told(events) == [(1, 98, ENTRY)]
    assert row[DOUBT] == 1


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (BookOrder(0, lots=1), "side 1 or -1"),
        (BookOrder(1, 7, 5, 1), "of kind"),
        (BookOrder(1, lots=0), "at least one lot"),
        (BookOrder(1, lots=-5), "at least one lot"),
        (BookOrder(1, LIMIT, 0, 1), "needs one"),
        (BookOrder(1, LIMIT, 2**62 + 1, 1), "from 0"),
        (BookOrder(1, LIMIT, 100, 1, stop=120), "either side"),
        (BookOrder(1, LIMIT, 100, 1, good_bars=0), "at least 1"),
        (BookOrder(-1, STOP, 100, 1, reason=STOPPED, stop=3), "brings no exits"),
    ],
)
def test_an_order_that_cannot_be_meant_is_refused(order: BookOrder, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wait(new_row(0), order)


def test_a_full_book_refuses_and_an_order_can_be_withdrawn() -> None:
    row = new_row(0)
    numbers = [wait(row, BookOrder(1, LIMIT, 10 + n, 1)) for n in range(32)]
    with pytest.raises(ValueError, match="room for 32"):
        wait(row, BookOrder(1, LIMIT, 5, 1))
    withdraw(row, numbers[3])
    assert numbers[3] not in {order.order_id for order in unpack(row).orders}
    with pytest.raises(ValueError, match="does not wait"):
        withdraw(row, numbers[3])
    assert len(row) == HEAD + 32 * ORDER_WIDTH


def test_money_beyond_int64_is_refused() -> None:
    with pytest.raises(ValueError, match="beyond int64"):
        play(BookOrder(1, lots=2**40), market=[bar(1, (2**40,) * 4)])


def test_forever_is_the_only_sentinel() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        wait(new_row(0), BookOrder(1, lots=1, hold_bars=FOREVER - 1))
