"""Intents of live accounts: rows that the executor works off. Whoever writes them never calls an exchange."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import connection, transaction

from autopilot.engine.live_order import LiveState
from autopilot.models import Account, LiveOrder, LiveOrderEvent, Order, Position
from signals.services.actions import record_action

INTENT_CHANNEL = "copilot_intents"


class DecisionError(Exception):
    """A person may not decide this; the text says why."""


def write_intent(order: Order, now: datetime) -> LiveOrder:
    """Beside an order of a live account, in its transaction; the executor hears of it at the commit."""
    live = LiveOrder.objects.create(
        order=order, account_id=order.account_id, instrument_id=order.instrument_id, written_at=now
    )
    LiveOrderEvent.objects.create(live_order=live, state=LiveState.NEW.value, at=now)
    wake_executor()
    return live


def ask_to_cancel(order: Order, *, reason: str, now: datetime) -> bool:
    """Have the executor take it out; what was filled stays. One that was never sent is dropped at once."""
    live = LiveOrder.objects.select_for_update().get(pk=order.pk)
    if live.state == LiveState.NEW:
        end_unsent(live, detail=reason, now=now)
        return True
    if LiveState(live.state).is_final or live.cancel_asked_at:
        return False
    live.cancel_asked_at, live.cancel_reason = now, reason[:32]
    live.save(update_fields=["cancel_asked_at", "cancel_reason"])
    wake_executor()
    return True


def cancel_by_hand(*, live_id: int, by: str, now: datetime, address: str = "") -> bool:
    """A person takes an order out; whether it could still be asked for."""
    with transaction.atomic():
        order = Order.objects.get(pk=live_id)
        Account.objects.select_for_update().get(pk=order.account_id)
        asked = ask_to_cancel(order, reason="by_hand", now=now)
        if asked:
            record_action(
                actor=by, what="live_order.cancelled", target=order.client_order_id, now=now, address=address
            )
    return asked


def end_unsent(live: LiveOrder, *, detail: str, now: datetime) -> None:
    """An intent that no exchange has seen, nor ever will."""
    live.state, live.detail, live.ended_at = LiveState.DROPPED.value, detail[:300], now
    live.save(update_fields=["state", "detail", "ended_at"])
    LiveOrderEvent.objects.create(live_order=live, state=LiveState.DROPPED.value, detail=detail[:300], at=now)
    _end_order(live, reason=detail[:32], now=now)


def _end_order(live: LiveOrder, *, reason: str, now: datetime) -> None:
    """A position that it was to leave can be left again."""
    ended = Order.objects.filter(pk=live.pk)
    ended.update(state="cancelled", reason_code=reason, remaining=Decimal(0), ended_at=now)
    Position.objects.filter(orders__in=ended.filter(number=None)).update(closing="")


def decide_unknown(*, live_id: int, note: str, by: str, now: datetime, address: str = "") -> LiveOrder:
    """A person ends an order of which the exchange has twice known nothing, ten minutes apart or more."""
    if not note.strip():
        raise DecisionError("Say what you saw at the exchange: it goes on record.")
    with transaction.atomic():
        account_id = LiveOrder.objects.values_list("account_id", flat=True).get(pk=live_id)
        Account.objects.select_for_update().get(pk=account_id)
        live = LiveOrder.objects.select_for_update().get(pk=live_id)
        if live.state != LiveState.UNKNOWN or not has_no_evidence(live):
            raise DecisionError("Only an order of which the exchange knows nothing can be decided.")
        live.state, live.ended_at, live.decided_by = LiveState.DECIDED.value, now, by
        live.detail = note.strip()[:300]
        live.save()
        LiveOrderEvent.objects.create(live_order=live, state=live.state, detail=live.detail, at=now)
        _end_order(live, reason="decided_by_person", now=now)
        live.order.freezes.filter(lifted_at=None).update(lifted_at=now, lifted_by=by)
        record_action(
            actor=by,
            what="live_order.decided",
            target=live.order.client_order_id,
            now=now,
            after={"note": live.detail},
            address=address,
        )
    return live


def has_no_evidence(live: LiveOrder) -> bool:
    """Whether the exchange has twice answered that it knows of nothing, far enough apart for a person to decide."""
    if live.first_empty_at is None or live.last_empty_at is None:
        return False
    return live.last_empty_at - live.first_empty_at >= timedelta(seconds=settings.LIVE_NO_EVIDENCE_SECONDS)


def wake_executor() -> None:
    """It looks every moment anyway: a wake-up that is lost costs time only."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [INTENT_CHANNEL])
