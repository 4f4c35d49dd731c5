"""From an intent to the one call that sends it. Every check is made again, and committed, before that call."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from django.db import DatabaseError, transaction

from autopilot.engine.live_order import LiveState, pause_before
from autopilot.engine.order import OrderPurpose, OrderSide, OrderType
from autopilot.models import Account, Holding, LiveOrder, Order, Position
from autopilot.services.executor.booking import sellable
from autopilot.services.executor.evidence import take_over
from autopilot.services.executor.moves import freeze, move
from autopilot.services.executor.venues import (
    Submission,
    Venue,
    VenueBusyError,
    VenueRefusedError,
    VenueUnknownError,
)
from signals.crash_points import CrashPoint, reach
from signals.selectors import exposure_allowed

logger = structlog.get_logger(__name__)

OLDEST_ENTRY = timedelta(seconds=60)
EXITS = [each.value for each in OrderPurpose if each is not OrderPurpose.ENTRY]


@dataclass(frozen=True, slots=True)
class Sendable:
    quantity: Decimal
    price: Decimal | None


def submit(live: LiveOrder, venue: Venue, now: datetime) -> None:
    """Send one intent that is NEW, or drop it with its reason."""
    order = Order.objects.select_related("account", "instrument", "position").get(pk=live.pk)
    sendable = _sendable(order, venue, now)
    if sendable is None or not _remember_holding(order, venue, now):
        return
    reach(CrashPoint.BEFORE_SUBMITTING)
    if not _claim(order, sendable, now):
        return
    reach(CrashPoint.AFTER_SUBMITTING)
    live = LiveOrder.objects.select_related("instrument").get(pk=live.pk)
    if not _may_still_go(order):
        with transaction.atomic():
            move(_locked(live), LiveState.DROPPED, now=now, detail="kill_switch")
        return
    asked = Submission(
        symbol=order.instrument.symbol,
        side=OrderSide(order.side),
        order_type=OrderType(order.type),
        quantity=sendable.quantity,
        price=sendable.price,
        client_order_id=order.client_order_id,
        reduces=order.purpose != OrderPurpose.ENTRY,
    )
    try:
        view = venue.submit(asked)
    except VenueRefusedError as error:
        reach(CrashPoint.AFTER_SUBMIT_CALL)
        with transaction.atomic():
            move(_locked(live), LiveState.REFUSED, now=now, detail=str(error))
        if isinstance(error, VenueBusyError):
            raise
        return
    except VenueUnknownError as error:
        reach(CrashPoint.AFTER_SUBMIT_CALL)
        become_unknown(live, str(error), now)
        return
    reach(CrashPoint.AFTER_SUBMIT_CALL)
    take_over(live, view, venue, now)
    reach(CrashPoint.AFTER_ACKNOWLEDGED)


def become_unknown(live: LiveOrder, detail: str, now: datetime) -> None:
    """Nobody knows what the call did: its instrument is frozen, the exchange will be asked."""
    with transaction.atomic():
        row = _locked(live)
        row.looks, row.next_look_at = 0, now + pause_before(0)
        move(row, LiveState.UNKNOWN, now=now, detail=detail)
        freeze(row, now)
    logger.error("an order's fate is unknown", order=row.order_id, detail=detail)


def _sendable(order: Order, venue: Venue, now: datetime) -> Sendable | None:
    """On the exchange's steps and above its minima; an exit is no larger than what is held."""
    quantity = order.quantity
    position = order.position
    if order.purpose != OrderPurpose.ENTRY and position is not None:
        quantity = min(quantity, sellable(position)) if order.number else sellable(position)
    if quantity <= 0:
        _drop(order, "reduced_to_nothing", now)
        return None
    try:
        rounded, price = venue.rounded(symbol=order.instrument.symbol, quantity=quantity, price=order.price)
    except VenueRefusedError as error:
        _drop(order, str(error), now)
        return None
    return Sendable(rounded, price)


def _claim(order: Order, sendable: Sendable, now: datetime) -> bool:
    """Commit that it is about to be sent, under the account's lock and with the kill switch held."""
    with transaction.atomic():
        account = Account.objects.select_for_update().get(pk=order.account_id)
        live = LiveOrder.objects.select_for_update().get(pk=order.pk)
        if live.state != LiveState.NEW:
            return False
        if reason := _against(order, account, live, now):
            move(live, LiveState.DROPPED, now=now, detail=reason)
            return False
        live.submitted_at = now
        live.sent_quantity, live.sent_price = sendable.quantity, sendable.price
        move(live, LiveState.SUBMITTING, now=now)
    return True


def _against(order: Order, account: Account, live: LiveOrder, now: datetime) -> str:
    """Why an entry may no longer go; an exit always may."""
    if order.purpose != OrderPurpose.ENTRY:
        return ""
    frozen = account.freezes.filter(instrument_id=order.instrument_id, lifted_at=None)
    against = (
        ("kill_switch", not exposure_allowed(hold=True)),
        (live.cancel_reason, live.cancel_asked_at is not None),
        ("too_late", now - live.written_at > OLDEST_ENTRY),
        ("not_armed", not account.armings.in_force(now).exists()),
        ("symbol_frozen", frozen.exists()),
    )
    return next((reason for reason, applies in against if applies), "")


def _may_still_go(order: Order) -> bool:
    """The switch once more, right before the call. What cannot be read is HALTED."""
    if order.purpose != OrderPurpose.ENTRY:
        return True
    try:
        return exposure_allowed()
    except DatabaseError:
        return False


def _remember_holding(order: Order, venue: Venue, now: datetime) -> bool:
    """What the exchange holds of the asset before our first order in it: never touched. False: ask again later."""
    asset = order.instrument.base
    if Holding.objects.filter(account_id=order.account_id, asset=asset).exists():
        return True
    try:
        owned = venue.balances().get(asset, Decimal(0))
    except (VenueUnknownError, VenueRefusedError) as error:
        logger.warning("balances cannot be read yet", order=order.pk, error=str(error))
        return False
    ours = Position.objects.filter(account_id=order.account_id, instrument__base=asset)
    held = sum((each.quantity for each in ours), Decimal(0))
    Holding.objects.create(
        account_id=order.account_id, asset=asset, quantity=owned - held, since=now, accepted_by="executor"
    )
    return True


def _drop(order: Order, detail: str, now: datetime) -> None:
    with transaction.atomic():
        Account.objects.select_for_update().get(pk=order.account_id)
        live = LiveOrder.objects.select_for_update().get(pk=order.pk)
        if live.state == LiveState.NEW:
            move(live, LiveState.DROPPED, now=now, detail=detail)


def _locked(live: LiveOrder) -> LiveOrder:
    Account.objects.select_for_update().get(pk=live.account_id)
    return LiveOrder.objects.select_for_update().get(pk=live.pk)
