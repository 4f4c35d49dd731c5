"""Placing and withdrawing orders. The intent is written in the transaction in which it was checked.

Every change of an account's orders, fills and positions happens under the lock of its row.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import transaction

from autopilot.engine.order import (
    FillReason,
    OrderPurpose,
    OrderSide,
    OrderState,
    OrderType,
    client_order_id,
)
from autopilot.engine.preflight import Asked, Refusal, preflight
from autopilot.models import Account, Order, Position
from autopilot.services.book_rows import from_ms, grid_of, steps_of
from autopilot.services.live.intents import ask_to_cancel, write_intent
from autopilot.services.order_request import OrderRequest
from autopilot.services.standing import standing_of, venue_of
from signals.engine.costs import MILLION
from signals.engine.entry import entered_from, publication_ms
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle, Instrument
from signals.models import Signal
from signals.services.actions import record_action

FIRST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)


def place_order(  # noqa: PLR0913  (what a decision is made of)
    *,
    account: Account,
    instrument: Instrument,
    timeframe: Timeframe,
    candle_open_time: datetime,
    request: OrderRequest,
    as_of: datetime,
    now: datetime,
    by: str,
    signal: Signal | None = None,
) -> Order:
    """Write the intent decided on that closed candle, open or refused; the same intent again gives the same row.

    as_of: the exchange's time. A refused order says why in `reason_code`. An order that is decided late fills
    by the rule of `engine.entry`. ValueError where that candle is not stored.
    """
    order_id = client_order_id(
        account=account.name,
        exchange=instrument.exchange.code,
        symbol=instrument.symbol,
        timeframe=timeframe.value,
        candle_open_time=candle_open_time,
        side=request.side,
        purpose=request.purpose,
        level=request.level,
        attempt=request.attempt,
        key=request.key,
    )
    with transaction.atomic():
        account = Account.objects.select_for_update().get(pk=account.pk)
        if standing := Order.objects.filter(client_order_id=order_id).first():
            return standing
        close = _close_of(instrument, timeframe, candle_open_time)
        position, is_alive = position_for(account, instrument, timeframe, candle_open_time, close)
        order = _order(position, request, candle_open_time, as_of, timeframe)
        order.client_order_id, order.signal, order.placed_at = order_id, signal, now
        refusal = _refusal(order, position, request, close, as_of, timeframe, is_alive=is_alive)
        if refusal:
            order.state, order.reason_code, order.ended_at = OrderState.REFUSED, refusal.value, now
            order.remaining = Decimal(0)
        else:
            order.state, order.number = OrderState.OPEN, position.next_number
            position.next_number += 1
            position.save(update_fields=["next_number"])
        order.save()
        _record(order, by, now)
        if account.is_live and not refusal:
            write_intent(order, now)
    return order


def close_position(
    *,
    account: Account,
    instrument: Instrument,
    candle_open_time: datetime,
    now: datetime,
    by: str,
    cause: FillReason = FillReason.SIGNAL,
) -> Order | None:
    """Have the whole position ended at the next open; None where nothing is held, or it is to be ended already.

    Works while the kill switch is engaged, and however small the position is: it only ever reduces.
    """
    with transaction.atomic():
        Account.objects.select_for_update().get(pk=account.pk)
        positions = Position.objects.select_related("account", "instrument__exchange")
        position = positions.filter(account=account, instrument=instrument).exclude(quantity=0).first()
        if position is None or position.closing:
            return None
        position.closing = cause.value
        position.save(update_fields=["closing"])
        order = head_exit(
            position,
            purpose=OrderPurpose.TIME_EXIT if cause is FillReason.TIME else OrderPurpose.SIGNAL_EXIT,
            candle_open_time=candle_open_time,
            now=now,
        )
        _record(order, by, now)
    return order


def head_exit(
    position: Position, *, purpose: OrderPurpose, candle_open_time: datetime, now: datetime
) -> Order:
    """The row of an order that ends the whole position at the next open."""
    side = OrderSide.SELL if position.quantity > 0 else OrderSide.BUY
    instrument = position.instrument
    order = Order.objects.create(
        account=position.account,
        instrument=instrument,
        position=position,
        client_order_id=client_order_id(
            account=position.account.name,
            exchange=instrument.exchange.code,
            symbol=instrument.symbol,
            timeframe=position.timeframe,
            candle_open_time=candle_open_time,
            side=side,
            purpose=purpose,
            attempt=position.orders.filter(number=None, candle_open_time=candle_open_time).count(),
            key=str(position.round_trip),
        ),
        timeframe=position.timeframe,
        side=side,
        type=OrderType.MARKET,
        purpose=purpose,
        state=OrderState.OPEN,
        quantity=abs(position.quantity),
        remaining=abs(position.quantity),
        candle_open_time=candle_open_time,
        active_from=FIRST_MOMENT,
        placed_at=now,
    )
    if position.account.is_live:
        write_intent(order, now)
    return order


def withdraw_order(*, order: Order, reason: str, now: datetime, by: str) -> bool:
    """Take a waiting order out; whether it still waited. What was filled of it stays."""
    with transaction.atomic():
        account = Account.objects.select_for_update().get(pk=order.account_id)
        if account.is_live:
            return ask_to_cancel(order, reason=reason, now=now)
        waiting = Order.objects.open().filter(pk=order.pk)
        ended = waiting.update(
            state=OrderState.CANCELLED.value, reason_code=reason[:32], ended_at=now, remaining=0
        )
        if ended:
            if order.number is None and order.position_id is not None:
                Position.objects.filter(pk=order.position_id).update(closing="")
            record_action(
                actor=by,
                what="order.cancelled",
                target=order.client_order_id,
                now=now,
                after={"reason": reason},
            )
    return bool(ended)


def withdraw_entries(*, account: Account, instrument: Instrument, reason: str, now: datetime, by: str) -> int:
    """Take out all entries that wait on one instrument; how many."""
    waiting = account.orders.open().entries().filter(instrument=instrument)
    return sum(withdraw_order(order=order, reason=reason, now=now, by=by) for order in waiting)


def position_for(
    account: Account,
    instrument: Instrument,
    timeframe: Timeframe,
    candle_open_time: datetime,
    close: Decimal,
) -> tuple[Position, bool]:
    """The account's position in the instrument, and whether it holds or waits for anything.

    One that does not takes the exchange's steps as they are now, and goes on after the candle of this decision.
    """
    steps = steps_of(instrument, close)
    fresh = {
        "timeframe": timeframe.value,
        "tick": steps.tick,
        "lot": steps.lot,
        "clock": candle_open_time,
        "last_close": close,
    }
    position, created = Position.objects.select_related("account", "instrument__exchange").get_or_create(
        account=account, instrument=instrument, defaults=fresh
    )
    is_alive = bool(position.quantity) or position.orders.open().exists()
    if not created and not is_alive:
        for name, value in fresh.items():
            setattr(position, name, max(position.clock, candle_open_time) if name == "clock" else value)
        position.save(update_fields=list(fresh))
    return position, is_alive


def _close_of(instrument: Instrument, timeframe: Timeframe, candle_open_time: datetime) -> Decimal:
    candles = Candle.objects.filter(
        instrument=instrument, timeframe=timeframe.value, open_time=candle_open_time
    )
    close = candles.values_list("close", flat=True).first()
    if close is None:
        raise ValueError(f"{instrument} has no {timeframe} candle of {candle_open_time:%Y-%m-%d %H:%M} UTC")
    return Decimal(repr(close))


def _order(
    position: Position,
    request: OrderRequest,
    candle_open_time: datetime,
    as_of: datetime,
    timeframe: Timeframe,
) -> Order:
    grid = grid_of(position)
    quantity = grid.quantity(grid.lots(request.quantity))
    closed_at = candle_open_time + timedelta(seconds=timeframe.seconds)
    active_from = entered_from(publication_ms(closed_at), publication_ms(as_of))

    def on_tick(price: Decimal | None) -> Decimal | None:
        return None if price is None else grid.price(max(grid.ticks(price), 1))

    return Order(
        account=position.account,
        instrument=position.instrument,
        position=position,
        timeframe=timeframe.value,
        side=request.side.value,
        type=request.order_type.value,
        purpose=request.purpose.value,
        level=request.level,
        quantity=quantity,
        remaining=quantity,
        price=on_tick(request.price),
        stop_price=on_tick(request.stop),
        target_price=on_tick(request.target),
        trail=on_tick(request.trail),
        trail_atr=request.trail_atr,
        good_bars=request.good_bars,
        hold_bars=request.hold_bars,
        strategy=request.strategy,
        strength=request.strength,
        attempt=request.attempt,
        candle_open_time=candle_open_time,
        active_from=from_ms(int(active_from)),
    )


def _refusal(
    order: Order,
    position: Position,
    request: OrderRequest,
    close: Decimal,
    as_of: datetime,
    timeframe: Timeframe,
    *,
    is_alive: bool,
) -> Refusal | None:
    account, instrument, grid = position.account, position.instrument, grid_of(position)
    price = order.price if order.price is not None else grid.price(grid.ticks(close))
    rate = Decimal(instrument.cost_rates().in_ppm().taker_ppm) / MILLION
    is_entry = request.purpose is OrderPurpose.ENTRY
    asked = Asked(
        side=request.side,
        is_entry=is_entry,
        lots=grid.lots(order.quantity),
        quantity=order.quantity,
        price=price,
        fee=order.quantity * price * rate,
        stop=order.stop_price,
        target=order.target_price,
        is_fallback=request.is_fallback,
        is_calibrated=request.is_calibrated,
        is_proven=request.is_proven,
    )
    standing = standing_of(
        account=account,
        position=position,
        side=request.side,
        is_entry=is_entry,
        timeframe=timeframe,
        as_of=as_of,
        intent_is_open=_is_taken(order, position),
        is_alive=is_alive,
    )
    venue = venue_of(account, instrument, timeframe, order.candle_open_time, as_of)
    return preflight(asked, venue, standing, account.limits())


def _is_taken(order: Order, position: Position) -> bool:
    """Whether an order for the same purpose waits, or an earlier entry of this level still has its exits."""
    waiting = Order.objects.open().filter(account=order.account, instrument=order.instrument)
    same = waiting.filter(side=order.side, purpose=order.purpose, level=order.level)
    if same.exists():
        return True
    if order.purpose != OrderPurpose.ENTRY or position.closing:
        return False
    exits = waiting.filter(side=OrderSide(order.side).opposite.value, level=order.level)
    return exits.filter(purpose__in=[OrderPurpose.STOP.value, OrderPurpose.TARGET.value]).exists()


def _record(order: Order, by: str, now: datetime) -> None:
    refused = order.state == OrderState.REFUSED
    record_action(
        actor=by,
        what="order.refused" if refused else "order.placed",
        target=order.client_order_id,
        now=now,
        after={
            "account": order.account.name,
            "instrument": order.instrument.symbol,
            "side": str(order.side),
            "type": str(order.type),
            "purpose": str(order.purpose),
            "quantity": f"{order.quantity.normalize():f}",
            **({"reason": order.reason_code} if refused else {}),
        },
    )
