"""What a step of the book has done, written as rows: fills, money, orders, the position, and trades that ended."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from autopilot.engine.order import (
    FillReason,
    OrderPurpose,
    OrderSide,
    OrderState,
    OrderType,
    exit_order_id,
)
from autopilot.events import order_lapsed
from autopilot.models import BalanceEntry, BalanceKind, Fill, Order, Position
from autopilot.services.book_rows import (
    FILL_REASONS,
    TYPES,
    from_ms,
    grid_of,
    money,
    units,
)
from autopilot.services.orders import head_exit
from autopilot.services.trades import close_trade
from signals.engine.fill import ENTRY, EXPIRED
from signals.engine.fill.layout import (
    BELOW_MINIMUM,
    CASH,
    CUT,
    F_AMBIGUOUS,
    F_FEE,
    F_FUNDING,
    F_LEFT,
    F_LOTS,
    F_ORDER,
    F_PRICE,
    F_REASON,
    F_REFUSAL,
    F_RISK,
    F_TIME,
    F_WORTH,
    LAPSED,
    LESS_THAN_ONE_LOT,
    WITHDRAWN,
    Book,
    IntArray,
    unpack,
)

ENDS = {
    LAPSED: (OrderState.LAPSED, "lapsed"),
    WITHDRAWN: (OrderState.CANCELLED, "position_ended"),
    LESS_THAN_ONE_LOT: (OrderState.REJECTED, "less_than_one_lot"),
    BELOW_MINIMUM: (OrderState.REJECTED, "below_minimum_value"),
}
HEADS = {
    FillReason.SIGNAL: OrderPurpose.SIGNAL_EXIT,
    FillReason.TIME: OrderPurpose.TIME_EXIT,
    FillReason.LIQUIDATION: OrderPurpose.LIQUIDATION,
}


class BookMismatchError(RuntimeError):
    """Rows and the fill code's book tell different stories; nothing of this bar is written."""


def write_step(
    *,
    position: Position,
    orders: Sequence[Order],
    active: Sequence[Order],
    row: IntArray,
    events: IntArray,
    now: datetime,
) -> None:
    """`orders`: all that waited; `active`: those that were in the book; `row` and `events`: after the step."""
    _Writing(position, orders, active, row, now).write(events)


