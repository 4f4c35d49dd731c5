"""What became of a signal: how it ended, or that its stop was raised."""

from django.template.loader import render_to_string

from notifications.services.message.facts import Draft, OutcomeFacts
from notifications.services.message.prices import rounded
from notifications.services.message.signal_text import instrument_names
from notifications.services.message.words import tidy
from signals.engine.direction import Direction
from signals.engine.plan_words import onward_words


def outcome_text(draft: Draft, outcome: OutcomeFacts, *, html: bool) -> str:
    """The follow-up, as Telegram's HTML or plain; bounded like the signal's text."""
    signal = draft.signal
    paid, left = rounded(signal.tick_size, outcome.paid_price, outcome.exit_price)
    context = {
        "signal": signal,
        "outcome": outcome,
        "is_repeat": draft.is_repeat,
        "is_long": signal.direction == Direction.LONG,
        **instrument_names(signal),
        "paid": f"{paid:f}",
        "left": f"{left:f}",
        "r_multiple": f"{outcome.r_multiple:+.2f}",
        "return_percent": f"{outcome.return_ratio * 100:+.2f}",
    }
    return tidy(render_to_string(f"notifications/telegram/outcome.{'html' if html else 'txt'}", context))


def raised_text(draft: Draft, raised_stop: float, *, html: bool) -> str:
    """That the stop stands beyond the entry: what is kept when it is reached, and that a gap may cost more."""
    signal = draft.signal
    entry, stop = rounded(signal.tick_size, signal.entry_price, raised_stop)
    context = {
        "signal": signal,
        "is_repeat": draft.is_repeat,
        "is_long": signal.direction == Direction.LONG,
        **instrument_names(signal),
        "entry": f"{entry:f}",
        "stop": f"{stop:f}",
        "kept_percent": f"{abs(stop / entry - 1) * 100:.2f}",
        "onward_words": onward_words(signal.exit_plan, signal.timeframe, signal.direction),
    }
    return tidy(render_to_string(f"notifications/telegram/raised.{'html' if html else 'txt'}", context))
