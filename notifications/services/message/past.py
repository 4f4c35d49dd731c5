"""A signal in a list of earlier ones."""

from notifications.services.message.prices import level_labels, rounded
from notifications.services.message.words import LONGEST_NAME, one_line
from signals.models import Signal, SignalOutcome


def past_signal(
    signal: Signal, outcome: SignalOutcome | None, present_stop: float | None = None
) -> dict[str, str]:
    """One signal in a list of them, with its outcome, or where its stop stands now, as far as that may be told."""
    entry, stop, target = level_labels(signal, signal.instrument.tick_size)
    ended = outcome and f"{outcome.r_multiple:+.2f} R ({outcome.return_ratio * 100:+.2f} %)"
    return {
        "direction": signal.direction,
        "symbol": one_line(signal.instrument.symbol, LONGEST_NAME),
        "timeframe": signal.timeframe,
        "simulated": "simulated" if signal.instrument.exchange.is_simulated else "",
        "published": f"{signal.published_at:%Y-%m-%d %H:%M} UTC",
        "entry": entry,
        "stop": stop,
        "stop_now": _stop_now(signal, present_stop) if outcome is None else "",
        "target": target,
        "exit_reason": outcome.exit_reason if outcome else "",
        "ended": ended or "",
    }


def _stop_now(signal: Signal, stop: float | None) -> str:
    """Empty where it has not moved."""
    if stop is None or stop == signal.stop_loss:
        return ""
    return f"{rounded(signal.instrument.tick_size, signal.entry_price, stop)[1]:f}"
