"""The one way in which an order at an exchange changes its state: checked, with its entry in the history."""

from datetime import datetime
from decimal import Decimal

from autopilot.engine.live_order import LiveState, require_step
from autopilot.engine.order import OrderState
from autopilot.models import FreezeCause, LiveOrder, LiveOrderEvent, Order, SymbolFreeze

ENDS = {
    LiveState.FILLED: OrderState.FILLED,
    LiveState.CANCELLED: OrderState.CANCELLED,
    LiveState.REFUSED: OrderState.REJECTED,
    LiveState.DROPPED: OrderState.CANCELLED,
}


def move(live: LiveOrder, state: LiveState, *, now: datetime, detail: str = "") -> None:
    """`live` is locked by the caller. TransitionError where it cannot go there."""
    before = LiveState(live.state)
    require_step(before, state)
    live.state, live.detail = state.value, detail[:300] or live.detail
    if state.is_final:
        live.ended_at, live.next_look_at = now, None
    live.save()
    if before is not state:
        LiveOrderEvent.objects.create(live_order=live, state=state.value, detail=detail[:300], at=now)
    if state.is_final:
        _end_order(live, state, detail, now)
    if state not in (LiveState.UNKNOWN, LiveState.SUBMITTING):
        thaw(live, now)


def freeze(live: LiveOrder, now: datetime) -> None:
    """No new exposure in its instrument until its fate is known."""
    SymbolFreeze.objects.get_or_create(
        account_id=live.account_id,
        instrument_id=live.instrument_id,
        cause=FreezeCause.UNKNOWN_ORDER,
        order_id=live.pk,
        lifted_at=None,
        defaults={"frozen_at": now, "note": live.detail},
    )


def thaw(live: LiveOrder, now: datetime) -> None:
    SymbolFreeze.objects.filter(order_id=live.pk, cause=FreezeCause.UNKNOWN_ORDER, lifted_at=None).update(
        lifted_at=now, lifted_by="the exchange's answer"
    )


def _end_order(live: LiveOrder, state: LiveState, detail: str, now: datetime) -> None:
    order = Order.objects.get(pk=live.pk)
    ended = ENDS[state]
    if ended is not OrderState.FILLED and order.filled > 0:
        ended = OrderState.FILLED if order.filled >= order.quantity else OrderState.CANCELLED
    order.state, order.remaining, order.ended_at = ended.value, Decimal(0), now
    if state is not LiveState.FILLED:
        order.reason_code = (live.cancel_reason or detail or state.value)[:32]
    order.save(update_fields=["state", "remaining", "ended_at", "reason_code"])
    position = order.position
    if position is not None and order.number is None and position.closing:
        position.closing = ""
        position.save(update_fields=["closing"])
