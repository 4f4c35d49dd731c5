"""A position that is flat again becomes a trade."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from autopilot.engine.order import FillReason, OrderSide
from autopilot.engine.position import FilledPart, round_trip
from autopilot.events import trade_closed
from autopilot.models import Position, Trade
from signals.engine.direction import Direction


def close_trade(
    *, position: Position, exited_at: datetime, reason: FillReason, funding: Decimal, now: datetime
) -> Trade:
    """The trade of the round trip that has just ended, from its fills."""
    fills = position.fills.filter(round_trip=position.round_trip).select_related("order").order_by("id")
    parts = [
        FilledPart(
            is_entry=fill.reason == FillReason.ENTRY,
            quantity=fill.quantity,
            price=fill.price,
            value=fill.value,
            fee=fill.fee,
            risk=fill.risk,
            is_ambiguous=fill.is_ambiguous,
        )
        for fill in fills
    ]
    parts = levelled(parts)
    first = fills[0]
    direction = Direction.LONG if first.side == OrderSide.BUY else Direction.SHORT
    ended = round_trip(parts, sign=direction.sign, funding=funding)
    trade = Trade.objects.create(
        account=position.account,
        instrument=position.instrument,
        position=position,
        round_trip=position.round_trip,
        direction=direction.value,
        quantity=ended.quantity,
        entered_at=first.candle_open_time,
        exited_at=exited_at,
        entry_price=ended.entry_price,
        exit_price=ended.exit_price,
        fees=ended.fees,
        funding=funding,
        net_profit=ended.net_profit,
        r_multiple=ended.r_multiple,
        exit_reason=reason.value,
        is_ambiguous=ended.is_ambiguous,
        signal=first.order.signal,
        strategy=first.order.strategy,
        recorded_at=now,
    )
    trade_closed.send(Trade, trade=trade)
    return trade


def levelled(parts: list[FilledPart]) -> list[FilledPart]:
    """As many entered as left. At an exchange less than a lot may stay, because of a fee in the base asset: what
    stays is taken from the last entry, and what an earlier round trip left is added at this one's average price.
    """
    entered = sum((part.quantity for part in parts if part.is_entry), Decimal(0))
    over = entered - sum((part.quantity for part in parts if not part.is_entry), Decimal(0))
    if over == 0:
        return parts
    last = max(row for row, part in enumerate(parts) if part.is_entry)
    quantity = parts[last].quantity - over
    value = (parts[last].value / parts[last].quantity * quantity).quantize(Decimal("1e-8"))
    return [*parts[:last], replace(parts[last], quantity=quantity, value=value), *parts[last + 1 :]]
