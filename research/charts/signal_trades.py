"""Published signals as the trades of a candle chart."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from research.charts.candles import Trade
from research.selectors.performance import FOLLOWED_FOR
from signals.engine.moment import milliseconds
from signals.models import Signal


def as_trades(signals: Iterable[Signal], *, now: datetime) -> list[Trade]:
    """Each from entry to exit; one that is open reaches to `now`, one that was lost sight of to its expiry."""
    return [_trade(signal, now) for signal in signals]


def _trade(signal: Signal, now: datetime) -> Trade:
    outcome = getattr(signal, "outcome", None)  # most recent ones have none, which Django tells by an error
    title = f"{signal.get_direction_display()}, {signal.strategy}, confidence {signal.confidence:.0%}"
    common: dict[str, Any] = {
        "title": title,
        "direction": signal.direction,
        "stop": signal.stop_loss,
        "target": signal.take_profit,
    }
    if outcome is None:
        is_followed = signal.published_at > now - FOLLOWED_FOR
        until = now if is_followed else signal.expires_at
        return Trade(
            **common,
            entry_time=milliseconds(signal.published_at),
            entry_price=signal.entry_price,
            until=milliseconds(until),
        )
    return Trade(
        **common,
        entry_time=milliseconds(outcome.entered_at),
        entry_price=outcome.entry_price,
        until=milliseconds(outcome.exited_at),
        exit_time=milliseconds(outcome.exited_at),
        exit_price=outcome.exit_price,
        exit_words=f"{outcome.get_exit_reason_display()}, {outcome.r_multiple:+.2f} R after costs",
        is_win=outcome.r_multiple > 0,
    )
