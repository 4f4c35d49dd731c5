"""Asking the exchange what became of orders: of those that wait, and of those whose fate nobody knows."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction

from autopilot.engine.live_order import LiveState, pause_before
from autopilot.models import Account, LiveOrder
from autopilot.services.executor.evidence import BEFORE_SUBMISSION, take_over
from autopilot.services.executor.moves import freeze, move
from autopilot.services.executor.venues import Venue, VenueBusyError, VenueRefusedError, VenueUnknownError
from signals.crash_points import CrashPoint, reach

logger = structlog.get_logger(__name__)

OLDEST_SUBMITTING = timedelta(seconds=5)


def look_at(live: LiveOrder, venue: Venue, now: datetime) -> LiveState:
    """Once. No answer changes nothing but the time of the next look; neither does the passing of time."""
    try:
        view = venue.find(
            symbol=live.instrument.symbol,
            client_order_id=live.order.client_order_id,
            venue_order_id=live.venue_order_id,
            since=(live.submitted_at or live.written_at) - BEFORE_SUBMISSION,
        )
        if view is not None:
            return take_over(live, view, venue, now)
    except VenueBusyError:
        raise
    except (VenueUnknownError, VenueRefusedError) as error:
        _again(live, now, str(error))
        return LiveState(live.state)
    _again(live, now, "The exchange knows of no such order.", is_empty=True)
    return LiveState(live.state)


def suspect_abandoned(account: Account, now: datetime, *, at_start: bool) -> int:
    """What was about to be sent when an executor died may have been sent: its fate is unknown. How many."""
    abandoned = account.live_orders.filter(state=LiveState.SUBMITTING.value)
    if not at_start:
        abandoned = abandoned.filter(submitted_at__lt=now - OLDEST_SUBMITTING)
    count = 0
    for pk in abandoned.values_list("pk", flat=True):
        with transaction.atomic():
            Account.objects.select_for_update().get(pk=account.pk)
            live = LiveOrder.objects.select_for_update().get(pk=pk)
            if live.state != LiveState.SUBMITTING:
                continue
            live.looks, live.next_look_at = 0, now
            move(live, LiveState.UNKNOWN, now=now, detail="The executor ended while it was being sent.")
            freeze(live, now)
            count += 1
    return count


def cancel(live: LiveOrder, venue: Venue, now: datetime) -> None:
    """Ask the exchange to take it out. What it says of the order afterwards counts, not its answer to this."""
    if not live.venue_order_id:
        look_at(live, venue, now)
        return
    try:
        venue.cancel(symbol=live.instrument.symbol, venue_order_id=live.venue_order_id)
    except VenueBusyError:
        raise
    except (VenueRefusedError, VenueUnknownError) as error:
        logger.warning("a cancel was not confirmed", order=live.pk, error=str(error))
    reach(CrashPoint.AFTER_CANCEL_CALL)
    look_at(live, venue, now)


def _again(live: LiveOrder, now: datetime, detail: str, *, is_empty: bool = False) -> None:
    with transaction.atomic():
        row = LiveOrder.objects.select_for_update().get(pk=live.pk)
        row.looks += 1
        row.next_look_at = now + pause_before(row.looks)
        row.detail = detail[:300]
        if is_empty:
            row.first_empty_at = row.first_empty_at or now
            row.last_empty_at = now
        row.save(update_fields=["looks", "next_look_at", "detail", "first_empty_at", "last_empty_at"])
