"""What a signal says, with the subscriber's own size."""

from collections.abc import Hashable
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache

from django.template.loader import render_to_string
from django.utils.translation import get_language

from notifications.services.message.facts import Draft, Recipient, SignalFacts
from notifications.services.message.prices import Levels, level_labels, levels_of
from notifications.services.message.words import (
    LONGEST_NAME,
    LONGEST_REASON,
    age_words,
    amount_text,
    kinds_text,
    one_line,
    percent_text,
    quantity_text,
    session_words,
    tidy,
)
from notifications.services.risk import Record, costs_per_unit
from signals.engine.direction import Direction
from signals.engine.horizon import HORIZON_BARS, out_by
from signals.engine.plan_words import exit_words
from signals.engine.sizing import PositionSize, is_same_money, position_size
from signals.engine.timeframe import Timeframe

REASONS_SHOWN = 3
LATE_SECONDS = 120  # from that age on a message says how old its prices are, whatever the tier


def signal_text(draft: Draft, *, html: bool) -> str:
    """The message, as Telegram's HTML or plain.

    Every name and reason is cut before it is set in, so that the whole stays below 4096 UTF-16 units
    and no tag, entity or character is ever cut apart.
    """
    signal, recipient = draft.signal, draft.recipient
    levels = levels_of(signal, signal.tick_size)
    entry, stop, target = level_labels(signal, signal.tick_size)
    context: dict[str, Hashable] = {
        "is_repeat": draft.is_repeat,
        "is_simulated": signal.is_simulated,
        "experimental": signal.experimental,
        "timeframe": signal.timeframe,
        "is_long": signal.direction == Direction.LONG,
        **instrument_names(signal),
        "entry": entry,
        "stop": stop,
        "target": target,
        "stop_percent": percent_text(levels.stop, levels.entry),
        "target_percent": percent_text(levels.target, levels.entry) if levels.target is not None else "",
        "risk": f"{levels.risk:,f}",
        "reward": f"{levels.reward:,f}" if levels.reward is not None else "",
        "exit_words": exit_words(signal.exit_plan, signal.timeframe, signal.direction, signal.entry_price),
        "evidence": one_line(signal.evidence, LONGEST_REASON),
        "reward_per_risk": f"{levels.reward_per_risk:.2f}" if levels.reward_per_risk else "",
        "after_costs": _after_costs(signal, levels),
        "score": f"{signal.confidence * 100:.0f}",
        "chance": _chance(signal),
        **_record_context(signal),
        **_size_context(signal, recipient, levels),
        "reasons": tuple(one_line(reason, LONGEST_REASON) for reason in signal.reasons[:REASONS_SHOWN]),
        "sessions": session_words(signal.sessions),
        **_time_context(draft),
    }
    template = f"notifications/telegram/signal.{'html' if html else 'txt'}"
    return _rendered(template, get_language() or "", tuple(context.items()))


@lru_cache(maxsize=1024)
def _rendered(template: str, language: str, context: tuple[tuple[str, Hashable], ...]) -> str:
    """Subscribers with the same size and language read the same words; a template takes as long as Telegram's call."""
    return tidy(render_to_string(template, dict(context)))


def instrument_names(signal: SignalFacts) -> dict[str, str]:
    names = ("symbol", "base", "quote", "exchange")
    return {name: one_line(getattr(signal, name), LONGEST_NAME) for name in names}


def size_of(signal: SignalFacts, recipient: Recipient, levels: Levels) -> PositionSize | None:
    """The subscriber's size; None where the settings (no capital, none in this currency, no risk) allow none."""
    if not is_same_money(recipient.capital_currency, signal.quote):
        return None
    if not (recipient.capital > 0 and recipient.risk_fraction > 0 and levels.risk > 0 and levels.stop > 0):
        return None
    return position_size(
        capital=recipient.capital,
        risk_fraction=recipient.risk_fraction,
        entry_price=levels.entry,
        stop_loss=levels.stop,
        step=signal.lot_step,
        minimum_quantity=signal.minimum_amount or Decimal(0),
        minimum_value=signal.minimum_notional or Decimal(0),
    )


