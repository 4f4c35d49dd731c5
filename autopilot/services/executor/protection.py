"""A stop at the exchange for whatever is held. One that must move or change its size is replaced."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from autopilot.engine.live_order import LiveState
from autopilot.engine.order import OrderPurpose, OrderSide, OrderState, OrderType, exit_order_id
from autopilot.models import Account, LiveOrder, Order, Position
from autopilot.services.executor.booking import sellable
from autopilot.services.live.intents import ask_to_cancel, write_intent
from autopilot.services.live.stops import last_entry

LEAVING = [OrderPurpose.SIGNAL_EXIT.value, OrderPurpose.TIME_EXIT.value, OrderPurpose.LIQUIDATION.value]


def protect(account: Account, now: datetime) -> None:
    """Bring every position's stop to where it belongs: intents and wishes to cancel, which the executor works off."""
    positions = list(account.positions.exclude(quantity=0).select_related("instrument__exchange", "account"))
    if not positions:
        return
    alive = list(account.live_orders.alive().select_related("order"))
    for position in positions:
        if _stands_right(position, [each.order for each in alive if each.order.position_id == position.pk]):
            continue
        with transaction.atomic():
            Account.objects.select_for_update().get(pk=account.pk)
            position.refresh_from_db()
            _protect(position, now)


def unprotected(account: Account) -> list[Position]:
    """Positions with a stop to have that no order at the exchange is, nor leaves."""
    return [
        position
        for position in account.positions.exclude(quantity=0).select_related("instrument", "account")
        if sellable(position) > 0 and _wanted_stop(position) is not None and not _covering(position)
    ]


def _stands_right(position: Position, alive: list[Order]) -> bool:
    """A look without a lock, for what is so nearly always: one stop that is right, or none where none belongs."""
    stops = [each for each in alive if each.purpose == OrderPurpose.STOP]
    if any(each.purpose in LEAVING for each in alive) or (held := sellable(position)) == 0:
        return not stops
    stop = _wanted_stop(position)
    if stop is None:
        return not stops
    return len(stops) == 1 and _is_right(stops[0], held, stop)


def _is_right(order: Order, held: Decimal, stop: Decimal) -> bool:
    return order.price == stop and order.quantity - order.filled == held


def _protect(position: Position, now: datetime) -> None:
    held, stop = sellable(position), _wanted_stop(position)
    alive = list(_alive(position))
    if any(each.order.purpose in LEAVING for each in alive):
        for each in alive:
            if each.order.purpose == OrderPurpose.STOP:
                ask_to_cancel(each.order, reason="position_leaves", now=now)
        return
    stops = [each for each in alive if each.order.purpose == OrderPurpose.STOP]
    if held == 0 or stop is None:
        for each in stops:
            ask_to_cancel(each.order, reason="nothing_to_protect", now=now)
        return
    for each in stops:
        if not _is_right(each.order, held, stop):
            ask_to_cancel(each.order, reason="replaced", now=now)
    if not stops:
        _write_stop(position, held, stop, now)


def _write_stop(position: Position, held: Decimal, stop: Decimal, now: datetime) -> None:
    entry = last_entry(position)
    if entry is None:
        return
    number = position.next_number
    position.next_number += 1
    position.save(update_fields=["next_number"])
    order = Order.objects.create(
        account=position.account,
        instrument=position.instrument,
        position=position,
        client_order_id=exit_order_id(entry.client_order_id, OrderPurpose.STOP, number),
        timeframe=entry.timeframe,
        side=OrderSide.SELL.value,
        type=OrderType.STOP.value,
        purpose=OrderPurpose.STOP.value,
        level=entry.level,
        state=OrderState.OPEN.value,
        quantity=held,
        remaining=held,
        price=stop,
        number=number,
        parent=entry,
        signal=entry.signal,
        strategy=entry.strategy,
        candle_open_time=entry.candle_open_time,
        active_from=entry.active_from,
        placed_at=now,
    )
    write_intent(order, now)


def _wanted_stop(position: Position) -> Decimal | None:
    entry = last_entry(position)
    return None if entry is None else entry.stop_price


def _alive(position: Position) -> "list[LiveOrder]":
    rows = LiveOrder.objects.alive().filter(order__position=position)
    return list(rows.select_related("order", "instrument"))


def _covering(position: Position) -> bool:
    there = {LiveState.ACKED.value, LiveState.PART_FILLED.value, LiveState.SUBMITTING.value}
    return any(
        each.order.purpose in LEAVING or (each.order.purpose == OrderPurpose.STOP and each.state in there)
        for each in _alive(position)
    )