class _Writing:
    """One bar of one position. Orders that an entry brings are numbered as the fill code numbers them."""

    def __init__(
        self,
        position: Position,
        orders: Sequence[Order],
        active: Sequence[Order],
        row: IntArray,
        now: datetime,
    ) -> None:
        self.position, self.now, self.row = position, now, row
        self.after: Book = unpack(row)
        self.at = from_ms(self.after.clock)
        self.grid = grid_of(position)
        self.book = {order.number: order for order in active}
        self.heads = [order for order in orders if order.number is None]
        self.alive = {number for number in self.book if number is not None}
        self.next_number = position.next_number
        self.funding_before = position.funding
        self.cash = 0

    def write(self, events: IntArray) -> None:
        held = self.position.quantity
        self._carry()
        for number, event in enumerate(events):
            if event[F_LOTS] == 0:
                self._end(self.book[int(event[F_ORDER])], int(event[F_REFUSAL]))
            else:
                self._fill(number, event, held)
                held = self.grid.quantity(int(event[F_LEFT]))
        self._orders()
        self._position()
        self._check()

    def _carry(self) -> None:
        """Funding and borrowing of this bar were taken at its open, before anything filled."""
        change = self.after.funding - units(self.funding_before)
        if change:
            BalanceEntry.objects.create(
                account=self.position.account,
                position=self.position,
                kind=BalanceKind.FUNDING,
                amount=money(-change),
                at=self.at,
                recorded_at=self.now,
            )
            self.cash -= change

    def _fill(self, number: int, event: IntArray, held: Decimal) -> None:
        reason = FILL_REASONS[int(event[F_REASON])]
        order = self.book[int(event[F_ORDER])] if event[F_ORDER] else self._head(reason)
        lots = int(event[F_LOTS])
        if held == 0:
            self.position.round_trip += 1
            self.position.round_trip_funding = money(int(event[F_FUNDING]))
            self.position.entered_at = from_ms(int(event[F_TIME]))
        side = OrderSide.BUY if lots > 0 else OrderSide.SELL
        quantity = self.grid.quantity(abs(lots))
        fill = Fill.objects.create(
            position=self.position,
            order=order,
            candle_open_time=from_ms(int(event[F_TIME])),
            number=number,
            round_trip=self.position.round_trip,
            side=side,
            quantity=quantity,
            price=self.grid.price(int(event[F_PRICE])),
            value=money(int(event[F_WORTH])),
            fee=money(int(event[F_FEE])),
            risk=money(int(event[F_RISK])),
            reason=reason,
            is_ambiguous=bool(event[F_AMBIGUOUS]),
            recorded_at=self.now,
        )
        self._pay(fill, -side.sign * int(event[F_WORTH]), BalanceKind.TRADE)
        self._pay(fill, -int(event[F_FEE]), BalanceKind.FEE)
        order.filled += quantity
        if order.number is None:
            order.remaining = max(order.remaining - quantity, Decimal(0))
        if event[F_REFUSAL] == CUT:
            order.reason_code = "cut_to_balance"
        if event[F_REASON] == ENTRY:
            self._brought(order, quantity)
        self._complete(order, is_flat=bool(event[F_LEFT] == 0), is_cut=bool(event[F_REFUSAL] == CUT))
        if event[F_LEFT] == 0:
            close_trade(
                position=self.position,
                exited_at=fill.candle_open_time,
                reason=reason,
                funding=money(int(event[F_FUNDING])) - self.position.round_trip_funding,
                now=self.now,
            )

    def _complete(self, order: Order, *, is_flat: bool, is_cut: bool) -> None:
        """End what this fill completed, before another order for the same purpose may come."""
        is_entry = order.purpose == OrderPurpose.ENTRY
        if order.number is not None and (
            order.filled >= order.quantity or is_cut or (is_flat and not is_entry)
        ):
            self._ended(order, OrderState.FILLED)
        if is_flat:
            for head in self.heads:
                state = OrderState.FILLED if head.filled else OrderState.CANCELLED
                self._ended(head, state, "" if head.filled else "position_ended")
            self.heads = []

    def _pay(self, fill: Fill, amount: int, kind: BalanceKind) -> None:
        self.cash += amount
        if amount:
            BalanceEntry.objects.create(
                account=self.position.account,
                position=self.position,
                fill=fill,
                kind=kind,
                amount=money(amount),
                at=self.at,
                recorded_at=self.now,
            )

    def _head(self, reason: FillReason) -> Order:
        """The order that ends the whole position; the fill code liquidates without having been asked."""
        purpose = HEADS[reason]
        for order in self.heads:
            if order.purpose == purpose:
                return order
        if reason is not FillReason.LIQUIDATION:
            raise BookMismatchError(f"{self.position} was ended by {reason}, which no order asked for")
        return self._new_head(purpose)

    def _new_head(self, purpose: OrderPurpose) -> Order:
        order = head_exit(self.position, purpose=purpose, candle_open_time=self.at, now=self.now)
        self.heads.append(order)
        return order

    def _brought(self, entry: Order, quantity: Decimal) -> None:
        """Stop and target of what was filled: new ones, or those of an earlier part grow."""
        if entry.stop_price is not None or entry.trail is not None:
            self._exit(entry, OrderPurpose.STOP, OrderType.STOP, entry.stop_price, quantity)
        if entry.target_price is not None:
            self._exit(entry, OrderPurpose.TARGET, OrderType.LIMIT, entry.target_price, quantity)

    def _exit(
        self,
        entry: Order,
        purpose: OrderPurpose,
        order_type: OrderType,
        price: Decimal | None,
        quantity: Decimal,
    ) -> None:
        for number in self.alive:
            known = self.book[number]
            if known.parent_id == entry.pk and known.purpose == purpose and known.type == order_type:
                known.quantity += quantity
                known.remaining += quantity
                return
        number = self.next_number
        self.next_number += 1
        self.alive.add(number)
        self.book[number] = Order.objects.create(
            account=entry.account,
            instrument=entry.instrument,
            position=self.position,
            client_order_id=exit_order_id(entry.client_order_id, purpose, number),
            timeframe=entry.timeframe,
            side=OrderSide(entry.side).opposite.value,
            type=order_type.value,
            purpose=purpose.value,
            level=entry.level,
            state=OrderState.OPEN.value,
            quantity=quantity,
            remaining=quantity,
            price=price or self.position.tick,
            trail=entry.trail if purpose is OrderPurpose.STOP else None,
            number=number,
            parent=entry,
            signal=entry.signal,
            strategy=entry.strategy,
            candle_open_time=entry.candle_open_time,
            active_from=entry.active_from,
            placed_at=self.now,
        )

    def _end(self, order: Order, refusal: int) -> None:
        state, code = ENDS[refusal]
        self._ended(order, state, code)
        if state is OrderState.LAPSED:
            order_lapsed.send(Order, order=order)

    def _ended(self, order: Order, state: OrderState, code: str = "") -> None:
        order.state, order.remaining, order.ended_at = state.value, Decimal(0), self.now
        order.reason_code = code or order.reason_code
        if order.number is not None:
            self.alive.discard(order.number)
        order.save()

    def _orders(self) -> None:
        """Those that are gone from the book have ended; the others stand as the book says. Ends come first."""
        left = {each.order_id: each for each in self.after.orders}
        for number in self.alive - set(left):
            order = self.book[number]
            state = OrderState.FILLED if order.filled else OrderState.CANCELLED
            self._ended(order, state, "" if order.filled else "reduced_to_nothing")
        for head in self.heads:
            head.save()
        for number, waiting in left.items():
            if number not in self.book:
                raise BookMismatchError(f"order {number} of {self.position} came from nowhere")
            order = self.book[number]
            order.remaining = self.grid.quantity(waiting.lots)
            order.type, order.good_bars = TYPES[waiting.kind].value, waiting.good_bars
            if waiting.price:
                order.price = self.grid.price(waiting.price)
            order.save()

    def _position(self) -> None:
        position, after = self.position, self.after
        position.clock, position.quantity = self.at, self.grid.quantity(after.lots)
        position.cost, position.funding = money(after.cost), money(after.funding)
        position.entered_at = from_ms(after.entered_at) if after.lots else None
        position.hold_bars = after.hold_bars
        position.closing = FILL_REASONS[after.closing].value if after.closing else ""
        position.best_price = self.grid.price(after.best) if after.best else None
        position.in_doubt, position.next_number = bool(after.doubt), self.next_number
        position.save()
        if after.closing == EXPIRED and not any(
            order.purpose == OrderPurpose.TIME_EXIT for order in self.heads
        ):
            self._new_head(OrderPurpose.TIME_EXIT)

    def _check(self) -> None:
        if (self.cash, self.next_number) != (int(self.row[CASH]), self.after.next_id):
            raise BookMismatchError(
                f"{self.position}: rows paid {self.cash} and went on to {self.next_number},"
                f" the book {int(self.row[CASH])} and {self.after.next_id}"
            )