def _size_context(signal: SignalFacts, recipient: Recipient, levels: Levels) -> dict[str, Hashable]:
    """The size and the numbers from which anybody can work it out again."""
    size = size_of(signal, recipient, levels)
    if size is None:
        own = recipient.capital_currency
        other = "" if is_same_money(own, signal.quote) else one_line(own, LONGEST_NAME)
        return {"size": None, "stop_on_entry": levels.risk == 0, "capital_currency": other}
    at_risk = recipient.capital * recipient.risk_fraction
    costs = size.quantity * costs_per_unit(signal, levels.entry, levels.stop)
    others = recipient.open_longs + recipient.open_shorts
    return {
        "size": size,
        "capital": amount_text(recipient.capital),
        "risk_percent": f"{(recipient.risk_fraction * 100).normalize():f}",
        "at_risk": amount_text(at_risk),
        "unrounded": quantity_text(at_risk / levels.risk),
        "step": f"{signal.lot_step.normalize():f}" if signal.lot_step else "",
        # Steps are exact already, and rounding once more could leave them.
        "quantity": f"{size.quantity.normalize():,f}" if signal.lot_step else quantity_text(size.quantity),
        "lost": amount_text(size.risk_amount + costs),
        "costs": amount_text(costs),
        "notional": amount_text(size.quantity * levels.entry),
        "others": others,
        "other_kinds": kinds_text(recipient.open_longs, recipient.open_shorts),
        "risk_at_once": f"{((others + 1) * recipient.risk_fraction * 100).normalize():f}",
        "beyond_capital": size.quantity * levels.entry > recipient.capital,
    }


def _after_costs(signal: SignalFacts, levels: Levels) -> str:
    """Reward per risk once fees and slippage are paid; empty where the risk is none, or there is no target."""
    if levels.target is None or levels.reward is None:
        return ""
    risk = levels.risk + costs_per_unit(signal, levels.entry, levels.stop)
    reward = levels.reward - costs_per_unit(signal, levels.entry, levels.target)
    return f"{reward / risk:.2f}" if levels.risk else ""


def _chance(signal: SignalFacts) -> str:
    """47 % (38 to 56 %, from 120 outcomes); empty where the score is uncalibrated."""
    if signal.probability is None or signal.probability_low is None or signal.probability_high is None:
        return ""
    low, high = signal.probability_low * 100, signal.probability_high * 100
    return (
        f"{signal.probability * 100:.0f} % ({low:.0f} to {high:.0f} %, from {signal.probability_n} outcomes)"
    )


def _record_context(signal: SignalFacts) -> dict[str, Hashable]:
    record = Record(signal.record_ended, signal.record_won, signal.record_mean_r)
    return {
        "ended": record.ended,
        "won": record.won,
        "hit_percent": f"{record.hit_rate * 100:.0f}",
        "mean_r": f"{record.mean_r:+.2f}",
    }


def _time_context(draft: Draft) -> dict[str, Hashable]:
    """Until when to enter and by when it is over; where it comes late, of when its prices are."""
    signal = draft.signal
    last = out_by(
        candle_open_time=signal.candle_open_time,
        period=timedelta(seconds=Timeframe(signal.timeframe).seconds),
        published_at=signal.published_at,
        hold_bars=signal.exit_plan.longest_hold_bars or HORIZON_BARS,
    )
    is_late = draft.recipient.delay_seconds > 0 or draft.age_seconds >= LATE_SECONDS
    return {
        "expires": f"{signal.enter_until:%Y-%m-%d %H:%M} UTC",
        "out_by": f"{last:%Y-%m-%d %H:%M} UTC",
        "published": f"{signal.published_at:%Y-%m-%d %H:%M} UTC" if is_late else "",
        "age": age_words(draft.age_seconds) if is_late else "",
    }
