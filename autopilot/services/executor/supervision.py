"""What the fill code does for paper, done for live: trailing stops, targets, longest holds, entries that lapse, equity.

The exchange holds the stop; everything else is judged on closed candles, as on paper, and left at the market.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Max, QuerySet

from autopilot.engine.order import FOREVER, FillReason, OrderPurpose
from autopilot.models import Account, EquityPoint, Order, Position
from autopilot.selectors import cash_of, exposure_of, held_worth
from autopilot.services.executor.booking import sellable
from autopilot.services.live.intents import ask_to_cancel
from autopilot.services.live.stops import last_entry, move_stop
from autopilot.services.orders import close_position
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle
from signals.models import StopRaise

CENT = Decimal("1e-8")


def supervise(account: Account, now: datetime) -> None:
    """Once for every position and waiting entry of the account."""
    for position in account.positions.exclude(quantity=0).select_related("instrument", "account"):
        entry = last_entry(position)
        if entry is not None and sellable(position) > 0 and not position.closing:
            _follow(position, entry, now)
    _lapse(account, now)


def record_equity(account: Account, now: datetime) -> EquityPoint:
    """Worth now, one point an hour: what the limits of loss and drawdown are measured by."""
    positions = list(account.positions.exclude(quantity=0).select_related("instrument"))
    for position in positions:
        newest = _closed(position, now).order_by("-open_time").values_list("close", flat=True).first()
        if newest is not None:
            position.last_close = Decimal(repr(newest))
            Position.objects.filter(pk=position.pk).update(last_close=position.last_close)
    point, _ = EquityPoint.objects.update_or_create(
        account=account,
        at=now.replace(minute=0, second=0, microsecond=0),
        defaults={
            "equity": (cash_of(account) + held_worth(positions)).quantize(CENT),
            "exposure": exposure_of(positions).quantize(CENT),
        },
    )
    return point


def _follow(position: Position, entry: Order, now: datetime) -> None:
    best = (
        _closed(position, now).filter(open_time__gte=position.entered_at).aggregate(best=Max("high"))["best"]
    )
    cause = _leaves(position, entry, best, now)
    if cause is not None:
        close_position(
            account=position.account,
            instrument=position.instrument,
            candle_open_time=_period_of(position, now),
            now=now,
            by="executor",
            cause=cause,
        )
        return
    if (raised := _raised(entry)) is not None and (entry.stop_price is None or raised > entry.stop_price):
        move_stop(position=position, price=raised, by="exit plan", now=now)
        entry.refresh_from_db(fields=["stop_price"])
    if entry.trail and best is not None:
        trailed = Decimal(repr(best)) - entry.trail
        if entry.stop_price is None or trailed - trailed % position.tick > entry.stop_price:
            move_stop(position=position, price=trailed, by="trailing stop", now=now)


def _leaves(position: Position, entry: Order, best: float | None, now: datetime) -> FillReason | None:
    if entry.target_price is not None and best is not None and Decimal(repr(best)) >= entry.target_price:
        return FillReason.TARGET
    bars = _longest_hold(entry)
    if bars is not None and position.entered_at is not None:
        ends_at = position.entered_at + bars * _length(position.timeframe)
        return FillReason.TIME if now >= ends_at else None
    return None


def _longest_hold(entry: Order) -> int | None:
    """In bars: the order's own or its signal's plan's, whichever is over first."""
    said = [] if entry.hold_bars == FOREVER else [entry.hold_bars]
    if entry.signal is not None and (planned := entry.signal.exit_plan.longest_hold_bars) is not None:
        said.append(planned)
    return min(said, default=None)


def _raised(entry: Order) -> Decimal | None:
    """Where the exit plan of the order's signal has raised its stop to; a plan that is fixed has no such row."""
    if entry.signal_id is None:
        return None
    rows = StopRaise.objects.filter(signal_id=entry.signal_id).order_by("-candle_open_time")
    stop = rows.values_list("stop", flat=True).first()
    return None if stop is None else Decimal(repr(stop))


def _lapse(account: Account, now: datetime) -> None:
    """Entries whose bars are over are taken out; what was filled of them stays."""
    waiting = account.live_orders.alive().filter(
        order__purpose=OrderPurpose.ENTRY.value, order__good_bars__gt=0, cancel_asked_at=None
    )
    for live in waiting.select_related("order"):
        order = live.order
        if now >= order.active_from + order.good_bars * _length(order.timeframe):
            with transaction.atomic():
                ask_to_cancel(order, reason="lapsed", now=now)


def _closed(position: Position, now: datetime) -> QuerySet[Candle]:
    return Candle.objects.filter(
        instrument_id=position.instrument_id,
        timeframe=position.timeframe,
        open_time__lte=now - _length(position.timeframe),
    )


def _period_of(position: Position, now: datetime) -> datetime:
    """The opening of the candle that is forming: one exit for each."""
    seconds = Timeframe(position.timeframe).seconds
    return datetime.fromtimestamp(now.timestamp() // seconds * seconds, tz=now.tzinfo)


def _length(timeframe: str) -> timedelta:
    return timedelta(seconds=Timeframe(timeframe).seconds)
