"""A signal, and what became of it, as one subscriber reads it. Pure: everything comes in, nothing is looked up."""

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from html import unescape
from math import floor, log10
from typing import Any, Protocol
from uuid import UUID

from django.template.loader import render_to_string
from django.utils.translation import get_language, gettext, gettext_noop, override

from notifications.clients.telegram_call import Button
from notifications.models import Answer, DeliveryKind
from notifications.services.risk import Charged, Record, costs_per_unit
from signals.engine.direction import Direction
from signals.engine.exit_plan import ExitPlan, PlanKind
from signals.engine.horizon import HORIZON_BARS, out_by
from signals.engine.plan_words import exit_words
from signals.engine.session import TradingSession
from signals.engine.sizing import PositionSize, is_same_money, position_size
from signals.engine.timeframe import Timeframe
from signals.models import Signal, SignalOutcome

# Telegram's limits and ours, all in UTF-16 units of the text that is read, without its tags.
LONGEST_MESSAGE = 4096
LONGEST_CAPTION = 1024
LONGEST_NAME = 40
LONGEST_REASON = 300
REASONS_SHOWN = 3
LATE_SECONDS = 120  # from that age on a message says how old its prices are, whatever the tier
SIGNIFICANT_DIGITS = 5
BUTTON_PREFIXES: Mapping[Answer, str] = {Answer.ACTED: "fa:", Answer.IGNORED: "fi:"}
BUTTON_TEXTS: Mapping[Answer, str] = {
    Answer.ACTED: gettext_noop("I acted"),
    Answer.IGNORED: gettext_noop("I ignored it"),
}
CHOSEN_TEXTS: Mapping[Answer, str] = {
    Answer.ACTED: gettext_noop("✓ You acted"),
    Answer.IGNORED: gettext_noop("✓ You ignored it"),
}


class DeliveredSignal(Charged, Protocol):
    """What a message needs to know; `services.sender.rows.Claimed` has it."""

    @property
    def direction(self) -> str: ...
    @property
    def symbol(self) -> str: ...
    @property
    def base(self) -> str: ...
    @property
    def quote(self) -> str: ...
    @property
    def exchange(self) -> str: ...
    @property
    def is_simulated(self) -> bool: ...
    @property
    def timeframe(self) -> str: ...
    @property
    def confidence(self) -> float: ...
    @property
    def entry_price(self) -> float: ...
    @property
    def stop_loss(self) -> float: ...
    @property
    def take_profit(self) -> float | None: ...
    @property
    def plan(self) -> Mapping[str, Any] | None: ...
    @property
    def evidence(self) -> str: ...
    @property
    def probability(self) -> float | None: ...
    @property
    def probability_n(self) -> int | None: ...
    @property
    def probability_low(self) -> float | None: ...
    @property
    def probability_high(self) -> float | None: ...
    @property
    def reasons(self) -> list[str]: ...
    @property
    def sessions(self) -> list[str]: ...
    @property
    def experimental(self) -> bool: ...
    @property
    def candle_open_time(self) -> datetime: ...
    @property
    def published_at(self) -> datetime: ...
    @property
    def expires_at(self) -> datetime: ...
    @property
    def age_seconds(self) -> float: ...
    @property
    def delay_seconds(self) -> int: ...
    @property
    def record_ended(self) -> int: ...
    @property
    def record_won(self) -> int: ...
    @property
    def record_mean_r(self) -> float: ...
    @property
    def open_longs(self) -> int: ...
    @property
    def open_shorts(self) -> int: ...
    @property
    def capital(self) -> Decimal: ...
    @property
    def capital_currency(self) -> str: ...
    @property
    def risk_fraction(self) -> Decimal: ...
    @property
    def tick_size(self) -> Decimal | None: ...
    @property
    def lot_step(self) -> Decimal | None: ...
    @property
    def minimum_amount(self) -> Decimal | None: ...
    @property
    def minimum_notional(self) -> Decimal | None: ...
    @property
    def is_repeat(self) -> bool: ...


