"""What pre-flight judges by: the facts of account, exchange and market, read under the account's lock."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from autopilot.engine.order import OrderSide
from autopilot.engine.preflight import LOWEST_VALUE, Standing, Venue
from autopilot.models import Account, Position
from autopilot.selectors import (
    cash_of,
    equity_at_day_start,
    exposure_of,
    held_worth,
    highest_correlation,
    peak_equity,
    seconds_since_stop,
    trades_begun_today,
    waiting_entries,
    worth_of_orders,
)
from autopilot.services.book_rows import free_units, money, terms_of
from autopilot.services.live.locks import entry_refusal
from signals.engine.costs import MarketType
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.selectors import exposure_allowed

OLDEST_DATA_PERIODS = 2  # after its close a candle may be so many periods old


def venue_of(
    account: Account,
    instrument: Instrument,
    timeframe: Timeframe,
    candle_open_time: datetime,
    as_of: datetime,
) -> Venue:
    closed_at = candle_open_time + timedelta(seconds=timeframe.seconds)
    return Venue(
        can_short=instrument.market_type != MarketType.SPOT,
        minimum_amount=instrument.minimum_amount,
        minimum_value=instrument.minimum_notional or LOWEST_VALUE,
        data_age_seconds=(as_of - closed_at).total_seconds(),
        oldest_data_seconds=OLDEST_DATA_PERIODS * timeframe.seconds,
        same_currency=instrument.quote == account.currency,
    )


def standing_of(
    *,
    account: Account,
    position: Position,
    side: OrderSide,
    is_entry: bool,
    timeframe: Timeframe,
    as_of: datetime,
    intent_is_open: bool,
    is_alive: bool,
) -> Standing:
    """Exits ask for the position only; entries for everything that limits them."""
    common: dict[str, Any] = {
        "held": Decimal(0) if is_entry and position.closing else position.quantity,
        "is_live": account.is_live,
        "is_closed": not account.is_open,
        "kill_switch_allows": exposure_allowed(hold=True),
        "live_lock": entry_refusal(account, position.instrument, as_of) if account.is_live else None,
        "same_timeframe": not is_alive or position.timeframe == timeframe.value,
        "intent_is_open": intent_is_open,
    }
    if not is_entry:
        return Standing(free=Decimal(0), equity=Decimal(0), **common)
    positions = list(account.positions.select_related("instrument", "account"))
    cash, waiting = cash_of(account), waiting_entries(account)
    reserved = worth_of_orders(waiting)
    held = [each for each in positions if each.quantity and each.pk != position.pk]
    others = {each.pk for each in held} | {each.position_id for each in waiting}
    limits, instrument = account.limits(), position.instrument
    return Standing(
        free=money(free_units(cash, positions, terms_of(position))) - reserved / account.leverage,
        equity=cash + held_worth(positions),
        margin=1 / account.leverage,
        exposure=exposure_of(positions) + reserved,
        other_positions=len(others - {position.pk}),
        day_start_equity=equity_at_day_start(account, as_of),
        peak_equity=peak_equity(account),
        trades_today=trades_begun_today(account, as_of),
        seconds_since_stop=seconds_since_stop(account, instrument, as_of),
        correlation=None
        if limits.correlation is None or not held
        else highest_correlation(instrument, side.sign, held, timeframe, as_of),
        **common,
    )
