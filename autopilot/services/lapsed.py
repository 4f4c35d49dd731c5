"""A limit order whose time ran out unfilled is decided again: once, to market, if what is left is worth its risk."""

from datetime import datetime

from autopilot.engine.order import OrderPurpose, OrderState
from autopilot.models import Instance, Order
from signals.engine.direction import Direction
from signals.engine.strategy import StrategySignal

MOST_ATTEMPTS = 1
AT_MARKET = 1.0  # strength from which the rule of order types takes no limit


def worth_again(*, instance: Instance, close: float, now: datetime) -> tuple[Order, StrategySignal] | None:
    """The lapsed order and its signal from today's close on; None where there is none, or it is not worth it.

    Worth it: the signal has not expired, the close stands between stop and target, and the way to the target is at
    least as long as that to the stop.
    """
    entries = Order.objects.entries().filter(account=instance.account, instrument=instance.instrument)
    order = entries.select_related("signal").order_by("-id").first()
    if order is None or order.state != OrderState.LAPSED or order.filled or order.attempt >= MOST_ATTEMPTS:
        return None
    signal = order.signal
    if signal is None or signal.expires_at <= now or order.purpose != OrderPurpose.ENTRY:
        return None
    direction = Direction(signal.direction)
    risk = direction.sign * (close - signal.stop_loss)
    if risk <= 0 or signal.take_profit is None or direction.sign * (signal.take_profit - close) < risk:
        return None
    return order, StrategySignal(
        strategy=signal.strategy,
        direction=direction,
        confidence=AT_MARKET,
        entry_price=close,
        stop_loss=signal.stop_loss,
        take_profit=signal.take_profit,
        reasons=tuple(signal.reasons),
    )
