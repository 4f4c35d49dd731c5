"""The executor's work on one account: cancel, send, ask, protect, compare. Everything it knows is in rows.

A start is no special case: what a dead executor was sending becomes unknown, and every account is on paper again.
"""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Q

from autopilot.engine.live_order import LiveState
from autopilot.engine.order import FillReason, OrderPurpose
from autopilot.models import Account, AccountKind, LiveOrder, Reconciliation
from autopilot.services.executor.looking import cancel, look_at, suspect_abandoned
from autopilot.services.executor.protection import protect
from autopilot.services.executor.reconciling import alarm_of_freezes, reconcile
from autopilot.services.executor.submission import EXITS, submit
from autopilot.services.executor.supervision import record_equity, supervise
from autopilot.services.executor.venues import (
    Venue,
    VenueBusyError,
    VenueRefusedError,
    Venues,
    VenueUnknownError,
)
from autopilot.services.live.arming import disarm_all
from autopilot.services.live.intents import ask_to_cancel
from autopilot.services.orders import close_position
from signals.models import TradingState
from signals.selectors import trading_state

logger = structlog.get_logger(__name__)

RECONCILE_EVERY = timedelta(seconds=5)
LOOK_AT_OPEN_EVERY = timedelta(seconds=2)
SUPERVISE_EVERY = timedelta(seconds=1)
DEAD_MAN_SECONDS = 60
DEAD_MAN_EVERY = timedelta(seconds=20)
AT_ONCE = 20  # of an account in one turn

Clock = Callable[[], datetime]


