"""An exchange's trade becomes a fill, money and position, once. The caller holds the account's lock."""

from datetime import datetime
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from autopilot.clients.venue_answers import VenueTradeView
from autopilot.engine.order import FillReason, OrderPurpose, OrderSide
from autopilot.models import BalanceEntry, BalanceKind, Fill, LiveOrder, LiveTrade, Order, Position
from autopilot.services.trades import close_trade

CENT = Decimal("1e-8")
REASONS = {
    OrderPurpose.ENTRY: FillReason.ENTRY,
    OrderPurpose.STOP: FillReason.STOP,
    OrderPurpose.TARGET: FillReason.TARGET,
    OrderPurpose.TIME_EXIT: FillReason.TIME,
    OrderPurpose.SIGNAL_EXIT: FillReason.SIGNAL,
    OrderPurpose.LIQUIDATION: FillReason.LIQUIDATION,
}


def book_trade(live: LiveOrder, trade: VenueTradeView, now: datetime) -> Fill | None:
    """None where it was booked before. A fee in the base asset makes what was bought less, not dearer."""
    order = Order.objects.select_related("position", "instrument").get(pk=live.pk)
    instrument, position = order.instrument, order.position
    known = LiveTrade.objects.filter(
        exchange_id=instrument.exchange_id,
        account_id=live.account_id,
        instrument=instrument,
        trade_id=trade.id,
    )
    if position is None or known.exists():
        return None
    quantity, fee = trade.quantity, Decimal(0)
    if trade.fee_asset == instrument.base and trade.side is OrderSide.BUY:
        quantity, fee = quantity - trade.fee, _up(trade.fee * trade.price)
    elif trade.fee_asset == instrument.quote:
        fee = _up(trade.fee)
    fill = _fill(order, position, trade, quantity, fee, now)
    LiveTrade.objects.create(
        account_id=live.account_id,
        exchange_id=instrument.exchange_id,
        instrument=instrument,
        trade_id=trade.id,
        venue_order_id=trade.order_id,
        fill=fill,
        side=trade.side.value,
        quantity=trade.quantity,
        price=trade.price,
        fee=trade.fee,
        fee_asset=trade.fee_asset,
        traded_at=trade.at,
        recorded_at=now,
    )
    order.filled += trade.quantity
    order.remaining = max(order.remaining - trade.quantity, Decimal(0))
    order.save(update_fields=["filled", "remaining"])
    return fill


def sellable(position: Position) -> Decimal:
    """What is held, in whole lots."""
    return position.quantity - position.quantity % position.lot


def _fill(
    order: Order,
    position: Position,
    trade: VenueTradeView,
    quantity: Decimal,
    fee: Decimal,
    now: datetime,
) -> Fill:
    side = trade.side
    if sellable(position) == 0 and side is OrderSide.BUY:
        position.round_trip += 1
        position.round_trip_funding = position.funding
    reason = _reason(order, position)
    worth = quantity * trade.price
    value = worth.quantize(CENT, ROUND_UP if side is OrderSide.BUY else ROUND_DOWN)
    stop = order.stop_price
    risk = max(worth - quantity * stop, Decimal(0)).quantize(CENT) if stop and side is OrderSide.BUY else 0
    fill = Fill.objects.create(
        position=position,
        order=order,
        candle_open_time=trade.at,
        number=position.fills.filter(candle_open_time=trade.at).count(),
        round_trip=position.round_trip,
        side=side.value,
        quantity=quantity,
        price=trade.price,
        value=value,
        fee=fee,
        risk=risk,
        reason=reason.value,
        recorded_at=now,
    )
    _pay(fill, -side.sign * value, BalanceKind.TRADE, trade, now)
    _pay(fill, -fee, BalanceKind.FEE, trade, now)
    _hold(position, side, quantity, value, trade)
    if side is OrderSide.SELL and sellable(position) == 0:
        close_trade(position=position, exited_at=trade.at, reason=reason, funding=Decimal(0), now=now)
    return fill


def _reason(order: Order, position: Position) -> FillReason:
    """An exit at the market says why the position was to be left: its stop, its target, its time, a signal."""
    if order.purpose == OrderPurpose.SIGNAL_EXIT and position.closing:
        return FillReason(position.closing)
    return REASONS[OrderPurpose(order.purpose)]


def _hold(
    position: Position, side: OrderSide, quantity: Decimal, value: Decimal, trade: VenueTradeView
) -> None:
    held = position.quantity
    if side is OrderSide.BUY:
        position.cost += value
    elif held > 0:
        position.cost -= (position.cost * min(quantity / held, Decimal(1))).quantize(CENT)
    position.quantity = held + side.sign * quantity
    if position.quantity == 0:
        position.cost, position.entered_at = Decimal(0), None
    elif position.entered_at is None:
        position.entered_at = trade.at
    position.last_close = trade.price
    position.save()


def _pay(fill: Fill, amount: Decimal, kind: BalanceKind, trade: VenueTradeView, now: datetime) -> None:
    if amount:
        BalanceEntry.objects.create(
            account_id=fill.position.account_id,
            position=fill.position,
            fill=fill,
            kind=kind,
            amount=amount,
            at=trade.at,
            recorded_at=now,
        )


def _up(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_UP)
