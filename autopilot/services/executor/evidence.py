"""What an exchange told of an order, taken over into rows: its trades are booked, its state follows."""

from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from django.db import transaction
from django.db.models import Sum

from autopilot.clients.venue_answers import CANCELED, CLOSED, VenueOrderView, VenueTradeView
from autopilot.engine.live_order import LiveState
from autopilot.models import Account, LiveOrder, LiveTrade
from autopilot.services.executor.booking import book_trade
from autopilot.services.executor.moves import move
from autopilot.services.executor.venues import Venue, VenueRefusedError, VenueUnknownError
from signals.crash_points import CrashPoint, reach

logger = structlog.get_logger(__name__)

BEFORE_SUBMISSION = timedelta(seconds=60)  # clocks differ


def take_over(live: LiveOrder, view: VenueOrderView, venue: Venue, now: datetime) -> LiveState:
    """Its state now. Trades that the exchange does not tell yet leave the order under way."""
    trades: list[VenueTradeView] = []
    if view.filled is None or view.filled > booked(live, view.id):
        trades = trades_of(live, view, venue)
    with transaction.atomic():
        Account.objects.select_for_update().get(pk=live.account_id)
        row = LiveOrder.objects.select_for_update().get(pk=live.pk)
        if LiveState(row.state).is_final:
            return LiveState(row.state)
        row.venue_order_id = view.id
        for trade in trades:
            book_trade(row, trade, now)
        total = booked(row, view.id)
        row.filled = max(view.filled or Decimal(0), total)
        move(row, _state(view, total), now=now)
        reach(CrashPoint.AFTER_BOOKING_BEFORE_COMMIT)
    reach(CrashPoint.AFTER_BOOKING)
    return LiveState(row.state)


def trades_of(live: LiveOrder, view: VenueOrderView, venue: Venue) -> list[VenueTradeView]:
    """None of them for now where the exchange does not answer: the order is looked at again."""
    # By the exchange's clock where it tells: an exit goes however wrong ours is.
    began = live.submitted_at or live.written_at
    since = min(began, view.at or began) - BEFORE_SUBMISSION
    try:
        told = venue.trades(symbol=live.instrument.symbol, since=since)
    except (VenueUnknownError, VenueRefusedError) as error:
        logger.warning("trades cannot be read yet", order=live.pk, error=str(error))
        return []
    return [trade for trade in told if trade.order_id == view.id]


def booked(live: LiveOrder, venue_order_id: str) -> Decimal:
    """The sum of its trades that we know."""
    ours = LiveTrade.objects.filter(
        account_id=live.account_id, instrument_id=live.instrument_id, venue_order_id=venue_order_id
    )
    total: Decimal | None = ours.aggregate(total=Sum("quantity"))["total"]
    return total or Decimal(0)


def _state(view: VenueOrderView, total: Decimal) -> LiveState:
    under_way = LiveState.PART_FILLED if total else LiveState.ACKED
    if view.status in (CLOSED, CANCELED) and view.filled is not None and total >= view.filled:
        return LiveState.FILLED if view.status == CLOSED else LiveState.CANCELLED
    return under_way