class DeliveredOutcome(DeliveredSignal, Protocol):
    """What a follow-up needs to know besides; `paid_price` is that of the entry as it was followed."""

    @property
    def exit_reason(self) -> str: ...
    @property
    def paid_price(self) -> float: ...
    @property
    def exit_price(self) -> float: ...
    @property
    def return_ratio(self) -> float: ...
    @property
    def r_multiple(self) -> float: ...
    @property
    def bars_held(self) -> int: ...
    @property
    def is_ambiguous(self) -> bool: ...
    @property
    def raised_stop(self) -> float: ...


class Deliverable(DeliveredOutcome, Protocol):
    """What a row must tell to become a message."""

    @property
    def kind(self) -> str: ...
    @property
    def public_id(self) -> UUID: ...
    @property
    def reply_to(self) -> int | None: ...
    @property
    def is_plain(self) -> bool: ...
    @property
    def language(self) -> str: ...
    @property
    def picture_id(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Message:
    """What Telegram is asked to show: Telegram's HTML or plain text, in answer to the message `reply_to`.

    `with_picture`: there is one, and the text is short enough to stand below it.
    """

    text: str
    is_html: bool
    buttons: Sequence[Button] = ()
    reply_to: int | None = None
    is_silent: bool = False
    with_picture: bool = False

    @property
    def length(self) -> int:
        """UTF-16 units, as Telegram counts."""
        return visible_length(self.text) if self.is_html else utf16_length(self.text)


@dataclass(frozen=True, slots=True)
class Levels:
    """Entry, stop and, unless the plan has none, target in prices that the exchange takes."""

    entry: Decimal
    stop: Decimal
    target: Decimal | None

    @property
    def risk(self) -> Decimal:
        return abs(self.entry - self.stop)

    @property
    def reward(self) -> Decimal | None:
        return None if self.target is None else abs(self.target - self.entry)

    @property
    def reward_per_risk(self) -> Decimal | None:
        return self.reward / self.risk if self.risk and self.reward is not None else None


def compose(row: Deliverable) -> Message:
    """The message of a delivery, whichever kind it is, in the subscriber's language.

    One whose text was refused goes without its picture.
    """
    with override(row.language):
        return _composed(row)


def _composed(row: Deliverable) -> Message:
    is_html = not row.is_plain
    if row.kind == DeliveryKind.OUTCOME:
        text = outcome_text(row, html=is_html)
        return Message(text, is_html, reply_to=row.reply_to, is_silent=row.is_repeat)
    if row.kind == DeliveryKind.UPDATE:
        text = raised_text(row, html=is_html)
        return Message(text, is_html, reply_to=row.reply_to, is_silent=row.is_repeat)
    text = signal_text(row, html=is_html)
    message = Message(text, is_html, feedback_buttons(row.public_id), is_silent=row.is_repeat)
    fits = is_html and row.picture_id is not None and message.length <= LONGEST_CAPTION
    return replace(message, with_picture=fits)


def price_decimals(price: float) -> int:
    """Decimals that show five significant digits, two at least: 67123.45, 2.3457, 0.000012346."""
    return max(2, SIGNIFICANT_DIGITS - 1 - floor(log10(price)))


class Priced(Protocol):
    """The three prices of a signal, whatever else it is."""

    @property
    def entry_price(self) -> float: ...
    @property
    def stop_loss(self) -> float: ...
    @property
    def take_profit(self) -> float | None: ...


def level_labels(signal: Priced, tick_size: Decimal | None) -> tuple[str, str, str]:
    """Entry, stop and target as a message writes them: to be copied into an order, so without separators.

    The target is empty where the plan has none.
    """
    levels = levels_of(signal, tick_size)
    return f"{levels.entry:f}", f"{levels.stop:f}", "" if levels.target is None else f"{levels.target:f}"


def levels_of(signal: Priced, tick_size: Decimal | None) -> Levels:
    prices = [signal.stop_loss, *([] if signal.take_profit is None else [signal.take_profit])]
    entry, stop, *target = _rounded(tick_size, signal.entry_price, *prices)
    return Levels(entry, stop, target[0] if target else None)


def _rounded(tick_size: Decimal | None, entry: float, *others: float) -> list[Decimal]:
    """Prices to the nearest tick; where none that can be is known, to the decimals that make sense at the first."""
    can_be = tick_size if tick_size and tick_size <= entry else None
    tick = (can_be or Decimal(1).scaleb(-price_decimals(entry))).normalize()
    written = Decimal(1).scaleb(min(int(tick.as_tuple().exponent), 0))
    return [((Decimal(str(price)) / tick).quantize(1) * tick).quantize(written) for price in (entry, *others)]


def size_of(signal: DeliveredSignal, levels: Levels) -> PositionSize | None:
    """The subscriber's size; None where the settings (no capital, none in this currency, no risk) allow none."""
    if not is_same_money(signal.capital_currency, signal.quote):
        return None
    if not (signal.capital > 0 and signal.risk_fraction > 0 and levels.risk > 0 and levels.stop > 0):
        return None
    return position_size(
        capital=signal.capital,
        risk_fraction=signal.risk_fraction,
        entry_price=levels.entry,
        stop_loss=levels.stop,
        step=signal.lot_step,
        minimum_quantity=signal.minimum_amount or Decimal(0),
        minimum_value=signal.minimum_notional or Decimal(0),
    )


def signal_text(signal: DeliveredSignal, *, html: bool) -> str:
    """The message, as Telegram's HTML or plain.

    Every name and reason is cut before it is set in, so that the whole stays below 4096 UTF-16 units
    and no tag, entity or character is ever cut apart.
    """
    levels = levels_of(signal, signal.tick_size)
    entry, stop, target = level_labels(signal, signal.tick_size)
    context: dict[str, Hashable] = {
        "is_repeat": signal.is_repeat,
        "is_simulated": signal.is_simulated,
        "experimental": signal.experimental,
        "timeframe": signal.timeframe,
        "is_long": signal.direction == Direction.LONG,
        **_names(signal),
        "entry": entry,
        "stop": stop,
        "target": target,
        "stop_percent": _percent(levels.stop, levels.entry),
        "target_percent": _percent(levels.target, levels.entry) if levels.target is not None else "",
        "risk": f"{levels.risk:,f}",
        "reward": f"{levels.reward:,f}" if levels.reward is not None else "",
        "exit_words": exit_words(
            exit_plan_of(signal), signal.timeframe, signal.direction, signal.entry_price
        ),
        "evidence": one_line(signal.evidence, LONGEST_REASON),
        "reward_per_risk": f"{levels.reward_per_risk:.2f}" if levels.reward_per_risk else "",
        "after_costs": _after_costs(signal, levels),
        "score": f"{signal.confidence * 100:.0f}",
        "chance": _chance(signal),
        **_record_context(signal),
        **_size_context(signal, levels),
        "reasons": tuple(one_line(reason, LONGEST_REASON) for reason in signal.reasons[:REASONS_SHOWN]),
        "sessions": session_words(signal.sessions),
        **_time_context(signal),
    }
    template = f"notifications/telegram/signal.{'html' if html else 'txt'}"
    return _rendered(template, get_language() or "", tuple(context.items()))


@lru_cache(maxsize=1024)
def _rendered(template: str, language: str, context: tuple[tuple[str, Hashable], ...]) -> str:
    """Subscribers with the same size and language read the same words; a template takes as long as Telegram's call."""
    return tidy(render_to_string(template, dict(context)))


def outcome_text(ended: DeliveredOutcome, *, html: bool) -> str:
    """The follow-up, as Telegram's HTML or plain; bounded like the signal's text."""
    paid, left = _rounded(ended.tick_size, ended.paid_price, ended.exit_price)
    context = {
        "ended": ended,
        "is_long": ended.direction == Direction.LONG,
        **_names(ended),
        "paid": f"{paid:f}",
        "left": f"{left:f}",
        "r_multiple": f"{ended.r_multiple:+.2f}",
        "return_percent": f"{ended.return_ratio * 100:+.2f}",
    }
    return tidy(render_to_string(f"notifications/telegram/outcome.{'html' if html else 'txt'}", context))


def raised_text(held: DeliveredOutcome, *, html: bool) -> str:
    """That the stop stands beyond the entry: what is kept when it is reached, and that a gap may cost more."""
    entry, stop = _rounded(held.tick_size, held.entry_price, held.raised_stop)
    context = {
        "held": held,
        "is_long": held.direction == Direction.LONG,
        **_names(held),
        "entry": f"{entry:f}",
        "stop": f"{stop:f}",
        "kept_percent": f"{abs(stop / entry - 1) * 100:.2f}",
        "exit_words": exit_words(exit_plan_of(held), held.timeframe, held.direction, held.entry_price),
    }
    return tidy(render_to_string(f"notifications/telegram/raised.{'html' if html else 'txt'}", context))


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
    return f"{_rounded(signal.instrument.tick_size, signal.entry_price, stop)[1]:f}"


def exit_plan_of(signal: DeliveredSignal) -> ExitPlan:
    """Of a signal from before there were plans a fixed one."""
    if signal.plan is not None:
        return ExitPlan.from_json(signal.plan)
    return ExitPlan(PlanKind.FIXED, signal.stop_loss, signal.take_profit, None, HORIZON_BARS)


def session_words(names: Sequence[str]) -> str:
    """London, New York."""
    return ", ".join(TradingSession(name).label for name in names)


def _names(signal: DeliveredSignal) -> dict[str, str]:
    names = ("symbol", "base", "quote", "exchange")
    return {name: one_line(getattr(signal, name), LONGEST_NAME) for name in names}


def _size_context(signal: DeliveredSignal, levels: Levels) -> dict[str, Hashable]:
    """The size and the numbers from which anybody can work it out again."""
    size = size_of(signal, levels)
    if size is None:
        own = signal.capital_currency
        other = "" if is_same_money(own, signal.quote) else one_line(own, LONGEST_NAME)
        return {"size": None, "stop_on_entry": levels.risk == 0, "capital_currency": other}
    at_risk = signal.capital * signal.risk_fraction
    costs = size.quantity * costs_per_unit(signal, levels.entry, levels.stop)
    others = signal.open_longs + signal.open_shorts
    return {
        "size": size,
        "capital": _amount_text(signal.capital),
        "risk_percent": f"{(signal.risk_fraction * 100).normalize():f}",
        "at_risk": _amount_text(at_risk),
        "unrounded": _quantity_text(at_risk / levels.risk),
        "step": f"{signal.lot_step.normalize():f}" if signal.lot_step else "",
        # Steps are exact already, and rounding once more could leave them.
        "quantity": f"{size.quantity.normalize():,f}" if signal.lot_step else _quantity_text(size.quantity),
        "lost": _amount_text(size.risk_amount + costs),
        "costs": _amount_text(costs),
        "notional": _amount_text(size.quantity * levels.entry),
        "others": others,
        "other_kinds": _kinds(signal.open_longs, signal.open_shorts),
        "risk_at_once": f"{((others + 1) * signal.risk_fraction * 100).normalize():f}",
        "beyond_capital": size.quantity * levels.entry > signal.capital,
    }


def _after_costs(signal: DeliveredSignal, levels: Levels) -> str:
    """Reward per risk once fees and slippage are paid; empty where the risk is none, or there is no target."""
    if levels.target is None or levels.reward is None:
        return ""
    risk = levels.risk + costs_per_unit(signal, levels.entry, levels.stop)
    reward = levels.reward - costs_per_unit(signal, levels.entry, levels.target)
    return f"{reward / risk:.2f}" if levels.risk else ""


def _chance(signal: DeliveredSignal) -> str:
    """47 % (38 to 56 %, from 120 outcomes); empty where the score is uncalibrated."""
    if signal.probability is None or signal.probability_low is None or signal.probability_high is None:
        return ""
    low, high = signal.probability_low * 100, signal.probability_high * 100
    return (
        f"{signal.probability * 100:.0f} % ({low:.0f} to {high:.0f} %, from {signal.probability_n} outcomes)"
    )


def _record_context(signal: DeliveredSignal) -> dict[str, Hashable]:
    record = Record(signal.record_ended, signal.record_won, signal.record_mean_r)
    return {
        "ended": record.ended,
        "won": record.won,
        "hit_percent": f"{record.hit_rate * 100:.0f}",
        "mean_r": f"{record.mean_r:+.2f}",
    }


def _time_context(signal: DeliveredSignal) -> dict[str, Hashable]:
    """Until when to enter and by when it is over; where it comes late, of when its prices are."""
    last = out_by(
        candle_open_time=signal.candle_open_time,
        period=timedelta(seconds=Timeframe(signal.timeframe).seconds),
        published_at=signal.published_at,
        hold_bars=exit_plan_of(signal).longest_hold_bars or HORIZON_BARS,
    )
    is_late = signal.delay_seconds > 0 or signal.age_seconds >= LATE_SECONDS
    return {
        "expires": f"{signal.expires_at:%Y-%m-%d %H:%M} UTC",
        "out_by": f"{last:%Y-%m-%d %H:%M} UTC",
        "published": f"{signal.published_at:%Y-%m-%d %H:%M} UTC" if is_late else "",
        "age": age_words(signal.age_seconds) if is_late else "",
    }


def age_words(seconds: float) -> str:
    """45 s, 15 min, 2 h 5 min."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{max(int(seconds), 0)} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _kinds(longs: int, shorts: int) -> str:
    """2 long, 1 short."""
    return ", ".join(f"{number} {kind}" for number, kind in ((longs, "long"), (shorts, "short")) if number)


def _percent(price: Decimal, entry: Decimal) -> str:
    return f"{(price / entry - 1) * 100:+.2f} %"


def _quantity_text(quantity: Decimal) -> str:
    rounded = Decimal(f"{quantity:.6g}")
    return f"{rounded:,f}"


def _amount_text(amount: Decimal) -> str:
    """Money to the cent; an amount below one unit, as in BTC, with four significant digits."""
    return f"{amount:,.2f}" if amount >= 1 or amount == 0 else f"{Decimal(f'{amount:.4g}'):f}"


def one_line(text: str, longest: int) -> str:
    """Printable characters in one line: nothing may pretend to be another line, or turn the writing round."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return cut(" ".join(printable.split()), longest)


def tidy(text: str) -> str:
    """What a template leaves behind: spaces at the ends of lines, more than one empty line."""
    lines = "\n".join(line.strip() for line in text.strip().splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines)


def utf16_length(text: str) -> int:
    """How Telegram counts: characters beyond the basic plane are two."""
    return len(text.encode("utf-16-le")) // 2


def visible_length(html: str) -> int:
    """UTF-16 units of what is read of a text of ours, in which each "<" begins a tag of a template."""
    return utf16_length(unescape(re.sub(r"<[^>]*>", "", html)))


def cut(text: str, longest: int) -> str:
    """At most `longest` UTF-16 units of plain text, ending in an ellipsis where something was cut."""
    if utf16_length(text) <= longest:
        return text
    return text.encode("utf-16-le")[: (longest - 1) * 2].decode("utf-16-le", errors="ignore") + "…"


def feedback_buttons(delivery_id: UUID) -> Sequence[Button]:
    """The two buttons under a signal; their data name the delivery by its random id and nothing else."""
    return [
        Button(gettext(BUTTON_TEXTS[answer]), prefix + delivery_id.hex)
        for answer, prefix in BUTTON_PREFIXES.items()
    ]


def chosen_buttons(delivery_id: UUID, chosen: Answer) -> Sequence[Button]:
    """What replaces them after the answer: the other one stays, for a change of mind."""
    return [
        Button(
            gettext((CHOSEN_TEXTS if answer is chosen else BUTTON_TEXTS)[answer]), prefix + delivery_id.hex
        )
        for answer, prefix in BUTTON_PREFIXES.items()
    ]


def pressed_button(data: str) -> tuple[UUID, Answer] | None:
    """Delivery id and answer behind a button's data; None when it is none of ours."""
    for answer, prefix in BUTTON_PREFIXES.items():
        if data.startswith(prefix) and re.fullmatch(r"[0-9a-f]{32}", data.removeprefix(prefix)):
            return UUID(hex=data.removeprefix(prefix)), answer
    return None
