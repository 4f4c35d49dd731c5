"""What an autopilot looks at in one cycle: closed candles, how old they are, and what else is known at their close."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from signals.engine.candle import OHLCV
from signals.engine.session import CalendarMissingError, is_tradable
from signals.engine.strategy import DecisionContext, StrategySignal
from signals.engine.timeframe import BASE_TIMEFRAME, WINDOW_BARS, Timeframe
from signals.market.models import Instrument
from signals.market.selectors import load_window
from signals.services.pairing import chosen_partner

OLDEST_PERIODS = 2  # the newest candle may have closed so many periods ago


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """`candle_open_time` of the newest closed candle. too_old: why nothing may be decided on it; empty otherwise."""

    window: OHLCV
    candle_open_time: datetime | None
    closed_at: datetime | None
    too_old: str = ""
    is_late: bool = False


def look(*, instrument: Instrument, timeframe: Timeframe, as_of: datetime) -> Seen:
    window = load_window(instrument_id=instrument.pk, timeframe=timeframe, bars=WINDOW_BARS, as_of=as_of)
    if len(window) == 0:
        return Seen(window, None, None, f"no {timeframe} candle is stored")
    opened_at = moment_of(int(window.open_time[-1]))
    closed_at = opened_at + timedelta(seconds=timeframe.seconds)
    age = as_of - closed_at
    too_old = ""
    if age >= OLDEST_PERIODS * timedelta(seconds=timeframe.seconds):
        too_old = f"the newest candle closed at {closed_at:%Y-%m-%d %H:%M}Z, too long ago to decide on"
    return Seen(window, opened_at, closed_at, too_old, age >= timedelta(seconds=timeframe.seconds))


def moment_of(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def context_at(*, instrument: Instrument, timeframe: Timeframe, closed_at: datetime) -> DecisionContext:
    """Partner on base bars only, as in the fused decision; sentiment is absent where nobody reads it."""
    partner = None
    if timeframe is BASE_TIMEFRAME and (paired := chosen_partner(instrument=instrument, as_of=closed_at)):
        partner = load_window(instrument_id=paired.pk, timeframe=timeframe, bars=WINDOW_BARS, as_of=closed_at)
    return DecisionContext(
        as_of=closed_at,
        partner=partner,
        round_trip_cost=instrument.cost_rates().round_trip,
        tick=float(instrument.tick_size) if instrument.tick_size else None,
        memo={},
    )


def objection(
    *,
    signal: StrategySignal,
    context: DecisionContext,
    instrument: Instrument,
    stop_costs: float,
    stop_ticks: int,
) -> tuple[str, str] | None:
    """(code, sentence) of what stands against the signal, whoever proposed it; None where nothing does."""
    try:
        if not is_tradable(instrument, context.as_of):
            return "market_closed", f"the {instrument.asset_class} market is closed"
    except CalendarMissingError as error:
        return "market_closed", str(error)
    risk, entry = abs(signal.entry_price - signal.stop_loss), signal.entry_price
    if context.round_trip_cost is not None and risk < stop_costs * context.round_trip_cost * entry:
        away = f"{risk / entry:.2%} away, nearer than {stop_costs:g} times the costs of {context.round_trip_cost:.2%}"
        return "stop_within_costs", f"the stop would stand {away}"
    if context.tick is not None and risk < stop_ticks * context.tick:
        return "stop_within_ticks", f"the stop would stand within {stop_ticks} ticks"
    return None
