"""The paper broker: closed candles fill the orders of paper accounts, by the one fill code.

Everything is in rows: a position's clock tells the last bar that was stepped, its orders what waits. Each bar is
one transaction under the account's lock, so that a broker which dies, is woken twice or is woken late fills the same.
A candle that is corrected afterwards is not stepped again. A candle after a hole waits ten minutes for the missing one.
Where several instruments of one account close at once, each is stepped when its candle comes. A bar that leaves open
what came first is decided by the shortest candles that are stored and make it up.
"""

from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from django.db import transaction

from autopilot.engine.bar_in_parts import make_up, step_in_parts
from autopilot.engine.order import OrderPurpose, OrderState
from autopilot.models import Account, AccountKind, EquityPoint, Order, Position
from autopilot.selectors import cash_of, exposure_of, held_worth
from autopilot.services.book_rows import book_of, free_units, from_ms, grid_of, in_ms, terms_of
from autopilot.services.book_writing import write_step
from autopilot.services.managed_exits import follow_closes
from signals.engine.candle import OHLCV
from signals.engine.fill import UNKNOWN_VOLUME
from signals.engine.fill.grid import Grid
from signals.engine.fill.layout import B_CLOSE, B_TIME, B_VOLUME, BAR_WIDTH, IntArray
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.market.selectors import load_range
from signals.models import KillSwitch

HOLE_PATIENCE = timedelta(minutes=10)
KILL_SWITCH = "kill_switch"


def fill_orders(*, instrument: Instrument, timeframe: Timeframe, as_of: datetime, now: datetime) -> int:
    """Step every position of the instrument that is alive through the candles closed at `as_of`; how many bars."""
    alive = Position.objects.alive().filter(
        instrument=instrument, timeframe=timeframe.value, account__kind=AccountKind.PAPER
    )
    positions = list(alive.order_by("pk"))
    candles = {
        clock: _after_clock(instrument, timeframe, clock, as_of)
        for clock in {each.clock for each in positions}
    }
    return sum(_step_position(each, candles[each.clock], now) for each in positions)


def _step_position(position: Position, candles: OHLCV, now: datetime) -> int:
    """Bars stepped, until nothing is held or waits, or no closed candle is left."""
    stepped = 0
    for row in range(len(candles)):
        if not _step_bar(position, candles[row : row + 1], now):
            break
        stepped += 1
    return stepped


def _after_clock(instrument: Instrument, timeframe: Timeframe, clock: datetime, as_of: datetime) -> OHLCV:
    """The next closed candles, up to the first hole that may still be filled."""
    length = timedelta(seconds=timeframe.seconds)
    end = as_of - length + timedelta(milliseconds=1)
    candles = load_range(
        instrument_id=instrument.pk,
        timeframe=timeframe,
        start=clock + timedelta(milliseconds=1),
        end=max(end, clock),
    )
    expected = in_ms(clock) + timeframe.milliseconds
    patience = in_ms(as_of) - HOLE_PATIENCE // timedelta(milliseconds=1)
    for row, opened in enumerate(candles.open_time):
        if opened > expected and timeframe.close_time(int(opened)) > patience:
            return candles[:row]
        expected = int(opened) + timeframe.milliseconds
    return candles


def _step_bar(found: Position, candle: OHLCV, now: datetime) -> bool:
    """One bar for one position, if it is still the next; whether it was stepped."""
    opened_at = from_ms(int(candle.open_time[0]))
    with transaction.atomic():
        account = Account.objects.select_for_update().get(pk=found.account_id)
        position = Position.objects.select_related("instrument__exchange").get(pk=found.pk)
        position.account = account
        orders = list(position.orders.open().select_related("parent").order_by("number"))
        if position.clock >= opened_at or not (position.quantity or orders):
            return False
        closed_at = opened_at + timedelta(seconds=Timeframe(position.timeframe).seconds)
        orders = _without_stopped_entries(orders, closed_at, now)
        active = [each for each in orders if each.number is not None and each.active_from <= opened_at]
        terms, grid = terms_of(position), grid_of(position)
        free = free_units(cash_of(account), account.positions.all(), terms)
        row = book_of(position, active, free)
        bar = bar_of(candle, grid)
        events = step_in_parts(row, bar, terms, lambda: _parts_of(position, bar, closed_at))
        follow_closes(position=position, orders=active, row=row, opened_at=opened_at)
        position.last_close = grid.price(int(bar[B_CLOSE]))
        write_step(position=position, orders=orders, active=active, row=row, events=events, now=now)
        record_equity(account=account, at=opened_at)
    return True


def _without_stopped_entries(orders: list[Order], closed_at: datetime, now: datetime) -> list[Order]:
    """While the kill switch is engaged, no entry fills in a bar that closed after it was; exits go on."""
    switch = KillSwitch.objects.first()
    if switch is not None and (switch.is_armed or switch.changed_at >= closed_at):
        return orders
    stopped = [each.pk for each in orders if each.purpose == OrderPurpose.ENTRY]
    Order.objects.filter(pk__in=stopped).update(
        state=OrderState.CANCELLED.value, reason_code=KILL_SWITCH, remaining=0, ended_at=now
    )
    return [each for each in orders if each.pk not in stopped]


def _parts_of(position: Position, bar: IntArray, closed_at: datetime) -> IntArray:
    """The shortest stored candles that make the bar up; no rows where there are none."""
    grid, length = grid_of(position), Timeframe(position.timeframe).seconds
    shorter = (each for each in Timeframe if each.seconds < length)
    for timeframe in sorted(shorter, key=lambda each: each.seconds):
        candles = load_range(
            instrument_id=position.instrument_id,
            timeframe=timeframe,
            start=from_ms(int(bar[B_TIME])),
            end=closed_at,
        )
        parts = [bar_of(candles[row : row + 1], grid) for row in range(len(candles))]
        if parts and make_up(np.stack(parts), bar):
            return np.stack(parts)
    return np.zeros((0, BAR_WIDTH), dtype=np.int64)


def bar_of(candle: OHLCV, grid: Grid) -> IntArray:
    """One candle in whole ticks and lots."""
    bar = np.zeros(BAR_WIDTH, dtype=np.int64)
    bar[B_TIME] = candle.open_time[0]
    ticks_per_price = float(1 / grid.tick)
    for column, name in enumerate(("open", "high", "low", "close"), start=1):
        bar[column] = np.rint(getattr(candle, name)[0] * ticks_per_price)
    volume = np.floor(candle.volume[0] / float(grid.lot))
    bar[B_VOLUME] = volume if volume < 2.0**60 else UNKNOWN_VOLUME
    return bar


def record_equity(*, account: Account, at: datetime) -> EquityPoint:
    """What the account is worth at the close of the bar that opened at `at`."""
    positions = list(account.positions.exclude(quantity=0))
    equity = (cash_of(account) + held_worth(positions)).quantize(Decimal("1e-8"))
    exposure = exposure_of(positions).quantize(Decimal("1e-8"))
    point = EquityPoint(account=account, at=at, equity=equity, exposure=exposure)
    EquityPoint.objects.bulk_create(
        [point],
        update_conflicts=True,
        unique_fields=["account", "at"],
        update_fields=["equity", "exposure"],
    )
    return point
