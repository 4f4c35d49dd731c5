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


def protect(account: Account, now: datetime) -> list[LiveOrder]:
    """Bring every position's stop to where it belongs; the intents that are to be sent at once."""
    written = []
    for position in account.positions.exclude(quantity=0).select_related("instrument__exchange", "account"):
        with transaction.atomic():
            Account.objects.select_for_update().get(pk=account.pk)
            position.refresh_from_db()
            if (intent := _protect(position, now)) is not None:
                written.append(intent)
    return written


def unprotected(account: Account) -> list[Position]:
    """Positions with a stop to have that no order at the exchange is, nor leaves."""
    return [
        position
        for position in account.positions.exclude(quantity=0).select_related("instrument", "account")
        if sellable(position) > 0 and _wanted_stop(position) is not None and not _covering(position)
    ]


def _protect(position: Position, now: datetime) -> LiveOrder | None:
    held, stop = sellable(position), _wanted_stop(position)
    alive = list(_alive(position))
    if any(each.order.purpose in LEAVING for each in alive):
        for each in alive:
            if each.order.purpose == OrderPurpose.STOP:
                ask_to_cancel(each.order, reason="position_leaves", now=now)
        return None
    stops = [each for each in alive if each.order.purpose == OrderPurpose.STOP]
    if held == 0 or stop is None:
        for each in stops:
            ask_to_cancel(each.order, reason="nothing_to_protect", now=now)
        return None
    for each in stops:
        if each.order.price != stop or each.order.quantity - each.order.filled != held:
            ask_to_cancel(each.order, reason="replaced", now=now)
    return None if stops else _write_stop(position, held, stop, now)


def _write_stop(position: Position, held: Decimal, stop: Decimal, now: datetime) -> LiveOrder | None:
    entry = last_entry(position)
    if entry is None:
        return None
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
    return write_intent(order, now)


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
