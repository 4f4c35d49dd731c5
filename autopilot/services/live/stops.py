"""Where the stop of a live position belongs; the executor keeps it at the exchange."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from autopilot.engine.order import OrderPurpose
from autopilot.models import Account, Order, Position
from signals.services.actions import record_action


def move_stop(*, position: Position, price: Decimal, by: str, now: datetime) -> bool:
    """Where a managed exit wants the stop from now on; whether it moved. The executor replaces it within a cycle."""
    with transaction.atomic():
        Account.objects.select_for_update().get(pk=position.account_id)
        entry = last_entry(position)
        on_tick = price - price % position.tick
        if entry is None or entry.stop_price == on_tick or on_tick <= 0:
            return False
        record_action(
            actor=by,
            what="stop.moved",
            target=entry.client_order_id,
            now=now,
            before={"stop": str(entry.stop_price)},
            after={"stop": str(on_tick)},
        )
        entry.stop_price = on_tick
        entry.save(update_fields=["stop_price"])
    return True


def last_entry(position: Position) -> Order | None:
    """The newest that filled in this round trip."""
    fills = position.fills.filter(round_trip=position.round_trip, order__purpose=OrderPurpose.ENTRY.value)
    fill = fills.select_related("order__signal").order_by("-id").first()
    return None if fill is None else fill.order