class Executor:
    """Of its process; `start` first, then `turn` again and again."""

    def __init__(self, clock: Clock, venues: Venues | None = None) -> None:
        self.boot = uuid.uuid4()
        self._clock, self._venues = clock, venues or Venues()
        self._quiet: dict[int, datetime] = {}
        self._compared: dict[int, datetime] = {}
        self._looked: dict[int, datetime] = {}
        self._supervised: dict[int, datetime] = {}
        self._renewed: dict[int, datetime] = {}

    def start(self) -> None:
        """Return every account to paper; nothing is clean until it has been compared."""
        now = self._clock()
        Reconciliation.objects.update(is_clean=False)
        if count := disarm_all(by="restart of the executor", now=now):
            logger.warning("live accounts are on paper again", accounts=count)
        for account in live_accounts():
            suspect_abandoned(account, now, at_start=True)

    def turn(self) -> int:
        """Each live account once; how many orders were sent or looked at."""
        return sum(self._account(account) for account in live_accounts())

    def _account(self, account: Account) -> int:
        now = self._clock()
        if self._quiet.get(account.pk, now) > now:
            return 0
        try:
            venue = self._venues.of(account, now)
            return 0 if venue is None else self._work(account, venue)
        except VenueBusyError as error:
            self._quiet[account.pk] = now + timedelta(seconds=error.seconds)
            logger.warning("the exchange asks us to be quiet", account=account.name, seconds=error.seconds)
        except (VenueUnknownError, VenueRefusedError) as error:
            self._not_clean(account)
            logger.warning("the exchange does not answer", account=account.name, error=str(error))
        return 0

    def _work(self, account: Account, venue: Venue) -> int:
        suspect_abandoned(account, self._clock(), at_start=False)
        self._withdraw_exposure(account)
        done = self._cancels(account, venue) + self._submissions(account, venue)
        done += self._looks(account, venue)
        self._supervise(account)
        self._protect(account, venue)
        self._dead_man(account, venue)
        now = self._clock()
        if now - self._compared.get(account.pk, datetime.min.replace(tzinfo=now.tzinfo)) >= RECONCILE_EVERY:
            self._compared[account.pk] = now
            record_equity(account, now)
            reconcile(account=account, venue=venue, boot=self.boot, now=now)
            alarm_of_freezes(account, now)
        return done

    def _supervise(self, account: Account) -> None:
        """What is judged on closed candles need not be asked at each turn."""
        now = self._clock()
        if now - self._supervised.get(account.pk, now - SUPERVISE_EVERY) >= SUPERVISE_EVERY:
            self._supervised[account.pk] = now
            supervise(account, now)

    def _withdraw_exposure(self, account: Account) -> None:
        """While orders may only reduce, entries that wait at the exchange are taken out."""
        if trading_state() is TradingState.ACTIVE:
            return
        waiting = account.live_orders.alive().filter(
            order__purpose=OrderPurpose.ENTRY.value, cancel_asked_at=None
        )
        for live in waiting.select_related("order"):
            with transaction.atomic():
                ask_to_cancel(live.order, reason="kill_switch", now=self._clock())

    def _cancels(self, account: Account, venue: Venue) -> int:
        asked = account.live_orders.alive().filter(cancel_asked_at__isnull=False)
        there = asked.filter(state__in=[LiveState.ACKED.value, LiveState.PART_FILLED.value])
        rows = list(there.select_related("order", "instrument")[:AT_ONCE])
        for live in rows:
            cancel(live, venue, self._clock())
        return len(rows)

    def _submissions(self, account: Account, venue: Venue) -> int:
        """Exits first; one that leaves waits until the stop that locks the same lots is gone."""
        new = account.live_orders.filter(state=LiveState.NEW.value)
        exits = new.filter(order__purpose__in=EXITS).select_related("order", "instrument")
        entries = new.exclude(order__purpose__in=EXITS).select_related("order", "instrument")
        sent = 0
        for live in [*exits.order_by("pk")[:AT_ONCE], *entries.order_by("pk")[:AT_ONCE]]:
            if not self._stop_is_in_the_way(live):
                self._submit(live, venue)
                sent += 1
        return sent

    def _submit(self, live: LiveOrder, venue: Venue) -> None:
        submit(live, venue, self._clock())
        live.refresh_from_db()
        is_stop = live.order.purpose == OrderPurpose.STOP
        if is_stop and live.state == LiveState.REFUSED and live.order.position is not None:
            # The price is beyond it already, or the exchange takes no stops: leave.
            close_position(
                account=live.account,
                instrument=live.instrument,
                candle_open_time=live.order.position.clock,
                now=self._clock(),
                by="executor",
                cause=FillReason.STOP,
            )

    def _stop_is_in_the_way(self, live: LiveOrder) -> bool:
        if live.order.purpose in (OrderPurpose.ENTRY, OrderPurpose.STOP):
            return False
        stops = LiveOrder.objects.alive().filter(
            order__position=live.order.position, order__purpose=OrderPurpose.STOP.value
        )
        return stops.exists()

    def _looks(self, account: Account, venue: Venue) -> int:
        now = self._clock()
        due = Q(state=LiveState.UNKNOWN.value, next_look_at__lte=now)
        if now - self._looked.get(account.pk, now - LOOK_AT_OPEN_EVERY) >= LOOK_AT_OPEN_EVERY:
            self._looked[account.pk] = now
            due |= Q(state__in=[LiveState.ACKED.value, LiveState.PART_FILLED.value])
        rows = list(account.live_orders.filter(due).select_related("order", "instrument").order_by("pk"))
        for live in rows:
            look_at(live, venue, self._clock())
        return len(rows)

    def _protect(self, account: Account, venue: Venue) -> None:
        protect(account, self._clock())
        if self._cancels(account, venue):
            protect(account, self._clock())  # what was in the way is gone
        waiting = account.live_orders.filter(
            state=LiveState.NEW.value, order__purpose=OrderPurpose.STOP.value
        )
        for live in waiting.select_related("order__position", "instrument", "account"):
            self._submit(live, venue)

    def _dead_man(self, account: Account, venue: Venue) -> None:
        """Where the exchange has one. It takes out every order, so it is off while a stop protects something."""
        now = self._clock()
        if now - self._renewed.get(account.pk, now - DEAD_MAN_EVERY) < DEAD_MAN_EVERY:
            return
        self._renewed[account.pk] = now
        alive = account.live_orders.alive()
        has_stop = alive.filter(order__purpose=OrderPurpose.STOP.value).exists()
        has_entry = alive.filter(order__purpose=OrderPurpose.ENTRY.value).exists()
        venue.cancel_all_after(DEAD_MAN_SECONDS if has_entry and not has_stop else 0)

    def _not_clean(self, account: Account) -> None:
        Reconciliation.objects.filter(account=account).update(is_clean=False)


def live_accounts() -> list[Account]:
    return list(Account.objects.filter(kind=AccountKind.LIVE).order_by("pk"))
