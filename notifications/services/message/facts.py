"""What a message is made of. Each fact stands here once, with the SQL that reads it (`reading.py`).

The SQL speaks of `g` the signal, `i` its instrument, `e` its exchange, `s` the subscriber, `t` the tier, `record` how
earlier signals ended, `others` what else is open, `raised` the stop and `ended` the end of this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, get_type_hints
from uuid import UUID

from signals.engine.exit_plan import ExitPlan, PlanKind
from signals.engine.horizon import HORIZON_BARS


@dataclass(frozen=True, slots=True)
class SignalFacts:
    """The signal, what it is about, and how those before it ended."""

    signal_id: Annotated[UUID, "g.public_id"]
    direction: Annotated[str, "g.direction"]
    timeframe: Annotated[str, "g.timeframe"]
    confidence: Annotated[float, "g.confidence"]
    entry_price: Annotated[float, "g.entry_price"]
    stop_loss: Annotated[float, "g.stop_loss"]
    take_profit: Annotated[float | None, "g.take_profit"]
    plan: Annotated[Mapping[str, Any] | None, "g.plan"]
    evidence: Annotated[str, "g.evidence"]
    probability: Annotated[float | None, "g.probability"]
    probability_n: Annotated[int | None, "g.probability_n"]
    probability_low: Annotated[float | None, "g.probability_low"]
    probability_high: Annotated[float | None, "g.probability_high"]
    reasons: Annotated[list[str], "g.reasons"]
    sessions: Annotated[list[str], "g.sessions"]
    experimental: Annotated[bool, "g.experimental"]
    candle_open_time: Annotated[datetime, "g.candle_open_time"]
    published_at: Annotated[datetime, "g.published_at"]
    enter_until: Annotated[datetime, "g.expires_at"]
    symbol: Annotated[str, "i.symbol"]
    base: Annotated[str, "i.base"]
    quote: Annotated[str, "i.quote"]
    exchange: Annotated[str, "e.name"]
    is_simulated: Annotated[bool, "e.is_simulated"]
    asset_class: Annotated[str, "i.asset_class"]
    market_type: Annotated[str, "i.market_type"]
    maker_bps: Annotated[Decimal | None, "i.maker_bps"]
    taker_bps: Annotated[Decimal | None, "i.taker_bps"]
    slippage_bps: Annotated[Decimal | None, "i.slippage_bps"]
    tick_size: Annotated[Decimal | None, "i.tick_size"]
    lot_step: Annotated[Decimal | None, "i.lot_step"]
    minimum_amount: Annotated[Decimal | None, "i.minimum_amount"]
    minimum_notional: Annotated[Decimal | None, "i.minimum_notional"]
    record_ended: Annotated[int, "coalesce(record.ended, 0)"]
    record_won: Annotated[int, "coalesce(record.won, 0)"]
    record_mean_r: Annotated[float, "coalesce(record.mean_r, 0)"]
    raised_stop: Annotated[float | None, "raised.stop"]

    @property
    def exit_plan(self) -> ExitPlan:
        """Of a signal from before there were plans a fixed one."""
        if self.plan is not None:
            return ExitPlan.from_json(self.plan)
        return ExitPlan(PlanKind.FIXED, self.stop_loss, self.take_profit, None, HORIZON_BARS)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is told: the chat, the money, how late the tier is, what else is open."""

    chat_id: Annotated[int, "s.chat_id"]
    language: Annotated[str, "s.language"]
    capital: Annotated[Decimal, "s.capital"]
    capital_currency: Annotated[str, "s.capital_currency"]
    risk_fraction: Annotated[Decimal, "s.risk_fraction"]
    delay_seconds: Annotated[int, "t.delay_seconds"]
    open_longs: Annotated[int, "coalesce(others.long, 0)"]
    open_shorts: Annotated[int, "coalesce(others.short, 0)"]


@dataclass(frozen=True, slots=True)
class OutcomeFacts:
    """How the signal ended; `paid_price` is that of the entry as it was followed."""

    exit_reason: Annotated[str, "ended.exit_reason"]
    paid_price: Annotated[float, "ended.entry_price"]
    exit_price: Annotated[float, "ended.exit_price"]
    return_ratio: Annotated[float, "ended.return_ratio"]
    r_multiple: Annotated[float, "ended.r_multiple"]
    bars_held: Annotated[int, "ended.bars_held"]
    is_ambiguous: Annotated[bool, "ended.is_ambiguous"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A delivery as its message needs it; `outcome` is None where no end is told."""

    kind: str
    public_id: UUID
    signal: SignalFacts
    recipient: Recipient
    outcome: OutcomeFacts | None
    age_seconds: float
    picture_id: int | None = None
    reply_to: int | None = None
    is_repeat: bool = False
    is_plain: bool = False


Facts = type[SignalFacts | Recipient | OutcomeFacts]


def names_of(facts: Facts) -> list[str]:
    return [one.name for one in fields(facts)]


@cache
def columns_of(facts: Facts) -> str:
    """The facts as a SELECT's columns."""
    hints = get_type_hints(facts, include_extras=True)
    return ", ".join(f"{hints[name].__metadata__[0]} AS {name}" for name in names_of(facts))


def signal_facts(row: Mapping[str, Any]) -> SignalFacts:
    return SignalFacts(**{name: row[name] for name in names_of(SignalFacts)})


def recipient(row: Mapping[str, Any]) -> Recipient:
    return Recipient(**{name: row[name] for name in names_of(Recipient)})


def outcome_facts(row: Mapping[str, Any]) -> OutcomeFacts | None:
    if row["exit_reason"] is None:
        return None
    return OutcomeFacts(**{name: row[name] for name in names_of(OutcomeFacts)})
