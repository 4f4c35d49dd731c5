"""Rows as the fill code's book, and its numbers as Decimals: nothing but translation."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from autopilot.engine.order import FillReason, OrderPurpose, OrderSide, OrderType
from autopilot.engine.preflight import LOWEST_VALUE
from autopilot.models import Account, Order, Position
from signals.engine.fill import (
    CLOSED,
    ENTRY,
    EXPIRED,
    LIMIT,
    LIQUIDATED,
    MARKET,
    STOP,
    STOPPED,
    TARGET,
    TRAILED,
    Grid,
)
from signals.engine.fill.layout import Book, BookOrder, IntArray, pack
from signals.engine.fill.money import UNITS, share
from signals.engine.fill.terms import T_MARGIN, Rules, terms_row
from signals.market.models import Instrument

FINEST_LOT = Decimal("1e-8")
PRICE_DIGITS = 9  # of a tick where the exchange told none
KINDS = {OrderType.MARKET: MARKET, OrderType.LIMIT: LIMIT, OrderType.STOP: STOP}
TYPES = {number: order_type for order_type, number in KINDS.items()}
REASONS = {
    FillReason.ENTRY: ENTRY,
    FillReason.STOP: STOPPED,
    FillReason.TARGET: TARGET,
    FillReason.SIGNAL: CLOSED,
    FillReason.TRAILING_STOP: TRAILED,
    FillReason.TIME: EXPIRED,
    FillReason.LIQUIDATION: LIQUIDATED,
}
FILL_REASONS = {number: reason for reason, number in REASONS.items()}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def in_ms(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


def from_ms(moment: int) -> datetime:
    return EPOCH + timedelta(milliseconds=int(moment))


def units(amount: Decimal) -> int:
    """Of money that stands in whole 1e-8."""
    return int(amount * UNITS)


def money(amount: int) -> Decimal:
    return Decimal(int(amount)) / UNITS


def steps_of(instrument: Instrument, price: Decimal) -> Grid:
    """The exchange's steps; where it told none, a tick of nine digits of the price and a lot of 1e-8."""
    tick = instrument.tick_size or Decimal(10) ** (price.adjusted() + 1 - PRICE_DIGITS)
    return Grid(tick=tick, lot=instrument.lot_step or FINEST_LOT)


def grid_of(position: Position) -> Grid:
    return Grid(tick=position.tick, lot=position.lot)


def rules_of(account: Account, instrument: Instrument) -> Rules:
    return Rules(
        volume_share=account.volume_share,
        needs_volume=account.needs_volume,
        trade_through=account.trade_through,
        minimum_value=max(instrument.minimum_notional or LOWEST_VALUE, LOWEST_VALUE),
        leverage=account.leverage,
    )


def terms_of(position: Position) -> IntArray:
    """Its instrument's costs, its account's rules."""
    instrument = position.instrument
    return terms_row(grid_of(position), instrument.cost_rates(), rules_of(position.account, instrument))


def free_units(cash: Decimal, positions: Iterable[Position], terms: IntArray) -> int:
    """What entries may use: cash less what positions put up, and less what a short has received for what it owes."""
    free, margin = units(cash), int(terms[T_MARGIN])
    for position in positions:
        cost = units(position.cost)
        if cost:
            free += (1 if position.quantity > 0 else -1) * cost - int(share(cost, margin))
    return free


def reason_of(order: Order) -> int:
    """The fill code's number of what an order is for."""
    match OrderPurpose(order.purpose):
        case OrderPurpose.ENTRY:
            return ENTRY
        case OrderPurpose.STOP:
            return TRAILED if order.trail else STOPPED
        case OrderPurpose.TARGET:
            return TARGET
        case OrderPurpose.TIME_EXIT:
            return EXPIRED
        case OrderPurpose.LIQUIDATION:
            return LIQUIDATED
        case OrderPurpose.SIGNAL_EXIT:
            return CLOSED


def book_of(position: Position, orders: Sequence[Order], free: int) -> IntArray:
    """The book before a bar. `orders` are those that this bar may fill, by number; cash begins at zero."""
    grid = grid_of(position)
    book = Book(
        clock=in_ms(position.clock),
        free=free,
        next_id=position.next_number,
        lots=whole(position.quantity, grid.lot),
        cost=units(position.cost),
        entered_at=in_ms(position.entered_at) if position.entered_at else 0,
        hold_bars=position.hold_bars,
        closing=REASONS[FillReason(position.closing)] if position.closing else 0,
        best=whole(position.best_price, grid.tick),
        doubt=int(position.in_doubt),
        funding=units(position.funding),
        orders=[_book_order(order, grid) for order in orders],
    )
    return pack(book)


def _book_order(order: Order, grid: Grid) -> BookOrder:
    return BookOrder(
        side=OrderSide(order.side).sign,
        kind=KINDS[OrderType(order.type)],
        price=whole(order.price, grid.tick),
        lots=whole(order.remaining, grid.lot),
        reason=reason_of(order),
        good_bars=order.good_bars,
        stop=whole(order.stop_price, grid.tick),
        target=whole(order.target_price, grid.tick),
        trail=whole(order.trail, grid.tick),
        hold_bars=order.hold_bars,
        group=order.parent.number or 0 if order.parent else 0,
        order_id=order.number or 0,
    )


def whole(amount: Decimal | None, step: Decimal) -> int:
    """Steps in an amount, 0 for none. ValueError where it does not stand on a step: it was not written by us."""
    if amount is None:
        return 0
    steps = amount / step
    if steps != steps.to_integral_value():
        raise ValueError(f"{amount} is no multiple of {step}")
    return int(steps)
