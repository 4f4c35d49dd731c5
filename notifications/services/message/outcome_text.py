"""What became of a signal: how it ended, or that its stop was raised."""

from django.template.loader import render_to_string

from notifications.services.message.facts import DeliveredOutcome
from notifications.services.message.prices import rounded
from notifications.services.message.signal_text import exit_plan_of, names_of
from notifications.services.message.words import tidy
from signals.engine.direction import Direction
from signals.engine.plan_words import exit_words


def outcome_text(ended: DeliveredOutcome, *, html: bool) -> str:
    """The follow-up, as Telegram's HTML or plain; bounded like the signal's text."""
    paid, left = rounded(ended.tick_size, ended.paid_price, ended.exit_price)
    context = {
        "ended": ended,
        "is_long": ended.direction == Direction.LONG,
        **names_of(ended),
        "paid": f"{paid:f}",
        "left": f"{left:f}",
        "r_multiple": f"{ended.r_multiple:+.2f}",
        "return_percent": f"{ended.return_ratio * 100:+.2f}",
    }
    return tidy(render_to_string(f"notifications/telegram/outcome.{'html' if html else 'txt'}", context))


def raised_text(held: DeliveredOutcome, *, html: bool) -> str:
    """That the stop stands beyond the entry: what is kept when it is reached, and that a gap may cost more."""
    entry, stop = rounded(held.tick_size, held.entry_price, held.raised_stop)
    context = {
        "held": held,
        "is_long": held.direction == Direction.LONG,
        **names_of(held),
        "entry": f"{entry:f}",
        "stop": f"{stop:f}",
        "kept_percent": f"{abs(stop / entry - 1) * 100:.2f}",
        "exit_words": exit_words(exit_plan_of(held), held.timeframe, held.direction, held.entry_price),
    }
    return tidy(render_to_string(f"notifications/telegram/raised.{'html' if html else 'txt'}", context))
